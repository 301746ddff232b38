import assert from "node:assert/strict";
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { fetchPlanned } from "./fetch-content.ts";
import { fetchDescription } from "./fetch-description.ts";
import { planFetch } from "./fetch-plan.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder, importImage } from "../import/import-content.ts";
import { LocalCache } from "../cache/local-cache.ts";
import { runWimlib } from "../import/wimlib.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const good = await TestDistributionPoint.start(library);
const files = { "big.bin": halfNoise(1_500_000), "raw.bin": noise(400_000, 9), "small.txt": "small", "twin.txt": "small", "empty/none": "", "x.partial": "a file of this name" };
let version: StoredVersion;
let image: StoredVersion;

before(async () => {
  version = await importFolder(library, await writeTree(join(folder, "source"), files));
  await writeTree(join(folder, "os"), { "bin/tool": noise(3_000_000, 4) });
  await runWimlib(["capture", join(folder, "os"), join(folder, "os.wim"), "os", "--compress=LZX:20", "--check"]);
  image = await importImage(library, join(folder, "os.wim"), [1]);
});

let caches = 0;
const newCache = () => new LocalCache(join(folder, `cache-${caches++}`));

interface Events { failed: string[]; waited: number }
const quick = (events: Events = { failed: [], waited: 0 }): FetchOptions => ({
  rounds: 3, waitSeconds: () => 0, onSourceFailed: ({ source }) => void events.failed.push(source), onWaiting: () => void events.waited++,
});

async function fetchInto(cache: LocalCache, sources: readonly ContentSource[], options: FetchOptions, of = version): Promise<{ bytes: number }> {
  const description = await fetchDescription(sources, of.contentId, of.storageSha256, options);
  await cache.keepDescription(of.contentId, description.indexBytes, description.chunks);
  const answer = await cache.ask(of.contentId, description.index, []);
  await cache.adopt(of.contentId, answer);
  const result = await fetchPlanned(cache, sources, of.contentId, await planFetch(cache, of.contentId, answer, description), options);
  assert.equal((await cache.ask(of.contentId, description.index, [])).state, "hit");
  assert.deepEqual((await readdir(cache.folderOf(of.contentId))).sort(), ["chunks.bin", "files", "index.json"]);
  return result;
}

test("a version is fetched by ranges into files with the right bytes, equal files once", async () => {
  const cache = newCache();
  good.ranges.length = 0;
  let last = { done: 0, total: 0 };
  const { bytes } = await fetchInto(cache, [httpSource(good.url)], { ...quick(), onProgress: (event) => void (last = event) });
  for (const [path, expected] of Object.entries(files)) assert.deepEqual(await readFile(cache.filePath(version.contentId, path)), Buffer.from(expected), path);
  assert.deepEqual(last, { done: bytes, total: bytes });
  const wim = good.ranges.filter((range) => range.file === "content.wim");
  assert.equal(wim.reduce((sum, range) => sum + range.sent, 0), bytes);
  assert.ok(wim.length <= 2 && bytes <= version.storedBytes, `${wim.length} requests, ${bytes} bytes`);
  assert.equal((await stat(cache.filePath(version.contentId, "big.bin"))).mode & 0o777, 0o600);
});

test("only what is missing or damaged is fetched", async () => {
  const cache = newCache();
  await fetchInto(cache, [httpSource(good.url)], quick());
  await rm(cache.filePath(version.contentId, "small.txt"));
  await writeFile(cache.filePath(version.contentId, "small.txt"), "smalX");
  good.ranges.length = 0;
  // Its twin has the same bytes: nothing has to be fetched for it.
  assert.equal((await fetchInto(cache, [httpSource(good.url)], quick())).bytes, 0);
  await writeFile(cache.filePath(version.contentId, "raw.bin"), noise(400_000, 10));
  const { bytes } = await fetchInto(cache, [httpSource(good.url)], quick());
  assert.ok(bytes > 390_000 && bytes < 410_000, `${bytes}`);
});

test("a distribution point that cuts the connection is gone on with at the very byte", async () => {
  const point = await TestDistributionPoint.start(library);
  const cuts = [700_001, 100_003, 65_537];
  point.misbehave = (file, bytes) => (file === "content.wim" && cuts.length > 0 && bytes.length > 1_000_000 ? { cutAfter: cuts.shift() ?? 0 } : undefined);
  const events: Events = { failed: [], waited: 0 };
  const { bytes } = await fetchInto(newCache(), [httpSource(point.url)], quick(events), image);
  const wim = point.ranges.filter((range) => range.file === "content.wim");
  assert.deepEqual(wim.map((range) => range.start), [0, 700_001, 800_004, 865_541]);
  assert.equal(wim.reduce((sum, range) => sum + range.sent, 0), image.storedBytes);
  assert.equal(bytes, image.storedBytes);
  assert.deepEqual([events.failed.length, events.waited], [3, 0]);
});

test("the first distribution point dead: the second serves, and the failure is told", async () => {
  const dead = await TestDistributionPoint.start(library);
  const url = dead.url;
  dead.stop();
  const events: Events = { failed: [], waited: 0 };
  await fetchInto(newCache(), [httpSource(url), httpSource(good.url)], quick(events));
  assert.ok(events.failed.length > 0 && events.failed.every((name) => name === url));
  assert.equal(events.waited, 0);
});

test("wrong bytes are never kept: the next distribution point serves that file, and the wrong one is not asked again", async () => {
  const liar = await TestDistributionPoint.start(library);
  const flip = (bytes: Buffer) => Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte)));
  liar.misbehave = (_file, bytes) => ({ send: flip(bytes) });
  for (const one of [version, image]) {
    const events: Events = { failed: [], waited: 0 };
    await fetchInto(newCache(), [httpSource(liar.url), httpSource(good.url)], quick(events), one);
    assert.ok(events.failed.includes(liar.url) && !events.failed.includes(good.url));
    const cache = newCache();
    await assert.rejects(fetchInto(cache, [httpSource(liar.url)], quick(), one), { code: "PRESTAGE_CONTENT_FETCH_FAILED" });
    assert.deepEqual(await readdir(cache.root).catch(() => []), []);
  }
  liar.misbehave = (file, bytes) => (file === "content.wim" ? { send: flip(bytes) } : undefined);
  const cache = newCache();
  await assert.rejects(fetchInto(cache, [httpSource(liar.url)], quick(), image), { code: "PRESTAGE_CONTENT_FETCH_FAILED", message: /SHA-256/ });
  assert.deepEqual(await readdir(join(cache.folderOf(image.contentId), "files")), []);
});

test("a distribution point that sends more or fewer bytes than asked for is passed over", async () => {
  const odd = await TestDistributionPoint.start(library);
  for (const change of [(bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(10)]), () => Buffer.alloc(0), (bytes: Buffer) => bytes.subarray(0, 5)]) {
    odd.misbehave = (file, bytes) => (file === "content.wim" ? { send: change(bytes) } : undefined);
    await fetchInto(newCache(), [httpSource(odd.url), httpSource(good.url)], quick(), image);
  }
});

test("all down: every round is tried and told, then it fails", async () => {
  const urls = await Promise.all([1, 2].map(async () => {
    const point = await TestDistributionPoint.start(library);
    const { url } = point;
    point.stop();
    return url;
  }));
  const events: Events = { failed: [], waited: 0 };
  const waits: number[] = [];
  const options = { ...quick(events), waitSeconds: (round: number) => (waits.push(round), 0) };
  const answer = await new LocalCache(join(folder, "none")).ask(image.contentId, image.index, []);
  const cache = newCache();
  const plan = await planFetch(cache, image.contentId, answer, await fetchDescription([httpSource(good.url)], image.contentId, image.storageSha256));
  await assert.rejects(fetchPlanned(cache, urls.map(httpSource), image.contentId, plan, options), { code: "PRESTAGE_CONTENT_FETCH_FAILED", message: /2 distribution point\(s\); all failed 3 time\(s\)/ });
  assert.deepEqual([events.failed, events.waited, waits], [[...urls, ...urls, ...urls], 2, [1, 2]]);
  await assert.rejects(fetchDescription([], version.contentId, version.storageSha256), { code: "PRESTAGE_CONTENT_FETCH_FAILED", message: /none is known/ });
});

test("a distribution point that comes back in a later round serves", async () => {
  const point = await TestDistributionPoint.start(library);
  let refusals = 3; // the packed index is asked for once, and its failure not told
  point.misbehave = () => (refusals-- > 0 ? { cutAfter: 0 } : undefined);
  const events: Events = { failed: [], waited: 0 };
  await fetchInto(newCache(), [httpSource(point.url)], quick(events));
  assert.equal(events.waited, 2);
});

test("an abort ends the fetch at once and leaves no file under its name", async () => {
  const abort = new AbortController();
  const cache = newCache();
  await assert.rejects(fetchInto(cache, [httpSource(good.url)], { ...quick(), signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) }, image), /enough/);
  assert.deepEqual(await readdir(join(cache.folderOf(image.contentId), "files")), []);
});

/** A fetch cut off after `bytes`, as an earlier process would leave it: its partial file stays. */
async function cutOff(of: StoredVersion, bytes: number): Promise<{ cache: LocalCache; partial: string }> {
  const cache = newCache();
  const abort = new AbortController();
  const options = { ...quick(), signal: abort.signal, onProgress: ({ done }: { done: number }) => void (done > bytes && abort.abort(new Error("power"))) };
  await assert.rejects(fetchInto(cache, [httpSource(good.url)], options, of), /power/);
  const [partial = ""] = await readdir(join(cache.folderOf(of.contentId), "incoming"));
  return { cache, partial: join(cache.folderOf(of.contentId), "incoming", partial) };
}

test("a later process goes on with the partial file an earlier one left, compressed or not", async () => {
  for (const one of [image, version]) {
    const { cache, partial } = await cutOff(one, one.storedBytes * 0.45);
    const kept = (await stat(partial)).size;
    assert.ok(kept > 100_000);
    const { bytes } = await fetchInto(cache, [httpSource(good.url)], quick(), one);
    assert.ok(bytes < one.storedBytes - 100_000, `${bytes} of ${one.storedBytes} with ${kept} on the disk`);
  }
});

test("a damaged, short or overlong partial file costs the file once more, never a good distribution point", async () => {
  for (const damage of [
    (path: string) => writeFile(path, noise(300_000, 77)),
    (path: string) => truncate(path, 40_000),
    (path: string) => writeFile(path, noise(9_000_000, 3)),
    (path: string) => writeFile(path, ""),
  ]) {
    for (const one of [image, version]) {
      const { cache, partial } = await cutOff(one, one.storedBytes * 0.45);
      await damage(partial);
      const events: Events = { failed: [], waited: 0 };
      await fetchInto(cache, [httpSource(good.url)], quick(events), one);
      assert.deepEqual(events.failed, []);
    }
  }
});

test("right bytes with more behind them are cut to the file's length", async () => {
  const { cache, partial } = await cutOff(image, 0);
  await mkdir(join(partial, ".."), { recursive: true });
  await cp(image.wimPath, partial);
  await truncate(partial, image.storedBytes + 500_000);
  await fetchInto(cache, [httpSource(good.url)], quick(), image);
  assert.equal((await stat(cache.filePath(image.contentId, "image.wim"))).size, image.storedBytes);
});
