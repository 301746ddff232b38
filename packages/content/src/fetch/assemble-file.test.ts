import assert from "node:assert/strict";
import { link, open, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import fc from "fast-check";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { fetchPlanned } from "./fetch-content.ts";
import { completeDescription, fetchDescription } from "./fetch-description.ts";
import { planFetch } from "./fetch-plan.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder, importImage } from "../import/import-content.ts";
import { LocalCache } from "../cache/local-cache.ts";
import { runWimlib } from "../import/wimlib.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const source = httpSource(point.url);
const large = halfNoise(2_000_000);
const files = { "large.bin": large, "raw.bin": noise(1_000_000, 9), "copy/of.bin": large, "small.txt": "small" };
let version: StoredVersion;
let newer: StoredVersion;
let image: StoredVersion;

before(async () => {
  version = await importFolder(library, await writeTree(join(folder, "source"), files));
  const changed = Buffer.concat([large.subarray(0, 700_000), Buffer.from("an insertion moves all that follows"), large.subarray(700_000)]);
  newer = await importFolder(library, await writeTree(join(folder, "newer"), { ...files, "large.bin": changed, "copy/of.bin": changed, "raw.bin": noise(1_000_000, 12) }));
  await writeTree(join(folder, "os"), { "bin/tool": noise(5_000_000, 4) });
  await runWimlib(["capture", join(folder, "os"), join(folder, "os.wim"), "os", "--compress=LZX:20", "--check"]);
  image = await importImage(library, join(folder, "os.wim"), [1]);
});

let caches = 0;
const newCache = () => new LocalCache(join(folder, `cache-${caches++}`));
const quick: FetchOptions = { rounds: 2, waitSeconds: () => 0 };

/** Fetches what the cache lacks of a version, as the agent does; returns the bytes and requests of content.wim. */
async function fill(cache: LocalCache, of: StoredVersion, { sources = [source], earlier = [], ...options }: FetchOptions & { sources?: ContentSource[]; earlier?: string[] } = {}): Promise<{ bytes: number; requests: number }> {
  point.ranges.length = 0;
  const held = await cache.readIndex(of.contentId);
  let description;
  if (held === undefined) {
    const fetched = await fetchDescription([source], of.contentId, of.storageSha256, quick);
    await cache.keepDescription(of.contentId, fetched.indexBytes, fetched.chunks);
    description = fetched;
  } else description = await completeDescription([source], of.contentId, of.storageSha256, { index: held, chunks: await cache.readChunks(of.contentId, held) }, quick);
  const answer = await cache.ask(of.contentId, description.index, earlier);
  await cache.adopt(of.contentId, answer);
  const plan = await planFetch(cache, of.contentId, answer, description, { earlierContentIds: earlier });
  const { bytes } = await fetchPlanned(cache, sources, of.contentId, plan, { ...quick, ...options });
  assert.equal((await cache.ask(of.contentId, description.index, [])).state, "hit");
  const requests = point.ranges.filter((range) => range.file === "content.wim").length;
  return { bytes, requests };
}

async function filled(of: StoredVersion): Promise<LocalCache> {
  const cache = newCache();
  await fill(cache, of);
  return cache;
}

async function damage(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "r+");
  await handle.write(bytes, 0, bytes.length, offset);
  await handle.close();
}

test("one damaged byte costs one range that holds its chunk, compressed or not, and no description that is on the disk", async () => {
  for (const [of, path, offset, most] of [[version, "raw.bin", 555_555, 200_000], [version, "large.bin", 1_999_999, 200_000], [image, "image.wim", 2_500_000, 131_072]] as const) {
    const cache = await filled(of);
    const file = cache.filePath(of.contentId, path);
    const [before] = await readFile(file).then((bytes) => bytes.subarray(offset, offset + 1));
    if (path === "large.bin") await rm(cache.filePath(of.contentId, "copy/of.bin")); // its twin has the same bytes
    await damage(file, offset, Buffer.of((before ?? 0) ^ 0x40));
    const { bytes, requests } = await fill(cache, of);
    assert.ok(bytes > 0 && bytes <= most, `${path}: ${bytes} bytes`);
    assert.equal(requests, 1, path);
    const descriptions = point.ranges.filter((range) => range.file !== "content.wim").map((range) => range.file);
    assert.deepEqual(descriptions, of === image ? [] : ["storage.json.zst"]);
  }
});

test("whatever was done to a file, it is put right, and never costs more than the file", async () => {
  const cache = await filled(image);
  const path = cache.filePath(image.contentId, "image.wim");
  const whole = await readFile(path);
  const change = fc.oneof(
    fc.record({ what: fc.constant("write" as const), at: fc.nat(whole.length - 1), length: fc.integer({ min: 1, max: 400_000 }) }),
    fc.record({ what: fc.constant("truncate" as const), at: fc.nat(whole.length + 100_000), length: fc.constant(0) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(), async (changes, seed) => {
      for (const { what, at, length } of changes) {
        if (what === "truncate") await truncate(path, at);
        else await damage(path, at, noise(length, seed));
      }
      const { bytes } = await fill(cache, image);
      assert.ok(bytes <= image.storedBytes);
      assert.ok((await readFile(path)).equals(whole));
    }),
    { numRuns: 20 },
  );
});

test("a chunk list that is damaged itself is fetched, and the rest is still mended by chunks", async () => {
  const cache = await filled(version);
  await damage(join(cache.folderOf(version.contentId), "chunks.bin"), 100, Buffer.from("no list"));
  await damage(cache.filePath(version.contentId, "raw.bin"), 10, Buffer.from("no data"));
  assert.ok((await fill(cache, version)).bytes < 200_000);
});

test("a new version takes the chunks the disk holds of an older one, even of a damaged one", async () => {
  const cache = await filled(version);
  await damage(cache.filePath(version.contentId, "large.bin"), 1_500_000, noise(10, 1));
  await rm(cache.filePath(version.contentId, "copy/of.bin"));
  const { bytes } = await fill(cache, newer, { earlier: [version.contentId] });
  // raw.bin is new altogether; of large.bin two or three chunks are.
  assert.ok(bytes > 1_000_000 && bytes < 1_500_000, `${bytes}`);
  const full = await fill(newCache(), newer);
  assert.ok(full.bytes > 2_000_000, `${full.bytes}`);
});

test("wrong bytes for a chunk: another distribution point is asked, and with none left it fails and keeps what is right", async () => {
  const liar = await TestDistributionPoint.start(library);
  liar.misbehave = (_file, bytes) => ({ send: Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte))) });
  const failed: string[] = [];
  for (const one of [version, image]) {
    const cache = await filled(one);
    const path = cache.filePath(one.contentId, one === image ? "image.wim" : "raw.bin");
    for (const offset of [100_000, 900_000]) await damage(path, offset, Buffer.from("damage"));
    await assert.rejects(fill(cache, one, { sources: [httpSource(liar.url)] }), { code: "PRESTAGE_CONTENT_FETCH_FAILED" });
    await fill(cache, one, { sources: [httpSource(liar.url), source], onSourceFailed: (event) => failed.push(event.source) });
  }
  assert.ok(failed.length >= 2 && failed.every((name) => name === liar.url), failed.join());
});

test("what a mending that was cut off has put right is not fetched again", async () => {
  const cache = await filled(image);
  const path = cache.filePath(image.contentId, "image.wim");
  for (let i = 0; i < 20; i++) await damage(path, i * 200_000 + 1000, Buffer.from("damage"));
  const whole = (await planned(cache)).bytes;
  const abort = new AbortController();
  await assert.rejects(fill(cache, image, { signal: abort.signal, onProgress: ({ done, total }) => void (done > total / 2 && abort.abort(new Error("power"))) }), /power/);
  const { bytes } = await fill(cache, image);
  assert.ok(bytes > 0 && bytes < whole * 0.6, `${bytes} of ${whole}`);
});

async function planned(cache: LocalCache): Promise<{ bytes: number }> {
  const index = (await cache.readIndex(image.contentId)) ?? assert.fail();
  const description = await completeDescription([source], image.contentId, image.storageSha256, { index, chunks: await cache.readChunks(image.contentId, index) });
  return planFetch(cache, image.contentId, await cache.ask(image.contentId, index, []), description);
}

test("a file with another name elsewhere is not mended in place: the other stays as it is", async () => {
  const cache = await filled(version);
  const path = cache.filePath(version.contentId, "raw.bin");
  await damage(path, 5000, Buffer.from("damage"));
  const outside = join(folder, "hard-link");
  await link(path, outside);
  const before = await readFile(outside);
  const { bytes } = await fill(cache, version);
  assert.ok(bytes > 900_000, "fetched whole");
  assert.ok((await readFile(outside)).equals(before));
  assert.ok((await readFile(path)).equals(noise(1_000_000, 9)));
});

test("a link in a file's place is neither followed nor written through", async () => {
  const cache = await filled(version);
  const path = cache.filePath(version.contentId, "raw.bin");
  const outside = join(folder, "outside");
  await writeFile(outside, noise(1_000_000, 33));
  await rm(path);
  await symlink(outside, path);
  await fill(cache, version);
  assert.ok((await readFile(outside)).equals(noise(1_000_000, 33)));
  assert.ok((await readFile(path)).equals(noise(1_000_000, 9)));
});
