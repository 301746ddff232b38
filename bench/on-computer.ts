// `npm run bench -- on-computer`: how long a top-up keeps a computer busy, and how much memory it takes there, beside what other tools need to put the same tree together.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ContentLibrary, fetchVersion, importFolder, importImage, isUnlike, LocalCache, makePatches, makePieces } from "@prestage/content";
import type { OfferedPatches, StoredVersion } from "@prestage/content";
import { distributionPointSource } from "../packages/cli/src/distribution-point-source.ts";
import type { FetchOnce } from "./fetch-once.ts";
import { startNginx } from "./nginx.ts";
import { firmware, packaged, published, systems } from "./pairs.ts";
import type { Pair, Version } from "./pairs.ts";
import { peersHere, withoutProxies } from "./peers.ts";

const run = promisify(execFile);
const quiet = { maxBuffer: 2 ** 28 };
/** Seconds, and the most memory the process held at once, in MiB. */
interface Cost { seconds: number; memory: number }

export async function benchOnComputer(cache: string, options: { level: number; only: string | undefined; say: (text: string) => void }): Promise<void> {
  const { say } = options;
  const present = await peersHere();
  const work = await mkdtemp(join(cache, "on-computer-"));
  say(`Seconds / MiB of memory to make the newer tree out of the older (an OS image: and to apply it); nginx on the same machine. Patches at level ${options.level}. Peers here: ${[...present].join(", ")}\n`);
  say(["PAIR".padEnd(44), "PIECES", "PATCHES", "WHOLE", "WIMLIB", "CASYNC", "ZSYNC", "XDELTA3"].map((head, i) => (i === 0 ? head : head.padStart(12))).join(" "));
  try {
    for (const { name, get } of [...published, ...packaged, ...firmware, ...systems]) {
      if (options.only !== undefined && !name.includes(options.only)) continue;
      const costs = await measure(work, await get(cache, say), options.level, present);
      say([name.slice(0, 44).padEnd(44), ...costs.map((cost) => (cost === undefined ? "-" : `${cost.seconds.toFixed(1)} / ${cost.memory.toFixed(0)}`).padStart(12))].join(" "));
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function measure(work: string, pair: Pair, level: number, present: ReadonlySet<string>): Promise<(Cost | undefined)[]> {
  const library = new ContentLibrary(join(work, "library"));
  const add = async ({ tree, wim }: Version) => (wim === undefined ? await importFolder(library, tree) : await importImage(library, wim, [1]));
  const [older, newer] = [await add(pair.from), await add(pair.to)];
  const pack = await makePieces(library, newer.contentId);
  const patches = await makePatches(library, older.contentId, newer.contentId, { level });
  const nginx = await startNginx(library.root);
  try {
    const ours = async (offered: readonly (OfferedPatches | undefined)[]) => fetchOnce(work, nginx.plain, older, newer, offered.filter((one) => one !== undefined && one.bytes > 0) as OfferedPatches[]);
    const costs = [await ours([pack]), await ours([patches]), await ours([])];
    // Nothing older: what a first download takes.
    costs[2] = await fetchOnce(work, nginx.plain, undefined, newer, []);
    return [...costs, await wimlib(work, older, pair.to), ...(await ofTars(work, pair, nginx.plain, library.root, present))];
  } finally {
    await nginx.stop();
    await rm(library.root, { recursive: true });
  }
}

/** The agent's own way into a cache that holds the older version: found, fetched, put together, verified, made durable. */
async function fetchOnce(work: string, url: string, older: StoredVersion | undefined, newer: StoredVersion, patches: OfferedPatches[]): Promise<Cost> {
  const cache = join(work, "cache");
  await mkdir(cache);
  if (older !== undefined) {
    const source = distributionPointSource(url, { query: async () => undefined });
    await fetchVersion(new LocalCache(cache), [source], { ...older, earlierContentIds: [] });
    await source.close();
  }
  const { contentId, storageSha256, storedBytes } = newer;
  const unlikeContentIds = older !== undefined && (await isUnlike(newer, older, patches.some((offer) => offer.from === contentId))) ? [older.contentId] : [];
  const applied = newer.index.shape === "image" ? join(work, "applied") : undefined;
  const once: FetchOnce = { url, cache, ...(applied !== undefined && { apply: applied }), wanted: { contentId, storageSha256, storedBytes, earlierContentIds: older === undefined ? [] : [older.contentId], unlikeContentIds, patches } };
  try {
    return await timed(work, process.execPath, [fileURLToPath(new URL("fetch-once.ts", import.meta.url)), JSON.stringify(once)]);
  } finally {
    for (const path of [cache, ...(applied === undefined ? [] : [applied])]) await rm(path, { recursive: true, force: true });
  }
}

async function wimlib(work: string, older: StoredVersion, { tree, wim }: Version): Promise<Cost> {
  const [delta, target] = [join(work, "delta.wim"), join(work, "applied")];
  await run("wimlib-imagex", ["capture", tree, delta, "delta", `--delta-from=${older.wimPath}`, "--compress=LZX:20", wim === undefined ? "--no-acls" : "--unix-data", "--norpfix"], quiet);
  try {
    return await timed(work, "wimlib-imagex", ["apply", delta, "1", target, `--ref=${older.wimPath}`, ...(wim === undefined ? [] : ["--unix-data", "--norpfix"])]);
  } finally {
    for (const path of [delta, target]) await rm(path, { recursive: true, force: true });
  }
}

/** casync from a store of its own on the disk, zsync from nginx, xdelta3 from its patch: of zsync and xdelta3 one tar of the tree, not unpacked. */
async function ofTars(work: string, { from, to }: Pair, url: string, served: string, present: ReadonlySet<string>): Promise<(Cost | undefined)[]> {
  const [old, next, made] = ["old.tar", "new.tar", "made.tar"].map((name) => join(work, name)) as [string, string, string];
  for (const [tree, tar] of [[from.tree, old], [to.tree, next]] as const) await run("tar", ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-cf", tar, "-C", tree, "."]);
  const costs: (Cost | undefined)[] = [undefined, undefined, undefined];
  if (present.has("casync")) {
    const [store, index, target] = [join(work, "store.castr"), join(work, "new.caidx"), join(work, "extracted")];
    await run("casync", ["make", "--without=all", `--store=${store}`, index, to.tree], quiet);
    await mkdir(target);
    costs[0] = await timed(work, "casync", ["extract", "--without=all", `--store=${store}`, `--seed=${from.tree}`, index, target]);
    for (const path of [store, index, target]) await rm(path, { recursive: true, force: true });
  }
  if (present.has("zsync")) {
    await run("zsyncmake", ["-z", "-u", `${url}/${basename(next)}.gz`, "-o", join(served, "list.zsync"), next], { ...quiet, cwd: work });
    await rename(`${next}.gz`, join(served, `${basename(next)}.gz`));
    costs[1] = await timed(work, "zsync", ["-q", "-i", old, "-o", made, `${url}/list.zsync`]);
    for (const path of [made, `${made}.zs-old`]) await rm(path, { force: true });
  }
  if (present.has("xdelta3")) {
    const patch = join(work, "patch.xd3");
    await run("xdelta3", ["-e", "-f", "-9", "-B", String(512 * 2 ** 20), "-s", old, next, patch]);
    costs[2] = await timed(work, "xdelta3", ["-d", "-f", "-B", String(512 * 2 ** 20), "-s", old, patch, made]);
    await rm(patch);
  }
  for (const path of [old, next, made]) await rm(path, { force: true });
  return costs;
}

/** Debian's `time` says what a program took, its children too; what it wrote is on the disk before the clock stops. */
async function timed(work: string, program: string, args: readonly string[]): Promise<Cost> {
  const note = join(work, "time");
  await run("/usr/bin/time", ["-o", note, "-f", "%e %M", "sh", "-c", '"$@" && sync -f .', "sh", program, ...args], { ...quiet, cwd: work, env: { ...withoutProxies(), NODE_NO_WARNINGS: "1" } });
  const [seconds = 0, kibibytes = 0] = (await readFile(note, "utf8")).trim().split(" ").map(Number);
  return { seconds, memory: kibibytes / 1024 };
}
