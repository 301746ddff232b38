import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { WimFile } from "@prestage/wim";
import { chunkRecordSize } from "../description/chunking.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { chunkListsOf, piecesOf } from "../description/file-pieces.ts";
import { openPatchIndex, patchFileNames } from "../patches/patch-index.ts";
import { chunkListOffsets } from "../description/index-document.ts";
import { listBytes } from "../fetch/chunk-lists.ts";
import type { ContentIndex, OfferedPatches } from "../description/schema.ts";
import { sizeOf, worthIt } from "./fetch-image-delta.ts";
import { resourcesBySha256 } from "../cache/image-resources.ts";
import { missingData } from "./missing-data.ts";
import { chunksInBase } from "./base-lists.ts";
import { oldResources } from "../pieces/old-data.ts";
import { openStoredPack } from "../pieces/piece-pack.ts";
import { planPieces, worthPieces } from "../pieces/plan-pieces.ts";
import { chunkCandidates, priceChunked, requestsOf, sharedData, tableRanges, without } from "./chunked-data.ts";
import type { Candidate, PlanPieces } from "./chunked-data.ts";
import { dividePatched, patchRanges } from "./patched-data.ts";
import { joined } from "./range-image.ts";
import { openStoredWim } from "../library/single-instance/stored-source.ts";

/** What `fetchImageDelta` would fetch on a computer that holds an older image undamaged; undefined where it would make no delta. Sizes in bytes. */
export async function deltaOnPaper(wanted: StoredVersion, base: StoredVersion, image: number, indexBytes: number, offered: readonly OfferedPatches[]): Promise<{ bytes: number; described: number; requests: number } | undefined> {
  const [file] = wanted.index.files;
  const allLists = await readFile(join(wanted.folder, "chunks.bin"));
  const pieces = file && piecesOf(file, chunkListsOf(wanted.index, allLists).get(file.path));
  if (file === undefined || pieces === undefined || wanted.index.images?.some((one) => one.index === image) !== true) return undefined;
  const wims = await Promise.all([openStoredWim(wanted), openStoredWim(base)]);
  const [wim, baseWim] = wims;
  try {
    const missing = await missingData(wim, image, wanted.index, baseWim, base.index);
    if (missing.some(({ sha1 }) => baseWim.blobs.has(sha1))) return undefined;
    const all = missing.reduce((sum, { resource }) => sum + resource.storedSize, 0);
    const offer = offered.find((one) => one.from === base.contentId && one.indexBytes <= all);
    const patches = offer && openPatchIndex(await readFile(join(wanted.folder, patchFileNames(offer.from).index)), { from: offer.from, to: wanted.contentId, sha256: offer.indexSha256 });
    const older = { wim: baseWim, index: base.index, chunks: await readFile(join(base.folder, "chunks.bin")), resources: await resourcesBySha256(baseWim, base.index) };
    const divided = dividePatched(missing, patches, older.resources);
    const candidates = chunkCandidates(divided.raw, divided.patched, wanted.index, image, base.index);
    const fileLists = listsOf(candidates, wanted.index, allLists);
    const chunks = await chunksInBase(older, candidates, fileLists, wanted.index.chunking);
    const shared = sharedData(candidates, fileLists, chunks);
    let fine = 0;
    const byPieces: PlanPieces = async (needed) => {
      const pack = worthPieces(needed) ? await openStoredPack(wanted, offered) : undefined;
      if (pack === undefined) return new Map();
      const plans = await planPieces(pack, needed, oldResources(baseWim, base.index, older.resources));
      fine = pack.fetched;
      return plans;
    };
    const chunked = await priceChunked(shared, wim, chunks, divided.patched, byPieces);
    const [raw, patched] = [without(divided.raw, chunked, ({ sha1 }) => sha1), without(divided.patched, chunked, ({ data }) => data.sha1)];
    const runs = [...joined(raw.map(({ resource }) => ({ start: resource.offset, end: resource.offset + resource.storedSize }))), ...patchRanges(patched), ...chunked.flatMap(requestsOf)];
    const bytes = sizeOf(runs);
    const tables = pieces.filter((piece) => tablesOf(wim, image).some(({ start, end }) => piece.offset < end && piece.offset + piece.length > start));
    const described = indexBytes + fine + (offer?.indexBytes ?? 0) + (file.chunks?.count ?? 0) * chunkRecordSize + listBytes(wanted.index, candidates.map((one) => one.file)) + sizeOf(joined(tableRanges(shared, wim.header.chunkSize))) + tables.reduce((sum, piece) => sum + piece.length, 0);
    return bytes + described > wanted.storedBytes * worthIt ? undefined : { bytes, described, requests: runs.length };
  } finally {
    for (const one of wims) await one.close();
  }
}

function listsOf(candidates: readonly Candidate[], index: ContentIndex, chunks: Buffer): Map<string, Buffer> {
  const offsets = chunkListOffsets(index);
  return new Map(candidates.map(({ file }) => [file.path, chunks.subarray(offsets.get(file) ?? 0, (offsets.get(file) ?? 0) + (file.chunks?.count ?? 0) * chunkRecordSize)]));
}

/** What is read of a WIM to know its tree and where its data lie. */
function tablesOf(wim: WimFile, image: number): { start: number; end: number }[] {
  const { blobTable, xml, integrity } = wim.header;
  return [{ start: 0, end: 208 }, ...[blobTable, xml, integrity, wim.imageMetadata(image).resource].filter(({ storedSize }) => storedSize > 0).map(({ offset, storedSize }) => ({ start: offset, end: offset + storedSize }))];
}
