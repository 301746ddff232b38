import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { ContentError } from "../error.ts";
import { fillFile } from "../fetch/assemble-file.ts";
import { wrongPieces } from "../description/file-pieces.ts";
import { planStoredRanges } from "../description/stored-ranges.ts";
import { leftOfPieces } from "../pieces/plan-pieces.ts";
import type { ImageChunks } from "../cache/image-chunks.ts";
import type { ChunkedData } from "./chunked-data.ts";
import { isMade, placeOf } from "./made-data.ts";
import type { DeltaWork } from "./made-data.ts";

/**
 * Puts data together from chunks of the older image and what is fetched; what an earlier attempt made stays, piece by piece. Returns what could not
 * be made so, whatever the cause: it is fetched whole instead.
 */
export async function makeChunked(chunked: readonly ChunkedData[], base: ImageChunks, work: DeltaWork): Promise<{ made: ChunkedData[]; failed: ChunkedData[] }> {
  const [made, failed]: [ChunkedData[], ChunkedData[]] = [[], []];
  if (chunked.length > 0) await mkdir(work.folder, { recursive: true, mode: 0o700 });
  for (const one of chunked) {
    work.options.signal?.throwIfAborted();
    const good = (await isMade(work, one.data)) || ((await fill(one, base, work)) && (await isMade(work, one.data)));
    (good ? made : failed).push(one);
  }
  return { made, failed };
}

async function fill({ data, file, stored, pieces, fine }: ChunkedData, base: ImageChunks, work: DeltaWork): Promise<boolean> {
  const { sources, contentId, options, onBytes } = work;
  const handle = await open(placeOf(work, data.sha1), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    const wrong = await wrongPieces(handle, pieces, options.signal);
    const local = wrong.filter((piece) => base.has(piece));
    const left = fine && leftOfPieces(fine, stored, wrong);
    const runs = left?.runs ?? planStoredRanges(stored, wrong.filter((piece) => !base.has(piece)));
    await fillFile(handle, { name: file.path, stored, pieces }, { local, runs, pieces: left, chunks: base, sources, contentId, options, onBytes });
    return true;
  } catch (cause) {
    options.signal?.throwIfAborted();
    if (cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_FETCH_FAILED") return false;
    throw cause;
  } finally {
    await handle.close();
  }
}
