// `npm run bench -- top-up`: the bytes a computer that holds one version of a program fetches for the next, beside what other tools would.
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { ContentLibrary, importFolder, importImage, makePatches, makePieces, planOnPaper } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";
import { startNginx } from "./nginx.ts";
import { firmware, packaged, published, systems } from "./pairs.ts";
import type { Pair, Version } from "./pairs.ts";
import { peersHere, withoutProxies } from "./peers.ts";

const run = promisify(execFile);
/** Progress some programs print by the megabyte. */
const quiet = { maxBuffer: 2 ** 28 };

interface Row { name: string; full: number; files: number | undefined; chunks: number; pieces: number; pack: number; requests: number; patches: number | undefined; peers: Record<string, number | undefined> }

export async function benchTopUp(cache: string, options: { level: number | undefined; only: string | undefined; say: (text: string) => void }): Promise<void> {
  const { say } = options;
  const work = await mkdtemp(join(cache, "top-up-"));
  const present = await peersHere();
  say(`Bytes fetched, MB; ${options.level === undefined ? "no patches" : `patches at level ${options.level}`}. Peers here: ${[...present].join(", ") || "none"}\n`);
  say(["PAIR".padEnd(44), "FULL", "FILES", "CHUNKS", "PIECES", "PATCHES", "WIMLIB", "CASYNC", "ZSYNC", "XDELTA3", "PIECES/BEST", "PATCHES/FULL", "PACK/FULL", "REQUESTS"].map((head, i) => (i === 0 ? head : head.padStart(8))).join(" "));
  const rows: Row[] = [];
  try {
    for (const { name, get } of [...published, ...packaged, ...firmware, ...systems]) {
      if (options.only !== undefined && !name.includes(options.only)) continue;
      rows.push({ ...(await measure(work, await get(cache, say), options.level, present)), name });
      say(line(rows.at(-1)!));
    }
    const within = (way: "chunks" | "pieces") => rows.filter((row) => row[way] <= 1.03 * bestOf(row)).length;
    say(`\nat most 1.03 x the best of wimlib, casync and zsync: by pieces ${within("pieces")}, by chunks ${within("chunks")} of ${rows.length}; pieces above chunks: ${rows.filter(({ chunks, pieces }) => pieces > chunks).length}; above the whole: ${rows.filter(({ pieces, patches, full }) => Math.max(pieces, patches ?? 0) > full).length}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The least of what needs no patch made for this very pair. */
function bestOf({ peers }: Row): number {
  return Math.min(...["wimlib", "casync", "zsync"].map((peer) => peers[peer] ?? Infinity));
}

function line(row: Row): string {
  const { name, full, files, chunks, pieces, pack, requests, patches, peers } = row;
  const megabytes = (bytes: number | undefined) => (bytes === undefined ? "-" : (bytes / 1e6).toFixed(2)).padStart(8);
  return [name.slice(0, 44).padEnd(44), ...[full, files, chunks, pieces, patches, peers["wimlib"], peers["casync"], peers["zsync"], peers["xdelta3"]].map(megabytes), (pieces / bestOf(row)).toFixed(2).padStart(11), (patches === undefined ? "-" : (patches / full).toFixed(3)).padStart(12), (pack / full).toFixed(2).padStart(9), String(requests).padStart(8)].join(" ");
}

async function measure(work: string, { name, from, to }: Pair, level: number | undefined, present: ReadonlySet<string>): Promise<Row> {
  const library = new ContentLibrary(join(work, "library"));
  const add = async ({ tree, wim }: Version) => (wim === undefined ? await importFolder(library, tree) : await importImage(library, wim, [1]));
  const [older, newer] = [await add(from), await add(to)];
  const sum = (plan: { bytes: number; described: number; ways: { requests: number }[] }) => plan.bytes + plan.described;
  const whole = await planOnPaper(library, newer.contentId, []);
  const chunked = await planOnPaper(library, newer.contentId, [older.contentId]);
  const pack = await makePieces(library, newer.contentId);
  const byPieces = await planOnPaper(library, newer.contentId, [older.contentId], pack === undefined ? [] : [pack]);
  const offer = level === undefined ? undefined : await makePatches(library, older.contentId, newer.contentId, { level });
  const patched = offer && (await planOnPaper(library, newer.contentId, [older.contentId], [offer]));
  const peers: Row["peers"] = { wimlib: await wimlibDelta(work, older, to) };
  if (present.has("casync")) peers["casync"] = await casync(work, from.tree, to.tree);
  const tars = [join(work, "old.tar"), join(work, "new.tar")] as const;
  for (const [tree, tar] of [[from.tree, tars[0]], [to.tree, tars[1]]] as const) await run("tar", ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", tar, "-C", tree, "."]);
  if (present.has("xdelta3")) peers["xdelta3"] = await xdelta3(work, tars);
  if (present.has("zsync")) peers["zsync"] = Math.min(await zsync(work, tars, true), await zsync(work, [older.wimPath, newer.wimPath], false));
  const files = chunked.ways.reduce((bytes, way) => bytes + (way.whole ?? 0), 0) + chunked.described;
  for (const path of [library.root, ...tars]) await rm(path, { recursive: true });
  return { name, full: whole.full, files: from.wim === undefined ? files : undefined, chunks: sum(chunked), pieces: sum(byPieces), pack: pack?.bytes ?? 0, requests: byPieces.ways.reduce((count, way) => count + way.requests, 0), patches: patched && sum(patched), peers };
}

/** What a delta WIM of the new tree against the old WIM has: it is fetched whole. */
async function wimlibDelta(work: string, older: StoredVersion, to: Version): Promise<number> {
  const delta = join(work, "delta.wim");
  await rm(delta, { force: true });
  await run("wimlib-imagex", ["capture", to.tree, delta, "delta", `--delta-from=${older.wimPath}`, "--compress=LZX:20", ...(to.wim === undefined ? ["--no-acls"] : ["--unix-data"]), "--norpfix"], quiet);
  return (await stat(delta)).size;
}

/** The new index, and the chunks (64 KiB on average, as it packs them) the old store lacks. */
async function casync(work: string, from: string, to: string): Promise<number> {
  const stores = [join(work, "old.castr"), join(work, "new.castr")] as const;
  for (const [i, tree] of [from, to].entries()) await run("casync", ["make", "--without=all", `--store=${stores[i] ?? ""}`, join(work, `${i}.caidx`), tree], quiet);
  const old = new Set((await readdir(stores[0], { recursive: true })).filter((name) => name.endsWith(".cacnk")));
  let bytes = (await stat(join(work, "1.caidx"))).size;
  for (const name of await readdir(stores[1], { recursive: true })) if (name.endsWith(".cacnk") && !old.has(name)) bytes += (await stat(join(stores[1], name))).size;
  for (const store of stores) await rm(store, { recursive: true });
  return bytes;
}

/** A patch of the one tree, in one file, against the other. */
async function xdelta3(work: string, [old, new_]: readonly [string, string]): Promise<number> {
  const patch = join(work, "patch.xd3");
  await run("xdelta3", ["-e", "-f", "-9", "-B", String(512 * 2 ** 20), "-s", old, new_, patch]);
  return (await stat(patch)).size;
}

/** What zsync's own client says it fetched from a real nginx, and the list of blocks it fetched first. `packed`: the new file lies there as .gz, and zsync looks inside. */
async function zsync(work: string, [old, new_]: readonly [string, string], packed: boolean): Promise<number> {
  const served = join(work, "served");
  await mkdir(served);
  const nginx = await startNginx(served);
  try {
    const name = basename(new_);
    if (!packed) await copyFile(new_, join(served, name));
    await run("zsyncmake", [...(packed ? ["-z"] : []), "-u", `${nginx.plain}/${name}${packed ? ".gz" : ""}`, "-o", join(served, "list.zsync"), packed ? new_ : join(served, name)], { ...quiet, cwd: served });
    if (packed) await rename(`${new_}.gz`, join(served, `${name}.gz`)); // it lands beside its source
    const { stdout, stderr } = await run("zsync", ["-i", old, "-o", join(work, "zsynced"), `${nginx.plain}/list.zsync`], { ...quiet, cwd: work, env: withoutProxies() });
    const fetched = /fetched (\d+)/.exec(stdout + stderr)?.[1];
    if (fetched === undefined) throw new Error(`Expected zsync to say what it fetched; found ${(stdout + stderr).slice(-500)}`);
    return Number(fetched) + (await stat(join(served, "list.zsync"))).size;
  } finally {
    await nginx.stop();
    for (const path of [served, join(work, "zsynced"), join(work, "zsynced.zs-old")]) await rm(path, { recursive: true, force: true });
  }
}
