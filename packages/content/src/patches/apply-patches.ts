import { constants } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { RangesIgnored } from "../fetch/content-source.ts";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import type { LocalCache } from "../cache/local-cache.ts";
import type { PlaceBatch } from "../cache/place-file.ts";
import { ResumingReader } from "../fetch/resuming-reader.ts";
import { requestCost } from "../description/stored-ranges.ts";
import { decodePatchPiece, piecesToMake, readDictionary, sha256Of } from "./apply-patch.ts";
import type { PlannedPatch } from "./apply-patch.ts";
import { patchFileNames } from "./patch-index.ts";
import type { PatchPiece } from "./patch-index.ts";

/** A piece to make, and the file it belongs to. */
interface Step { planned: PlannedPatch; piece: PatchPiece }
/** Pieces whose patches lie one after the other: bytes [start, end) of the patches from one version, in one request. */
export interface PatchRun { from: string; start: number; end: number; steps: Step[] }

export interface ApplyPatches { cache: LocalCache; sources: readonly ContentSource[]; contentId: string; options: FetchOptions; onBytes: (count: number) => void; batch: PlaceBatch }

/** The requests the patches are fetched by. */
export function patchRuns(patches: readonly PlannedPatch[], piecesOf: (planned: PlannedPatch) => readonly PatchPiece[] = ({ patch }) => patch.pieces): PatchRun[] {
  const steps = patches.flatMap((planned) => piecesOf(planned).map((piece) => ({ planned, piece })));
  steps.sort((a, b) => (a.planned.from === b.planned.from ? a.piece.at - b.piece.at : a.planned.from < b.planned.from ? -1 : 1));
  const runs: PatchRun[] = [];
  for (const step of steps) {
    const { planned: { from }, piece: { at, storedSize } } = step;
    const last = runs.at(-1);
    if (last !== undefined && last.from === from && at >= last.end && at - last.end < requestCost) {
      last.steps.push(step);
      last.end = at + storedSize;
    } else runs.push({ from, start: at, end: at + storedSize, steps: [step] });
  }
  return runs;
}

/**
 * Makes files from old ones of the disk and their patches, piece by piece; what an earlier attempt made is kept. Returns those that were not made: their
 * patch does not give the file it promises, or no source has the patches any more (the site may have dropped them since the policy was made) - then the
 * rest is not asked for, as each would cost as much waiting.
 */
export async function applyPatches(patches: readonly PlannedPatch[], work: ApplyPatches): Promise<PlannedPatch[]> {
  const open_ = new Map<PlannedPatch, number>();
  const pieces = new Map<PlannedPatch, readonly PatchPiece[]>();
  const failed = new Set<PlannedPatch>();
  for (const planned of patches) {
    const toMake = await piecesToMake(targetOf(planned, work), planned.patch);
    pieces.set(planned, toMake);
    open_.set(planned, toMake.length);
    if (toMake.length === 0 && !(await finish(planned, work))) failed.add(planned);
  }
  for (const run of patchRuns(patches, (planned) => pieces.get(planned) ?? [])) {
    const reachable = await makeRun(run, work, failed, async (planned) => {
      const left = (open_.get(planned) ?? 0) - 1;
      open_.set(planned, left);
      if (left === 0 && !(await finish(planned, work))) failed.add(planned);
    });
    if (!reachable) break;
  }
  return patches.filter((planned) => failed.has(planned) || (open_.get(planned) ?? 0) > 0);
}

/** One request, or more where a source's bytes are wrong. False where no source has the patches. */
async function makeRun(run: PatchRun, work: ApplyPatches, failed: Set<PlannedPatch>, onMade: (planned: PlannedPatch) => Promise<void>): Promise<boolean> {
  let usable = [...work.sources];
  for (let next = 0; next < run.steps.length; ) {
    let at = run.steps[next]?.piece.at ?? run.end;
    const reader = new ResumingReader(usable, work.contentId, patchFileNames(run.from).data, { start: at, end: run.end }, work.options, work.onBytes);
    try {
      for (; next < run.steps.length; next++) {
        const step = run.steps[next];
        if (step === undefined || failed.has(step.planned)) continue;
        work.options.signal?.throwIfAborted();
        const outcome = await makePiece(step, reader, step.piece.at - at, work);
        work.options.signal?.throwIfAborted();
        if (outcome === "unreachable") return false;
        if (outcome === "base") failed.add(step.planned);
        if (outcome === "wrong") {
          work.options.onSourceFailed?.({ source: reader.sourceName, reason: `the patch of ${JSON.stringify(step.planned.paths[0])} gives other bytes`, round: 1 });
          usable = usable.filter((source) => source.name !== reader.sourceName);
          if (usable.length > 0) break;
          // Nobody's bytes are right: it comes another way, and the others are tried anew.
          failed.add(step.planned);
          usable = [...work.sources];
          next++;
          break;
        }
        if (outcome === "made") {
          at = step.piece.at + step.piece.storedSize;
          await onMade(step.planned);
        }
      }
    } finally {
      await reader.close();
    }
  }
  return true;
}

/** `base`: the old file cannot be read, and nothing was taken from the reader. */
async function makePiece({ planned, piece }: Step, reader: ResumingReader, gap: number, work: ApplyPatches): Promise<"made" | "wrong" | "unreachable" | "base"> {
  const dictionary = await readDictionary(planned.base, piece);
  if (dictionary === undefined) return "base";
  const target = targetOf(planned, work);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const output = await open(target, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  let fault: unknown;
  const input = async function* (): AsyncIterable<Uint8Array> {
    try {
      await reader.skip(gap);
      for (let left = piece.storedSize; left > 0; ) {
        const bytes = await reader.read(Math.min(256 * 1024, left));
        left -= bytes.length;
        yield bytes;
      }
    } catch (cause) {
      fault = cause;
      throw cause;
    }
  };
  try {
    if (await decodePatchPiece(output, piece, dictionary, input())) return "made";
  } finally {
    await output.close();
  }
  if (fault instanceof RangesIgnored) throw fault;
  return fault === undefined ? "wrong" : "unreachable";
}

/** All pieces are made: true where they are the file. */
async function finish(planned: PlannedPatch, work: ApplyPatches): Promise<boolean> {
  const { size, sha256 } = planned.patch;
  const target = targetOf(planned, work);
  const output = await open(target, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    await output.truncate(size);
    if ((await sha256Of(output, 0, size)) !== sha256) return false;
  } finally {
    await output.close();
  }
  await work.batch.add(target, planned, size);
  return true;
}

function targetOf({ patch }: PlannedPatch, { cache, contentId }: ApplyPatches): string {
  return cache.partialPath(contentId, patch.sha256);
}
