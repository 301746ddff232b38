import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import type { ContentSource, FetchOptions } from "./content-source.ts";
import { fetchIndex } from "./fetch-description.ts";
import { fetchVersion } from "./fetch-version.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { unpackIndex } from "../description/index-document.ts";
import { LocalCache } from "../cache/local-cache.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
let version: StoredVersion;
before(async () => {
  version = await importFolder(library, await writeTree(join(folder, "source"), { "large.bin": noise(400_000), "small.txt": "small" }));
});

/** A distribution point some of whose files are other bytes, without end where `endless`. */
function hostile(files: readonly string[], bytes: Buffer, endless = false): ContentSource & { sent: number } {
  const good = httpSource(point.url);
  const source = {
    name: "hostile", sent: 0,
    open: async (id: string, name: string, range: { start: number; end?: number }, signal: AbortSignal) => {
      if (!files.includes(name)) return good.open(id, name, range, signal);
      return (async function* () {
        do {
          source.sent += bytes.length;
          yield bytes;
        } while (endless);
      })();
    },
  };
  return source;
}
const quick = (failed: string[]): FetchOptions => ({ rounds: 1, waitSeconds: () => 0, onSourceFailed: ({ reason }) => void failed.push(reason) });

test("an index that unpacks to hundreds of megabytes is found out while it is unpacked, and costs no memory", async () => {
  const bomb = zstdCompressSync(Buffer.alloc(250 * 1024 * 1024, "x"));
  assert.ok(bomb.length < 64 * 1024);
  const before_ = process.memoryUsage().rss;
  const { index } = await fetchIndex([hostile(["index.json.zst"], bomb), httpSource(point.url)], version.contentId, quick([]));
  assert.deepEqual(index, version.index);
  const grown = process.memoryUsage().rss - before_;
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes more`);
});

test("what asks for a window larger than an index needs is refused, also where its bytes are the right ones", async () => {
  const bytes = Buffer.concat([noise(200_000), Buffer.alloc(40 * 1024 * 1024), noise(200_000)]);
  const id = createHash("sha256").update(bytes).digest("hex");
  const packed = (windowLog: number) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_windowLog]: windowLog, [constants.ZSTD_c_enableLongDistanceMatching]: 1 } });
  assert.ok((await unpackIndex(packed(22), id)).equals(bytes));
  await assert.rejects(unpackIndex(packed(27), id), { code: "PRESTAGE_CONTENT_INDEX_MALFORMED" });
});

test("a description without end is given up at the size the signed policy names", async () => {
  const endless = Buffer.alloc(64 * 1024, 0x20);
  for (const files of [["index.json.zst", "index.json"], ["storage.json.zst", "storage.json"]]) {
    const failed: string[] = [];
    const source = hostile(files, endless, true);
    const sizes = { indexBytes: (await stat(join(version.folder, "index.json"))).size, storageBytes: (await stat(join(version.folder, "storage.json"))).size };
    const cache = new LocalCache(join(folder, `cache-${files[0]}`));
    await fetchVersion(cache, [source, httpSource(point.url)], { ...version, ...sizes, earlierContentIds: [] }, quick(failed));
    assert.ok(source.sent > 0 && source.sent <= files.length * endless.length, `${files[0]}: ${source.sent} bytes sent`);
    assert.equal((await cache.ask(version.contentId, version.index, [])).state, "hit");
  }
});
