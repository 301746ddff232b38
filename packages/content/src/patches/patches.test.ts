import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import { fetchVersion, planVersion } from "../fetch/fetch-version.ts";
import type { FetchVersionOptions, PlannedVersion } from "../fetch/fetch-version.ts";
import { httpSource, TestDistributionPoint } from "../fixtures/distribution-point.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { LocalCache } from "../cache/local-cache.ts";
import type { OfferedPatches } from "../description/schema.ts";
import { makePatches, offeredPatches, removePatches } from "./make-patches.ts";
import { openPatchIndex, packPatchIndex, patchFileNames } from "./patch-index.ts";
import type { PatchIndex } from "./patch-index.ts";
import { planOnPaper } from "../fetch/plan-on-paper.ts";
import type { PlannedWay } from "../fetch/fetch-plan.ts";
import { patchWindows } from "./patch-windows.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const point = await TestDistributionPoint.start(library);
const source = httpSource(point.url);
const quick: FetchOptions = { rounds: 2, waitSeconds: () => 0 };

/** A program of 32-byte records, each of which moves or changes a little in the next version: chunks find little of it, a patch nearly all. */
const program = noise(1_500_000, 5);
function nextOf(bytes: Buffer, from = 100): Buffer {
  const next = Buffer.from(bytes);
  for (let i = from; i < next.length; i += 2000) next[i] = (next[i] ?? 0) ^ 0x5a;
  return next;
}
const oldFiles = { "bin/program": program, "lib/data": noise(600_000, 6), "lib/moved": noise(400_000, 7), "doc/note.txt": noise(9000, 11), "gone": noise(300_000, 8), empty: "" };
const newFiles = { "bin/program": nextOf(program), "lib/data": noise(600_000, 6), "share/moved-and-changed": nextOf(noise(400_000, 7), 150_000), "doc/note.txt": Buffer.concat([noise(9000, 11), Buffer.from("and more")]), added: noise(50_000, 10), empty: "", "also-empty": "" };
let older: StoredVersion;
let newer: StoredVersion;
let offer: OfferedPatches;

before(async () => {
  older = await importFolder(library, await writeTree(join(folder, "old"), oldFiles));
  newer = await importFolder(library, await writeTree(join(folder, "new"), newFiles));
  offer = await makePatches(library, older.contentId, newer.contentId, { level: 9 });
});

const unpack = (bytes: Buffer) => JSON.parse(zstdDecompressSync(bytes).toString()) as PatchIndex;
let caches = 0;
async function cacheWith(of: StoredVersion): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  await fetchVersion(cache, [source], { ...of, earlierContentIds: [] }, quick);
  point.ranges.length = 0;
  return cache;
}
interface Brought { bytes: number; served: number; plans: PlannedVersion[] }
async function bring(cache: LocalCache, more: { patches?: OfferedPatches[]; sources?: ContentSource[] } & FetchVersionOptions = {}): Promise<Brought> {
  const { patches = [offer], sources = [source], ...options } = more;
  const plans: PlannedVersion[] = [];
  const { bytes } = await fetchVersion(cache, sources, { ...newer, earlierContentIds: [older.contentId], patches }, { ...quick, ...options, onPlanned: (planned) => void plans.push(planned) });
  for (const [path, expected] of Object.entries(newFiles)) assert.deepEqual(await readFile(cache.filePath(newer.contentId, path)), Buffer.from(expected), path);
  assert.deepEqual((await readdir(cache.folderOf(newer.contentId))).sort(), ["chunks.bin", "files", "index.json"]);
  assert.notEqual(await cache.readChunks(newer.contentId, newer.index), undefined, "chunks.bin is there and right, fetched or not");
  return { bytes, served: point.ranges.reduce((sum, range) => sum + range.sent, 0), plans };
}
const wayOf = ({ plans }: Brought, path: string) => plans.at(-1)?.plan.ways.find((way) => way.paths.includes(path))?.way;

test("a changed, a moved and a small file come by patch, an added one whole, an unchanged one not at all; the plan says so to the byte", async () => {
  const cache = await cacheWith(older);
  const brought = await bring(cache);
  assert.deepEqual(["bin/program", "share/moved-and-changed", "doc/note.txt", "added", "lib/data"].map((path) => wayOf(brought, path)), ["patch", "patch", "patch", "whole", undefined]);
  const [{ plan, described } = assert.fail()] = brought.plans;
  assert.equal(brought.bytes, plan.bytes + described);
  assert.equal(brought.served, brought.bytes, "what the distribution point sent is what was planned");
  const without = await bring(await cacheWith(older), { patches: [] });
  assert.equal(wayOf(without, "bin/program"), "whole", "every chunk of it has changed");
  assert.ok(brought.bytes < without.bytes * 0.15, `${brought.bytes} of ${without.bytes}`);
});

test("with every file patched neither storage map nor chunk lists are fetched", async () => {
  const [from, to] = await Promise.all([program, nextOf(program)].map((bytes, i) => writeTree(join(folder, `single-${i}`), { program: bytes }).then((tree) => importFolder(library, tree))));
  if (from === undefined || to === undefined) return assert.fail();
  const cache = await cacheWith(from);
  const patches = [await makePatches(library, from.contentId, to.contentId, { level: 3 })];
  await fetchVersion(cache, [source], { ...to, earlierContentIds: [from.contentId], patches }, quick);
  assert.deepEqual(point.ranges.map((range) => range.file), ["index.json.zst", patchFileNames(from.contentId).index, patchFileNames(from.contentId).data]);
});

test("where the old file is damaged or gone, or the disk holds another version, the file comes another way", async () => {
  const damaged = await cacheWith(older);
  const file = await open(damaged.filePath(older.contentId, "bin/program"), "r+");
  await file.write(Buffer.from("x"), 0, 1, 700_001);
  await file.close();
  await rm(damaged.filePath(older.contentId, "lib/moved"));
  const brought = await bring(damaged);
  assert.deepEqual(["bin/program", "share/moved-and-changed", "doc/note.txt"].map((path) => wayOf(brought, path)), ["whole", "whole", "patch"]);
  point.ranges.length = 0;
  const nothing = await bring(new LocalCache(join(folder, "nothing")));
  assert.ok(nothing.plans[0]?.plan.patches.length === 0 && !point.ranges.some((range) => range.file.startsWith("patch-")), "no list is asked for that is of no use");
});

test("wrong bytes of a patch: another distribution point is asked; with none left the files come another way", async () => {
  const liar = await TestDistributionPoint.start(library);
  liar.misbehave = (name, bytes) => (name.endsWith(".bin") && name.startsWith("patch") ? { send: Buffer.from(bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte))) } : undefined);
  const failed: string[] = [];
  const helped = await bring(await cacheWith(older), { sources: [httpSource(liar.url), source], onSourceFailed: (event) => failed.push(event.source) });
  assert.ok(helped.plans.length === 1 && failed.length > 0 && failed.every((name) => name === liar.url), failed.join());
  const alone = await bring(await cacheWith(older), { sources: [httpSource(liar.url)] });
  assert.deepEqual([alone.plans.length, alone.plans[1]?.plan.patches.length], [2, 0]);
});

test("patches dropped by the site after the policy named them: each source is asked for the first alone, and the files come another way", async () => {
  const path = join(newer.folder, patchFileNames(older.contentId).data);
  const good = await readFile(path);
  const failed: string[] = [];
  await rm(path);
  try {
    const brought = await bring(await cacheWith(older), { onSourceFailed: (event) => failed.push(event.reason) });
    assert.deepEqual([brought.plans.length, brought.plans[1]?.plan.patches.length, failed.length], [2, 0, quick.rounds]);
  } finally {
    await writeFile(path, good);
  }
});

test("a list of patches that is not the one the policy names, malformed, or not to be had is passed over", async () => {
  const names = patchFileNames(older.contentId);
  const path = join(newer.folder, names.index);
  const good = await readFile(path);
  const index = unpack(good);
  const [file] = index.files;
  const change = (edit: (copy: PatchIndex) => void): Buffer => {
    const copy = structuredClone(index);
    edit(copy);
    return packPatchIndex(copy);
  };
  const bad: [Buffer, boolean][] = [
    [Buffer.from("{}"), false], [Buffer.from("not json"), true], [zstdCompressSync("not json"), true], [zstdCompressSync(Buffer.alloc(600_000_000)), true], [change((copy) => (copy.to = older.contentId)), true], [change((copy) => (copy.size -= 1)), true],
    [change((copy) => ((copy.files[0]?.pieces[0] ?? assert.fail()).offset = 1)), true], [change((copy) => ((copy.files[0] ?? assert.fail()).size += 1)), true],
    [change((copy) => ((copy.files[0]?.pieces[0] ?? assert.fail()).fromLength = file?.from.size ?? 0)), false], [change((copy) => ((copy.files[0]?.pieces[0] ?? assert.fail()).fromOffset = 5)), true],
  ];
  try {
    for (const [bytes, renamed] of bad) {
      await writeFile(path, bytes);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      const offered = renamed ? { ...offer, indexSha256: sha256, indexBytes: bytes.length } : { ...offer, indexSha256: "0".repeat(64) };
      const brought = await bring(await cacheWith(older), { patches: [offered] });
      assert.equal(brought.plans[0]?.plan.patches.length, 0, bytes.toString("latin1").slice(0, 100));
      if (renamed) assert.throws(() => openPatchIndex(bytes, { from: older.contentId, to: newer.contentId }), { code: "PRESTAGE_CONTENT_PATCH_MALFORMED" });
    }
    await rm(path);
    assert.equal((await bring(await cacheWith(older))).plans[0]?.plan.patches.length, 0);
  } finally {
    await writeFile(path, good);
  }
});

test("a patch that decodes to more than its file has, or to something else, writes nothing behind it and is given up", async () => {
  const names = patchFileNames(older.contentId);
  const good = { index: await readFile(join(newer.folder, names.index)), data: await readFile(join(newer.folder, names.data)) };
  try {
    for (const payload of [Buffer.alloc(200_000_000), Buffer.from("short"), noise(1_500_000, 77)]) {
      const frame = zstdCompressSync(payload);
      const index = unpack(good.index);
      const changed = index.files.find((file) => file.size === program.length)?.pieces[0] ?? assert.fail();
      Object.assign(changed, { at: index.size, storedSize: frame.length });
      index.size += frame.length;
      const bytes = packPatchIndex(index);
      await writeFile(join(newer.folder, names.index), bytes);
      await writeFile(join(newer.folder, names.data), Buffer.concat([good.data, frame]));
      const brought = await bring(await cacheWith(older), { patches: [{ ...offer, indexSha256: createHash("sha256").update(bytes).digest("hex"), indexBytes: bytes.length }] });
      // Bytes that do not compress are dearer than fetching the file: then the patch is not even tried.
      assert.ok(brought.plans.length === (payload.length === program.length ? 1 : 2), `${payload.length}: ${brought.plans.length}`);
    }
  } finally {
    await writeFile(join(newer.folder, names.index), good.index);
    await writeFile(join(newer.folder, names.data), good.data);
  }
});

test("cut off at any moment, the next attempt ends well, and what was made is not made again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), async (when) => {
      const cache = await cacheWith(older);
      const abort = new AbortController();
      await bring(cache, { signal: abort.signal, onProgress: ({ done, total }) => void (done >= total * when && abort.abort(new Error("power"))) }).catch((cause: unknown) => assert.match(String(cause), /power|abort/i));
      await bring(cache);
    }),
    { numRuns: 10 },
  );
});

test("made again the patches are the same bytes; removed, none is offered", async () => {
  assert.deepEqual(await makePatches(library, older.contentId, newer.contentId, { level: 9 }), offer);
  assert.deepEqual(await offeredPatches(library, older.contentId, newer.contentId), offer);
  await removePatches(library, older.contentId, newer.contentId);
  assert.equal(await offeredPatches(library, older.contentId, newer.contentId), undefined);
  assert.equal(await offeredPatches(library, newer.contentId, older.contentId), undefined);
  await makePatches(library, older.contentId, newer.contentId, { level: 9 });
});

test("the plan on paper is the plan of a computer: the same ways, the same bytes", async () => {
  const paper = async (held: string[], offers: OfferedPatches[]) => planOnPaper(library, newer.contentId, held, offers);
  for (const [held, offers] of [[[older.contentId], [offer]], [[older.contentId], []], [[], []], [[], [offer]]] as const) {
    const cache = held.length > 0 ? await cacheWith(older) : new LocalCache(join(folder, `paper-${caches++}`));
    const planned = await planVersion(cache, [source], { ...newer, earlierContentIds: [older.contentId], patches: offers }, quick);
    await planned.plan.localChunks.close();
    const { ways, bytes, described, state, full } = await paper([...held], [...offers]);
    const shown = (one: PlannedWay) => [one.paths, one.way, one.bytes, one.requests];
    assert.deepEqual(ways.map(shown), planned.plan.ways.map(shown));
    assert.deepEqual([state, described], [planned.answer.state, planned.described]);
    // Neighbours fetched whole are one request, with the gap between them.
    assert.ok(planned.plan.bytes - bytes >= 0 && planned.plan.bytes - bytes < 768 * ways.length && bytes + described <= full, `${planned.plan.bytes} and ${bytes}`);
  }
  assert.deepEqual((await paper([newer.contentId], [])).state, "hit");
});

test("planning fetches nothing of the files themselves", async () => {
  const { plan } = await planVersion(await cacheWith(older), [source], { ...newer, earlierContentIds: [older.contentId], patches: [offer] }, quick);
  await plan.localChunks.close();
  assert.ok(!point.ranges.some((range) => range.file === "content.wim" || /^patch-.*bin$/.test(range.file)), point.ranges.map((range) => range.file).join());
});

test("the windows of a long file cover it, lie inside the old one, and are never longer than a piece may be", () => {
  const sizes = fc.integer({ min: 1, max: 5000 });
  fc.assert(
    fc.property(sizes, sizes, (fromSize, size) => {
      const windows = patchWindows(fromSize, size, 128, 64);
      assert.deepEqual(windows.map((window) => window.offset), windows.map((_, i) => windows.slice(0, i).reduce((sum, one) => sum + one.length, 0)));
      assert.equal(windows.reduce((sum, window) => sum + window.length, 0), size);
      assert.ok(windows.every((window) => window.fromOffset >= 0 && window.fromOffset + window.fromLength <= fromSize && window.fromLength <= 128 && window.length <= 128 && window.fromLength > 0));
    }),
  );
  assert.deepEqual(patchWindows(1000, 1000, 128, 64)[8], { offset: 512, length: 64, fromOffset: 480, fromLength: 128 });
});
