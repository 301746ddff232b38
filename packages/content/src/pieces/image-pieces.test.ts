import assert from "node:assert/strict";
import { mkdir, readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { LocalCache } from "../cache/local-cache.ts";
import type { OfferedPatches } from "../description/schema.ts";
import type { FetchOptions } from "../fetch/content-source.ts";
import { fetchVersion } from "../fetch/fetch-version.ts";
import { planOnPaper } from "../fetch/plan-on-paper.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { fetchImageDelta } from "../image-delta/fetch-image-delta.ts";
import type { ImageDelta, ImageDeltaOptions } from "../image-delta/fetch-image-delta.ts";
import { importImage } from "../import/import-content.ts";
import { runWimlib } from "../import/wimlib.ts";
import { patchFileNames } from "../patches/patch-index.ts";
import { makePieces } from "./make-pieces.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const quick: FetchOptions = { rounds: 1, waitSeconds: () => 0 };
let older: StoredVersion;
let newer: StoredVersion;
let offered: OfferedPatches;

/** Two states of a small system whose largest file has a small edit every 12 kB. */
function system(state: "old" | "new"): Record<string, string | Buffer> {
  const large = halfNoise(800_000, 3);
  const parts: Buffer[] = [];
  for (let at = 0; at < large.length; at += 12_000) parts.push(large.subarray(at, at + 12_000), Buffer.from(state === "new" ? `edit ${at}` : ""));
  return { "usr/lib/large.so": Buffer.concat(parts), "usr/bin/kept": noise(900_000, 1), "etc/release": state };
}

before(async () => {
  const images: StoredVersion[] = [];
  for (const state of ["old", "new"] as const) {
    await mkdir(join(folder, state));
    await writeTree(join(folder, state), system(state));
    await runWimlib(["capture", join(folder, state), join(folder, `${state}.wim`), "os", "--compress=LZX:20", "--check", "--unix-data", "--norpfix"]);
    images.push(await importImage(library, join(folder, `${state}.wim`), [1]));
  }
  [older, newer] = images as [StoredVersion, StoredVersion];
  const made = await makePieces(library, newer.contentId);
  assert.ok(made !== undefined);
  offered = made;
});

let caches = 0;
async function cacheWithOld(): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [httpSource(point.url)], { ...older, earlierContentIds: [] }, quick);
  point.ranges.length = 0;
  return cache;
}
const delta = (cache: LocalCache, patches: OfferedPatches[] = [offered], options: ImageDeltaOptions = {}) =>
  fetchImageDelta(cache, [httpSource(point.url)], { ...newer, earlierContentIds: [older.contentId], patches }, 1, { ...quick, ...options });
async function assertApplies(made: ImageDelta | undefined): Promise<void> {
  assert.ok(made !== undefined);
  const applied = join(folder, `applied-${caches}`);
  await runWimlib(["apply", made.wim, String(made.image), applied, "--unix-data", "--norpfix", ...made.references.map((path) => `--ref=${path}`)]);
  for (const path of ["usr/lib/large.so", "usr/bin/kept", "etc/release"]) assert.ok((await readFile(join(applied, path))).equals(await readFile(join(folder, "new", path))), path);
}

test("a changed file inside an OS image comes by pieces: less than by stored chunks, and what paper says", async () => {
  const byChunks = await delta(await cacheWithOld(), []);
  await assertApplies(byChunks);
  const made = await delta(await cacheWithOld());
  await assertApplies(made);
  const sent = point.ranges.reduce((sum, range) => sum + range.sent, 0);
  assert.equal(made?.bytes, sent);
  assert.ok(sent < (byChunks?.bytes ?? 0) * 0.6, `${sent} by pieces, ${byChunks?.bytes} by chunks`);
  const paper = await planOnPaper(library, newer.contentId, [older.contentId], [offered]);
  assert.ok(Math.abs(paper.bytes + paper.described - sent) < 100, `${paper.bytes + paper.described} on paper, ${sent} sent`);
});

test("a pack that lies, and one that is cut off, end in the same image; what was made before a power cut is not fetched again", async () => {
  const { data } = patchFileNames(newer.contentId);
  for (const lie of [(bytes: Buffer) => ({ send: noise(bytes.length, 8) }), (bytes: Buffer) => ({ cutAfter: bytes.length >> 1 })]) {
    const cache = await cacheWithOld();
    point.misbehave = (file, bytes) => (file === data ? lie(bytes) : undefined);
    const made = await delta(cache);
    point.misbehave = () => undefined;
    await assertApplies(made);
  }
  const cache = await cacheWithOld();
  const stop = new AbortController();
  await assert.rejects(delta(cache, [offered], { signal: stop.signal, onProgress: ({ done, total }) => void (done > total / 2 && stop.abort(new Error("power"))) }), /power/);
  assert.ok((await readdir(join(cache.folderOf(newer.contentId), "incoming"))).length > 0);
  point.ranges.length = 0;
  await assertApplies(await delta(cache));
});
