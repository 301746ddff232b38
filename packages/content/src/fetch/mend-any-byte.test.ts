import assert from "node:assert/strict";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { before, test } from "node:test";
import fc from "fast-check";
import { LocalCache } from "../cache/local-cache.ts";
import { longestChunk } from "../description/chunking.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder, importImage } from "../import/import-content.ts";
import { runWimlib } from "../import/wimlib.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { makePatches } from "../patches/make-patches.ts";
import { fetchVersion } from "./fetch-version.ts";
import type { PlannedVersion } from "./fetch-version.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const cache = new LocalCache(join(folder, "cache"));
let versions: StoredVersion[] = [];

async function use({ contentId, storageSha256, storedBytes }: StoredVersion): Promise<{ planned: PlannedVersion[]; bytes: number; fromWim: number; requests: number }> {
  point.ranges.length = 0;
  const planned: PlannedVersion[] = [];
  const { bytes } = await fetchVersion(cache, [httpSource(point.url)], { contentId, storageSha256, storedBytes, earlierContentIds: [] }, { rounds: 1, onPlanned: (one) => void planned.push(one) });
  const wim = point.ranges.filter(({ file }) => file === "content.wim");
  return { planned, bytes, fromWim: wim.reduce((sum, { sent }) => sum + sent, 0), requests: wim.length };
}

before(async () => {
  const application = await importFolder(library, await writeTree(join(folder, "application"), { "big.bin": halfNoise(2_000_000), "raw.bin": noise(700_000, 9), "lib/deep/text.txt": "text of a library\n".repeat(40_000), "small.txt": "small", "middle.bin": noise(200_000, 3) }));
  await writeTree(join(folder, "os"), { "bin/tool": noise(3_000_000, 4), "etc/hostname": "image" });
  await runWimlib(["capture", join(folder, "os"), join(folder, "os.wim"), "os", "--compress=LZX:20", "--check"]);
  versions = [application, await importImage(library, join(folder, "os.wim"), [1])];
  for (const version of versions) await use(version);
});

test("any byte of any cached file altered: the next use says which part of which file is damaged, fetches one chunk and mends it", async () => {
  const places: { version: StoredVersion; path: string; size: number }[] = [];
  for (const version of versions) {
    const root = cache.folderOf(version.contentId);
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) places.push({ version, path, size: (await stat(path)).size });
    }
  }
  assert.equal(places.length, 10, places.map(({ path }) => path).join("\n"));
  const seen = new Set<string>();
  // Each file at its first and last byte and in between, then at random.
  const chosen = places.flatMap((place) => [0, place.size - 1, place.size >> 1].map((offset) => ({ place, offset })));
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.constantFrom(...chosen), fc.constantFrom(...places).chain((place) => fc.nat(place.size - 1).map((offset) => ({ place, offset })))), fc.integer({ min: 1, max: 255 }), async ({ place: { version, path, size }, offset }, mask) => {
      const right = await readFile(path);
      const file = await open(path, "r+");
      await file.write(Buffer.of((right[offset] ?? 0) ^ mask), 0, 1, offset);
      await file.close();
      const name = relative(cache.folderOf(version.contentId), path);
      seen.add(name);
      const { planned, bytes, fromWim, requests } = await use(version);
      assert.ok(right.equals(await readFile(path)), name);
      if (!name.startsWith("files/")) {
        assert.equal(fromWim, 0, `${name}: no content is fetched for a description`);
        return;
      }
      const [way, ...others] = planned[0]?.plan.ways ?? [];
      assert.deepEqual([others.length, way?.paths, requests, planned[0]?.answer.files.filter((one) => one.state !== "hit").map((one) => one.file.path)], [0, [name.slice(6)], 1, [name.slice(6)]]);
      if (size <= 256 * 1024) {
        assert.ok(fromWim <= size + 4096, `${name} whole: ${fromWim}`);
        return;
      }
      const [range, ...more] = way?.damaged ?? [];
      assert.ok(range !== undefined && more.length === 0 && range.offset <= offset && offset < range.offset + range.length && range.length <= longestChunk, `${name} at ${offset}: ${JSON.stringify(way)}`);
      // One chunk, and what of the two stored chunks of 32 KiB at its ends lies outside of it.
      assert.ok(fromWim <= range.length + 2 * 32_768, `${name}: ${fromWim} for ${range.length}`);
      assert.ok(bytes < fromWim + 20_000, `${name}: ${bytes - fromWim} bytes of description`);
    }),
    { numRuns: 60, examples: chosen.map((one) => [one, 1]) },
  );
  assert.equal(seen.size, places.length - 2, "index and chunk list have the same names in both versions");
});

test("a byte of a file that came by a patch, which is offered still, costs one chunk all the same", async () => {
  const [older] = versions as [StoredVersion];
  const revised = halfNoise(2_000_000);
  revised.write("revised", 1_000_000);
  const newer = await importFolder(library, await writeTree(join(folder, "revised"), { "big.bin": revised, "raw.bin": noise(700_000, 9) }));
  const offered = await makePatches(library, older.contentId, newer.contentId, { level: 3 });
  const wanted = { contentId: newer.contentId, storageSha256: newer.storageSha256, storedBytes: newer.storedBytes, earlierContentIds: [older.contentId], patches: [offered] };
  const fetch = async () => {
    point.ranges.length = 0;
    const planned: PlannedVersion[] = [];
    await fetchVersion(cache, [httpSource(point.url)], wanted, { rounds: 1, onPlanned: (one) => void planned.push(one) });
    return planned[0]?.plan.ways ?? [];
  };
  assert.deepEqual((await fetch()).map(({ way, paths }) => [way, paths]), [["patch", ["big.bin"]]]);
  for (const offset of [0, 999_999, 1_000_003, 1_999_999]) {
    const file = await open(cache.filePath(newer.contentId, "big.bin"), "r+");
    await file.write(Buffer.of((revised[offset] ?? 0) ^ 1), 0, 1, offset);
    await file.close();
    const [way, ...others] = await fetch();
    const [range] = way?.damaged ?? [];
    assert.deepEqual([others.length, way?.way], [0, "chunks"], `${offset}`);
    assert.ok(range !== undefined && range.offset <= offset && offset < range.offset + range.length && range.length <= longestChunk);
    assert.deepEqual([...new Set(point.ranges.map((one) => one.file))].filter((name) => name.startsWith("patch-")), []);
    assert.ok(point.ranges.filter(({ file: name }) => name === "content.wim").reduce((sum, { sent }) => sum + sent, 0) <= range.length + 2 * 32_768);
    assert.ok(revised.equals(await readFile(cache.filePath(newer.contentId, "big.bin"))));
  }
});
