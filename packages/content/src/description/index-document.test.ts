import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { ContentError } from "../error.ts";
import { checkChunkLists, encodeIndex, openIndex, openStorageMap } from "./index-document.ts";
import type { ContentIndex, StorageMap } from "./schema.ts";

const sha = (text: string | Uint8Array) => createHash("sha256").update(text).digest("hex");
const file = (path: string, size = 3) => ({ path, size, sha256: sha("abc") });
const index = (change: Partial<ContentIndex> = {}): ContentIndex => ({ format: "prestage-content-v1", shape: "files", chunking: "prestage-gear-32k-v1", directories: ["empty"], files: [file("a"), file("b/c")], ...change });
const openText = (text: string) => openIndex(Buffer.from(text), sha(text));

test("an index opens as it was written, and its id is the SHA-256 of its bytes", () => {
  const { bytes, contentId } = encodeIndex(index());
  assert.equal(contentId, sha(bytes));
  assert.deepEqual(openIndex(bytes, contentId), index());
});

test("the canonical bytes of a known index stay as they are for ever", () => {
  assert.equal(encodeIndex(index()).bytes.toString(), `{"chunking":"prestage-gear-32k-v1","directories":["empty"],"files":[{"path":"a","sha256":"${sha("abc")}","size":3},{"path":"b/c","sha256":"${sha("abc")}","size":3}],"format":"prestage-content-v1","shape":"files"}`);
});

test("an index whose hash is not the id is refused, whatever one byte it differs in", () => {
  const { bytes, contentId } = encodeIndex(index());
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const altered = Buffer.from(bytes);
      altered[at] = altered[at]! ^ change;
      assert.throws(() => openIndex(altered, contentId), { code: "PRESTAGE_CONTENT_INDEX_MALFORMED" });
    }),
  );
});

test("hostile indexes with a matching hash are refused by their form", () => {
  const json = (value: unknown) => JSON.stringify(value);
  const malformed = [
    "", "null", "[]", "{", "{}", '"x"', "\ufeff{}", `${"[".repeat(50_000)}`,
    json({ ...index(), format: "prestage-content-v2" }), json({ ...index(), more: 1 }), json({ ...index(), files: "a" }),
    json(index({ files: [{ ...file("a"), size: -1 }] })), json(index({ files: [{ ...file("a"), size: 1.5 }] })), json(index({ files: [{ ...file("a"), size: 1e300 }] })),
    json(index({ files: [{ ...file("a"), sha256: "ABC" }] })), json(index({ files: [{ ...file("a"), sha256: sha("x").toUpperCase() }] })),
    json(index({ shape: "image" })), json(index({ shape: "image", directories: [], files: [file("other.wim")] })),
    json({ ...index(), __proto__: 1, constructor: 2 }),
  ];
  for (const text of malformed) assert.throws(() => openText(text), (error) => error instanceof ContentError && error.code === "PRESTAGE_CONTENT_INDEX_MALFORMED", text.slice(0, 60));
  const unsafe = [index({ files: [file("../a")] }), index({ files: [file("/a")] }), index({ directories: ["a/.."] }), index({ files: [file("a"), file("A")] }), index({ files: [file("a"), file("a")] }), index({ files: [file("a"), file("a/b")] }), index({ directories: ["A"], files: [file("a")] })];
  for (const value of unsafe) assert.throws(() => openText(json(value)), { code: "PRESTAGE_CONTENT_PATH_UNSAFE" }, json(value));
});

test("whatever JSON comes, an index opens or is refused with a ContentError", () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.record({ format: fc.constant("prestage-content-v1"), shape: fc.constantFrom("files", "image"), chunking: fc.constant("prestage-gear-32k-v1"), directories: fc.array(fc.string()), files: fc.array(fc.record({ path: fc.string(), size: fc.oneof(fc.nat(), fc.double()), sha256: fc.constant(sha("abc")) })) }).map((value) => JSON.stringify(value))), (text) => {
      try {
        openText(text);
      } catch (error) {
        assert.ok(error instanceof ContentError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

test("chunk lists that are not those the index names are refused", () => {
  const list = Buffer.alloc(40, 7);
  const described = index({ files: [{ ...file("a", 300_000), chunks: { count: 2, sha256: sha(list) } }, file("b")] });
  checkChunkLists(described, list);
  for (const bytes of [Buffer.alloc(40, 8), list.subarray(1), Buffer.concat([list, Buffer.of(0)]), Buffer.alloc(0)]) assert.throws(() => checkChunkLists(described, bytes), { code: "PRESTAGE_CONTENT_INDEX_MALFORMED" });
});

test("a storage map is bound by its hash and must place files inside the WIM in whole chunks", () => {
  const stored = { path: "a", offset: 208, storedSize: 100, size: 40_000, compression: "lzx" as const, chunkSize: 32_768, tableSize: 4, chunkSizes: [60, 36] };
  const map = (change: object): string => JSON.stringify({ format: "prestage-storage-v1", wimSize: 1000, wimSha256: sha("w"), files: [{ ...stored, ...change }] } satisfies StorageMap);
  const openMap = (text: string) => openStorageMap(Buffer.from(text), sha(text));
  assert.equal(openMap(map({})).files.length, 1);
  assert.throws(() => openStorageMap(Buffer.from(map({})), sha("other")), { code: "PRESTAGE_CONTENT_STORAGE_MALFORMED" });
  for (const change of [{ offset: 950 }, { chunkSizes: [60] }, { chunkSizes: [60, 37] }, { tableSize: 8 }, { offset: -1 }, { compression: "none" }, { chunkSize: 0 }, { chunkSizes: [60, 36, 1], storedSize: 101 }]) {
    assert.throws(() => openMap(map(change)), { code: "PRESTAGE_CONTENT_STORAGE_MALFORMED" }, JSON.stringify(change));
  }
});
