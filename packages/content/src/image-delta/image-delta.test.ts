import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, link, lstat, mkdir, open, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import type { FetchOptions } from "../fetch/content-source.ts";
import { fetchVersion } from "../fetch/fetch-version.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { asImportedBefore } from "../fixtures/older-chunking.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importImage } from "../import/import-content.ts";
import { LocalCache } from "../cache/local-cache.ts";
import { makePatches } from "../patches/make-patches.ts";
import { patchFileNames } from "../patches/patch-index.ts";
import { planOnPaper } from "../fetch/plan-on-paper.ts";
import { runWimlib } from "../import/wimlib.ts";
import { fetchImageDelta } from "./fetch-image-delta.ts";
import type { ImageDeltaOptions } from "./fetch-image-delta.ts";

const run = promisify(execFile);
const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const source = httpSource(point.url);
const quick: FetchOptions = { rounds: 2, waitSeconds: () => 0 };
const large = halfNoise(2_000_000, 3);
let older: StoredVersion;
let newer: StoredVersion;

/** Two states of one small system: files changed, added, removed, renamed; modes, links and an empty file too. */
async function writeSystem(root: string, state: "old" | "new"): Promise<void> {
  const isNew = state === "new";
  const changed = Buffer.from(large);
  changed.fill(9, 500_000, 500_100);
  await writeTree(root, {
    "usr/bin/kept": noise(900_000, 1), "usr/bin/tool": noise(200_000, isNew ? 12 : 2), "usr/lib/large.so": isNew ? changed : large, "etc/empty": "",
    ...(isNew ? { "usr/bin/added": noise(40_000, 5), "usr/share/renamed": noise(300_000, 4) } : { "usr/share/first-name": noise(300_000, 4), "usr/bin/gone": "gone" }),
  });
  for (let i = 0; i < 200; i++) await writeTree(root, { [`usr/share/doc/${i}`]: `document ${i % 20 === 0 && isNew ? "revised" : "first"} ${i}\n`.repeat(40) });
  await symlink(isNew ? "added" : "tool", join(root, "usr/bin/link"));
  await link(join(root, "usr/bin/kept"), join(root, "usr/bin/kept-too"));
  await chmod(join(root, "usr/bin/kept"), isNew ? 0o4755 : 0o755);
}

before(async () => {
  const images: StoredVersion[] = [];
  for (const state of ["old", "new"] as const) {
    await mkdir(join(folder, state));
    await writeSystem(join(folder, state), state);
    for (const path of ["etc/empty", "usr/bin/tool"]) await utimes(join(folder, state, path), 1e9, state === "new" ? 1.1e9 : 1e9);
    await runWimlib(["capture", join(folder, state), join(folder, `${state}.wim`), "os", "--compress=LZX:20", "--check", "--unix-data", "--norpfix"]);
    images.push(await importImage(library, join(folder, `${state}.wim`), [1]));
  }
  [older, newer] = images as [StoredVersion, StoredVersion];
});

let caches = 0;
async function cacheWithOld(): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [source], { ...older, earlierContentIds: [] }, quick);
  point.ranges.length = 0;
  return cache;
}
const served = () => point.ranges.reduce((sum, range) => sum + range.sent, 0);
const delta = (cache: LocalCache, options: ImageDeltaOptions = {}, sources = [source]) => fetchImageDelta(cache, sources, { ...newer, earlierContentIds: [older.contentId] }, 1, { ...quick, ...options });

/** Every path with what wimlib set on it. */
async function listing(root: string): Promise<string> {
  const { stdout } = await run("sh", ["-c", `cd "$1" && find . -printf '%P %y %m %U:%G %T@ %l %n\\n' | sort && find . -type f -exec sha256sum {} + | sort`, "sh", root], { maxBuffer: 1 << 26 });
  return stdout;
}
async function assertApplies(made: Awaited<ReturnType<typeof delta>>): Promise<void> {
  assert.ok(made !== undefined);
  const [ours, theirs] = [join(folder, `applied-${caches}`), join(folder, `whole-${caches}`)];
  await runWimlib(["apply", made.wim, String(made.image), ours, "--unix-data", "--norpfix", ...made.references.map((path) => `--ref=${path}`)]);
  await runWimlib(["apply", join(folder, "new.wim"), "1", theirs, "--unix-data", "--norpfix"]);
  assert.equal(await listing(ours), await listing(theirs));
  for (const path of [ours, theirs]) await rm(path, { recursive: true });
}

test("a revised image is what differs from the one on the disk; applied with it, it is the whole image to the last attribute", async () => {
  const cache = await cacheWithOld();
  let planned = { bytes: 0, described: 0, files: 0, base: "" };
  const made = await delta(cache, { onPlanned: (event) => void (planned = event) });
  await assertApplies(made);
  assert.equal(planned.base, older.contentId);
  assert.equal(made?.bytes, served());
  assert.equal(served(), planned.bytes + planned.described);
  // The tool and the added file are new to the last byte; of the large file 100 bytes are, and cost the chunks they lie in.
  assert.ok(planned.bytes > 240_000 && planned.bytes < 330_000, `${planned.bytes}`);
  assert.ok(served() < newer.storedBytes * 0.3, `${served()} of ${newer.storedBytes}`);
  const paper = await planOnPaper(library, newer.contentId, [older.contentId]);
  assert.deepEqual([paper.ways.map(({ way, bytes }) => [way, bytes]), paper.described], [[["delta", planned.bytes]], planned.described], "the plan on paper is the same");
});

test("with patches only what they cannot make is fetched; where one is of no use its file is fetched after all", async () => {
  const offer = await makePatches(library, older.contentId, newer.contentId, { level: 9 });
  const withPatches = async (sources = [source]) => {
    let planned = { bytes: 0, described: 0 };
    const made = await fetchImageDelta(await cacheWithOld(), sources, { ...newer, earlierContentIds: [older.contentId], patches: [offer] }, 1, { ...quick, onPlanned: (event) => void (planned = event) });
    await assertApplies(made);
    return { planned, made };
  };
  const { planned, made } = await withPatches();
  assert.equal(made?.references.length, 2);
  assert.deepEqual([made.bytes, served()], [planned.bytes + planned.described, planned.bytes + planned.described]);
  assert.ok(planned.bytes < 260_000, `the tool and the added file whole, the library by patch: ${planned.bytes}`);
  const paper = await planOnPaper(library, newer.contentId, [older.contentId], [offer]);
  assert.deepEqual([paper.bytes, paper.described], [planned.bytes, planned.described]);
  const liar = await TestDistributionPoint.start(library);
  liar.misbehave = (file, bytes) => (/^patch-.*bin$/.test(file) ? { send: Buffer.from(bytes.map((byte) => byte ^ 1)) } : undefined);
  assert.equal((await withPatches([httpSource(liar.url)])).made?.references.length, 1);
});

test("without the chunk lists of the older image its files are cut anew: the same is fetched", async () => {
  const bytes = async (cache: LocalCache) => (await delta(cache))?.bytes;
  const all = await bytes(await cacheWithOld());
  const cache = await cacheWithOld();
  await rm(join(cache.folderOf(older.contentId), "chunks.bin"));
  assert.equal(await bytes(cache), all);
});

test("an older image cut otherwise serves as well: its files of the same path are cut anew; the plan on paper says so", async () => {
  const before_ = await asImportedBefore(library, older);
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [source], { ...before_, earlierContentIds: [] }, quick);
  point.ranges.length = 0;
  const made = await fetchImageDelta(cache, [source], { ...newer, earlierContentIds: [before_.contentId] }, 1, quick);
  await assertApplies(made);
  assert.ok(served() < newer.storedBytes * 0.3, `${served()} of ${newer.storedBytes}`);
  const paper = await planOnPaper(library, newer.contentId, [before_.contentId]);
  assert.equal(paper.bytes + paper.described, made?.bytes);
});

test("a table of stored chunks that comes altered is found out: its file is fetched whole", async () => {
  const liar = await TestDistributionPoint.start(library);
  const tableBytes = (Math.ceil(large.length / 32_768) - 1) * 4;
  liar.misbehave = (file, bytes) => (file === "content.wim" && bytes.length === tableBytes ? { send: Buffer.from(bytes.map((byte, i) => (i % 4 === 0 ? byte ^ 1 : byte))) } : undefined);
  const cache = await cacheWithOld();
  const made = await delta(cache, {}, [httpSource(liar.url)]);
  assert.deepEqual([made?.references.length, (made?.bytes ?? 0) > 1_000_000], [1, true]);
  await assertApplies(made);
});

test("patches dropped by the site after the policy named them: their files are fetched from the image", async () => {
  const offer = await makePatches(library, older.contentId, newer.contentId, { level: 1 });
  await rm(join(newer.folder, patchFileNames(older.contentId).data));
  const made = await fetchImageDelta(await cacheWithOld(), [source], { ...newer, earlierContentIds: [older.contentId], patches: [offer] }, 1, quick);
  assert.equal(made?.references.length, 1, "the large file is fetched whole");
  await assertApplies(made);
});

test("what a power cut left of the making is removed when the delta is found whole, and when another way is taken", async () => {
  const cache = await cacheWithOld();
  const sparse = `${cache.partialPath(newer.contentId, newer.index.files[0]?.sha256 ?? "")}.sparse`;
  const leave = async () => {
    await mkdir(`${sparse}-patched`, { recursive: true });
    await writeFile(sparse, "begun");
  };
  const left = async () => [await lstat(sparse).catch(() => undefined), await lstat(`${sparse}-patched`).catch(() => undefined)];
  assert.ok((await delta(cache)) !== undefined);
  await leave();
  assert.equal((await delta(cache))?.bytes, 0);
  assert.deepEqual(await left(), [undefined, undefined]);
  await leave();
  await rm(cache.filePath(older.contentId, "image.wim"));
  assert.equal(await delta(cache), undefined);
  assert.deepEqual(await left(), [undefined, undefined]);
});

test("made once it is not fetched again; damaged, it is made anew", async () => {
  const cache = await cacheWithOld();
  const made = (await delta(cache)) ?? assert.fail();
  point.ranges.length = 0;
  assert.deepEqual(await delta(cache), { ...made, bytes: 0 });
  assert.deepEqual(point.ranges, []);
  const file = await open(made.wim, "r+");
  await file.write(Buffer.from("x"), 0, 1, 300_000);
  await file.close();
  await assertApplies(await delta(cache));
});

test("without a whole older image there is no delta: damaged, gone, or never there", async () => {
  const cache = await cacheWithOld();
  const path = cache.filePath(older.contentId, "image.wim");
  const bytes = await readFile(path);
  bytes[1_000_000] = (bytes[1_000_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  assert.equal(await delta(cache), undefined);
  await rm(path);
  assert.equal(await delta(cache), undefined);
  assert.equal(await fetchImageDelta(cache, [source], { ...newer, earlierContentIds: [] }, 1, quick), undefined);
});

test("wrong bytes, in the tables or in the data: another distribution point is asked, and with none left it fails", async () => {
  for (const [name, where] of [["tables", (start: number) => start < 300], ["data", (start: number, length: number) => start > 300 && length > 100_000]] as const) {
    const liar = await TestDistributionPoint.start(library);
    liar.misbehave = (file, bytes, start) => (file === "content.wim" && where(start, bytes.length) ? { send: Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte))) } : undefined);
    const failed: string[] = [];
    await assertApplies(await delta(await cacheWithOld(), { onSourceFailed: (event) => failed.push(event.source) }, [httpSource(liar.url), source]));
    assert.ok(failed.length > 0 && failed.every((url) => url === liar.url), `${name}: ${failed.join()}`);
    await assert.rejects(delta(await cacheWithOld(), {}, [httpSource(liar.url)]), { code: "PRESTAGE_CONTENT_FETCH_FAILED" }, name);
  }
});

/** Data and tables that are kept; the short tables of stored chunks are asked for again. */
const isData = ({ file, start, end }: { file: string; start: number; end: number }) => file === "content.wim" && end - start > 400;

test("cut off at any moment the next attempt ends well, and what was fetched is not fetched again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0.01, max: 0.99, noNaN: true }), async (when) => {
      const cache = await cacheWithOld();
      const abort = new AbortController();
      await assert.rejects(delta(cache, { signal: abort.signal, onProgress: ({ done, total }) => void (done >= total * when && abort.abort(new Error("power"))) }));
      const before = new Set(point.ranges.slice(0, -1).filter(isData).map(({ start, end }) => `${start} to ${end}`));
      point.ranges.length = 0;
      const made = await delta(cache);
      assert.ok(made !== undefined && served() <= newer.storedBytes * 0.3);
      assert.deepEqual(point.ranges.filter(isData).map(({ start, end }) => `${start} to ${end}`).filter((range) => before.has(range)), []);
    }),
    { numRuns: 6 },
  );
});

test("where hardly anything would be saved the image is fetched like any other file", async () => {
  const other = join(folder, "other");
  await writeTree(other, { "usr/bin/all-new": noise(2_000_000, 99), "etc/x": "" });
  await runWimlib(["capture", other, join(folder, "other.wim"), "os", "--compress=LZX:20", "--check", "--unix-data", "--norpfix"]);
  const version = await importImage(library, join(folder, "other.wim"), [1]);
  assert.equal(await fetchImageDelta(await cacheWithOld(), [source], { ...version, earlierContentIds: [older.contentId] }, 1, quick), undefined);
});
