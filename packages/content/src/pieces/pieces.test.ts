import assert from "node:assert/strict";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import fc from "fast-check";
import { LocalCache } from "../cache/local-cache.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { fetchVersion } from "../fetch/fetch-version.ts";
import type { FetchVersionOptions, PlannedVersion } from "../fetch/fetch-version.ts";
import { planOnPaper } from "../fetch/plan-on-paper.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { validateVersion } from "../library/validate-version.ts";
import { makePatches } from "../patches/make-patches.ts";
import { openPatchIndex, patchFileNames } from "../patches/patch-index.ts";
import { decodePiece } from "./apply-pieces.ts";
import { makePieces } from "./make-pieces.ts";
import { makePiecesApart } from "./make-pieces-apart.ts";
import { blockRange, encodeBlock, parseBlock, pieceLayout, pieceSize, piecesInBlock } from "./piece-layout.ts";
import { openPieceHeader, packPieceHeader } from "./piece-pack.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const quick: FetchVersionOptions = { rounds: 1, waitSeconds: () => 0 };
const size = 700_000;
let older: StoredVersion;
let newer: StoredVersion;
let offered: OfferedPatches;

/** A small edit every 12 kB: no stored chunk is free of one. */
function edited(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 12_000) parts.push(bytes.subarray(at, at + 12_000), Buffer.from(`edit ${at}`));
  return Buffer.concat(parts);
}

before(async () => {
  const program = halfNoise(size, 1);
  older = await importFolder(library, await writeTree(join(folder, "one"), { "bin/program": program, "lib/same.so": halfNoise(100_000, 2), "note.txt": "first" }));
  newer = await importFolder(library, await writeTree(join(folder, "two"), { "bin/program": edited(program), "lib/same.so": halfNoise(100_000, 2), "lib/new.so": halfNoise(90_000, 3), "note.txt": "second" }));
  const made = await makePieces(library, newer.contentId);
  assert.ok(made !== undefined);
  offered = made;
});

let caches = 0;
async function withVersion(version = older): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [httpSource(point.url)], { ...version, earlierContentIds: [] });
  point.ranges.length = 0;
  return cache;
}
const sent = () => point.ranges.reduce((sum, range) => sum + range.sent, 0);
const fromPack = () => point.ranges.filter(({ file }) => file === patchFileNames(newer.contentId).data);
async function fetchNewer(cache: LocalCache, patches: OfferedPatches[] = [offered], options: FetchVersionOptions = {}): Promise<{ bytes: number; plans: PlannedVersion[] }> {
  const plans: PlannedVersion[] = [];
  try {
    const { bytes } = await fetchVersion(cache, [httpSource(point.url)], { ...newer, earlierContentIds: [older.contentId], patches }, { ...quick, ...options, onPlanned: (planned) => void plans.push(planned) });
    return { bytes, plans };
  } finally {
    point.misbehave = () => undefined;
  }
}
async function isWhole(cache: LocalCache): Promise<void> {
  assert.equal((await cache.ask(newer.contentId, newer.index, [])).state, "hit");
  assert.deepEqual(await readFile(cache.filePath(newer.contentId, "bin/program")), await readFile(join(folder, "two/bin/program")));
}

test("a file with small changes everywhere comes by pieces, for a fraction of its stored chunks, as plan and paper say", async () => {
  const byChunks = (await fetchNewer(await withVersion(), [])).bytes;
  const cache = await withVersion();
  const { bytes, plans } = await fetchNewer(cache);
  await isWhole(cache);
  assert.deepEqual(plans[0]?.plan.ways.map(({ way, paths }) => [way, paths[0]]), [["pieces", "bin/program"], ["whole", "lib/new.so"], ["whole", "note.txt"]]);
  assert.ok(bytes < byChunks * 0.5, `${bytes} by pieces, ${byChunks} by chunks`);
  assert.equal(bytes, sent());
  assert.equal(bytes, (plans[0]?.described ?? 0) + (plans[0]?.plan.bytes ?? 0));
  const paper = await planOnPaper(library, newer.contentId, [older.contentId], [offered]);
  assert.deepEqual([paper.bytes, paper.described, paper.ways], [plans[0]?.plan.bytes, plans[0]?.described, plans[0]?.plan.ways]);
});

test("the pack is each file once more: every piece decodes with what lies before it, and a pack made again is the same", async () => {
  const names = patchFileNames(newer.contentId);
  const [pack, list] = [await readFile(join(newer.folder, names.data)), await readFile(join(newer.folder, names.index))];
  const header = openPieceHeader(list, { contentId: newer.contentId, sha256: offered.indexSha256 });
  assert.deepEqual([header.size, offered.bytes, offered.from], [pack.length, pack.length, newer.contentId]);
  const layout = pieceLayout(newer.index);
  assert.deepEqual([...layout.files.keys()].length, 3);
  for (const { path, sha256, size: length } of newer.index.files.filter((one) => one.chunks !== undefined)) {
    const [bytes, file] = [await readFile(join(folder, "two", path)), layout.files.get(sha256)];
    assert.ok(file !== undefined && file.size === length);
    for (let block = 0; block < Math.ceil(file.count / piecesInBlock); block++) {
      const { start, end } = blockRange(file, block);
      const records = parseBlock(pack.subarray(start, end), file, block, { dataAt: layout.dataAt, size: pack.length });
      for (const record of records ?? assert.fail("no block")) {
        const decoded = decodePiece(pack.subarray(record.at, record.at + record.storedSize), record, bytes.subarray(Math.max(0, record.offset - 32_768), record.offset));
        assert.deepEqual(decoded, bytes.subarray(record.offset, record.offset + record.length));
      }
    }
  }
  assert.deepEqual(await makePieces(library, newer.contentId), offered);
  assert.deepEqual(await validateVersion(newer.folder, newer.contentId, newer.storageSha256), []);
});

test("whatever was changed, inserted, left out or moved, what is put together is the new file, and never for more than without pieces", async () => {
  const edit = fc.record({ at: fc.nat(299_999), remove: fc.nat(5000), insert: fc.uint8Array({ maxLength: 3000 }), move: fc.boolean() });
  await fc.assert(fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 40 }), fc.nat(1000), async (edits, seed) => {
    const first = halfNoise(300_000, seed);
    let second = Buffer.from(first);
    for (const { at, remove, insert, move } of edits) {
      const [before_, cut, after] = [second.subarray(0, at), second.subarray(at, at + remove), second.subarray(at + remove)];
      second = Buffer.concat([before_, insert, after, ...(move ? [cut] : [])]);
    }
    const run = `run-${caches++}`;
    const own = new ContentLibrary(join(folder, run, "library"));
    const versions = [await importFolder(own, await writeTree(join(folder, run, "one"), { program: first })), await importFolder(own, await writeTree(join(folder, run, "two"), { program: second }))] as const;
    const pieces = await makePieces(own, versions[1].contentId);
    assert.ok(pieces !== undefined);
    const source = await TestDistributionPoint.start(own);
    try {
      const cost: number[] = [];
      for (const patches of [[], [pieces]]) {
        const cache = new LocalCache(join(folder, run, `cache-${patches.length}`));
        await fetchVersion(cache, [httpSource(source.url)], { ...versions[0], earlierContentIds: [] }, quick);
        cost.push((await fetchVersion(cache, [httpSource(source.url)], { ...versions[1], earlierContentIds: [versions[0].contentId], patches }, quick)).bytes);
        assert.ok((await readFile(cache.filePath(versions[1].contentId, "program"))).equals(second));
      }
      assert.ok((cost[1] ?? 0) <= (cost[0] ?? 0) + 8000, `${cost[1]} with pieces, ${cost[0]} without`);
    } finally {
      source.stop();
    }
  }), { numRuns: 6 });
});

/** The pack with its lists, or its data, changed as told; the header as it is. */
function altered(change: (bytes: Buffer) => void): void {
  const { data } = patchFileNames(newer.contentId);
  point.misbehave = (file, bytes) => {
    if (file !== data) return undefined;
    const copy = Buffer.from(bytes);
    change(copy);
    return { send: copy };
  };
}

test("a pack that lies - lists, data, places, or all of it - costs bytes, and nothing else", async () => {
  const { dataAt } = pieceLayout(newer.index);
  const { data } = patchFileNames(newer.contentId);
  const only = (inLists: boolean, change: (bytes: Buffer) => void) => {
    point.misbehave = (file, bytes, start) => {
      if (file !== data || start < dataAt !== inLists) return undefined;
      const copy = Buffer.from(bytes);
      change(copy);
      return { send: copy };
    };
  };
  const lies: [string, () => void][] = [
    ["noise for data", () => only(false, (bytes) => halfNoise(bytes.length, 9).copy(bytes))],
    ["one byte of data in ten thousand", () => only(false, (bytes) => { for (let i = 500; i < bytes.length; i += 10_000) bytes[i] = bytes[i]! ^ 1; })],
    ["noise for lists", () => only(true, (bytes) => halfNoise(bytes.length, 9).copy(bytes))],
    ["lists of zeros", () => only(true, (bytes) => bytes.fill(0))],
    ["lengths that point behind the pack's end", () => only(true, (bytes) => bytes.writeUIntLE(offered.bytes - 10, 0, 6))],
    ["all of it noise", () => altered((bytes) => halfNoise(bytes.length, 4).copy(bytes))],
    ["cut off", () => { point.misbehave = (file, bytes) => (file === data ? { cutAfter: bytes.length >> 1 } : undefined); }],
  ];
  for (const [name, lie] of lies) {
    const cache = await withVersion();
    lie();
    const { bytes } = await fetchNewer(cache);
    await isWhole(cache).catch((cause: unknown) => assert.fail(`${name}: ${String(cause)}`));
    assert.ok(bytes < 2.2 * newer.storedBytes, `${name}: ${bytes}`);
  }
});

test("a list whose hashes name other old data gives wrong bytes: those chunks are fetched as they are stored", async () => {
  const layout = pieceLayout(newer.index);
  const file = layout.files.get(newer.index.files.find(({ path }) => path === "bin/program")?.sha256 ?? "");
  assert.ok(file !== undefined);
  const names = patchFileNames(newer.contentId);
  const path = join(newer.folder, names.data);
  const good = await readFile(path);
  const bad = Buffer.from(good);
  // Each piece is said to be what the tenth before it is.
  for (let block = 1; block < Math.floor(file.count / piecesInBlock); block++) {
    const [{ start, end }, before_] = [blockRange(file, block), blockRange(file, block - 1)];
    const pack = { dataAt: layout.dataAt, size: good.length };
    const [own, other] = [parseBlock(good.subarray(start, end), file, block, pack), parseBlock(good.subarray(before_.start, before_.end), file, block - 1, pack)];
    assert.ok(own !== undefined && other !== undefined);
    encodeBlock(own[0]?.at ?? 0, own.map((record, i) => ({ ...record, rolling: other[i]?.rolling ?? 0, check: other[i]?.check ?? 0 }))).copy(bad, start);
  }
  await writeFile(path, bad);
  try {
    const cache = await withVersion();
    const { bytes, plans } = await fetchNewer(cache);
    await isWhole(cache);
    assert.ok(bytes > (plans[0]?.plan.bytes ?? 0) + (plans[0]?.described ?? 0), "more than was planned");
    assert.match(JSON.stringify(await validateVersion(newer.folder, newer.contentId, newer.storageSha256)), /expected SHA-256/);
  } finally {
    await writeFile(path, good);
  }
});

test("cut off in the middle, the next attempt goes on with what is right already", async () => {
  const cache = await withVersion();
  const stop = new AbortController();
  let received = 0;
  await assert.rejects(fetchNewer(cache, [offered], { signal: stop.signal, onProgress: ({ done }) => void ((received = done) > 60_000 && stop.abort(new Error("power"))) }), /power/);
  point.ranges.length = 0;
  const { bytes } = await fetchNewer(cache);
  await isWhole(cache);
  const full = await fetchNewer(await withVersion());
  assert.ok(received > 60_000 && bytes < full.bytes - 20_000, `${bytes} after ${received}, ${full.bytes} in one go`);
});

test("a pack that was dropped since the policy was made, or whose header is another, is gone on without", async () => {
  const names = patchFileNames(newer.contentId);
  for (const name of [names.index, names.data]) {
    const cache = await withVersion();
    await rename(join(newer.folder, name), join(newer.folder, "away"));
    try {
      await fetchNewer(cache);
      await isWhole(cache);
    } finally {
      await rename(join(newer.folder, "away"), join(newer.folder, name));
    }
  }
  const cache = await withVersion();
  const { plans } = await fetchNewer(cache, [{ ...offered, indexSha256: "0".repeat(64) }]);
  assert.ok(plans[0]?.plan.ways.every(({ way }) => way !== "pieces") === true && fromPack().length === 0);
  await isWhole(cache);
});

test("where a patch fits, no pieces are asked for; an agent that knows no pieces finds no list of patches there", async () => {
  const patches = await makePatches(library, older.contentId, newer.contentId, { level: 3 });
  const cache = await withVersion();
  const { plans } = await fetchNewer(cache, [patches, offered]);
  await isWhole(cache);
  assert.equal(plans[0]?.plan.ways.find(({ paths }) => paths[0] === "bin/program")?.way, "patch");
  assert.equal(fromPack().length, 0);
  const header = await readFile(join(newer.folder, patchFileNames(newer.contentId).index));
  assert.throws(() => openPatchIndex(header, { from: newer.contentId, to: newer.contentId, sha256: offered.indexSha256 }), { code: "PRESTAGE_CONTENT_PATCH_MALFORMED" });
});

test("a header of another version, another format or more than it may unpack to is refused", () => {
  const header = { format: "prestage-pieces-v1", content: "a".repeat(64), pieceSize, window: 32_768, size: 10, sha256: "b".repeat(64) } as const;
  assert.deepEqual(openPieceHeader(packPieceHeader(header), { contentId: header.content }), header);
  const refused = { code: "PRESTAGE_CONTENT_PATCH_MALFORMED" };
  assert.throws(() => openPieceHeader(packPieceHeader(header), { contentId: "c".repeat(64) }), refused);
  assert.throws(() => openPieceHeader(packPieceHeader({ ...header, more: 1 } as typeof header), { contentId: header.content }), refused);
  assert.throws(() => openPieceHeader(packPieceHeader({ ...header, sha256: "b".repeat(1_000_000) }), { contentId: header.content }), refused);
  assert.throws(() => openPieceHeader(Buffer.from("no frame"), { contentId: header.content }), refused);
});

test("made in a process of its own the pack is the same, the progress is told, its errors keep their codes, and an abort ends it without a trace", async () => {
  const names = patchFileNames(newer.contentId);
  const read = () => Promise.all([names.index, names.data].map((name) => readFile(join(newer.folder, name))));
  const before = await read();
  for (const name of [names.index, names.data]) await rm(join(newer.folder, name));
  const told: number[] = [];
  assert.deepEqual(await makePiecesApart(library, newer.contentId, { onProgress: ({ done, total }) => void told.push(done / total) }), offered);
  assert.deepEqual(await read(), before);
  assert.equal(told.at(-1), 1);
  await assert.rejects(makePiecesApart(library, newer.contentId, { spaceBytes: 1000 }), { code: "PRESTAGE_CONTENT_PATCH_SPACE" });
  await assert.rejects(makePiecesApart(library, "0".repeat(64)), { code: "PRESTAGE_CONTENT_NOT_FOUND" });
  const stopped = new AbortController();
  await assert.rejects(makePiecesApart(library, newer.contentId, { signal: stopped.signal, onProgress: () => stopped.abort() }), { name: "AbortError" });
  await library.sweep();
  assert.deepEqual(await readdir(join(library.root, "incoming")), []);
  assert.deepEqual(await read(), before);
});

test("more space than there is, and nothing is kept", async () => {
  await assert.rejects(makePieces(library, older.contentId, { spaceBytes: 10_000 }), { code: "PRESTAGE_CONTENT_PATCH_SPACE" });
  assert.equal(await stat(join(older.folder, patchFileNames(older.contentId).data)).catch(() => undefined), undefined);
  const small = await importFolder(library, await writeTree(join(folder, "small"), { "note.txt": "nothing to cut" }));
  assert.equal(await makePieces(library, small.contentId), undefined);
});
