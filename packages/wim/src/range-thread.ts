import { Worker } from "node:worker_threads";
import type { WimErrorCode } from "./error.ts";
import type { HashAlgorithm } from "./hash-range.ts";

/** Bytes [from, to) of files that lie one behind the other, each but the last of one size, as they are stored. */
export interface RangeJob {
  readonly id: number;
  /** Kept open under this number: a path may come to mean another file. */
  readonly volume: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly from: number;
  readonly to: number;
  readonly algorithm: HashAlgorithm;
  /** Hashed before the range. */
  readonly head?: Uint8Array;
  /** A job of the same number goes on where this one ends: no digest yet. */
  readonly more?: boolean;
}
export type HashAnswer = { readonly id: number; readonly bytes: number } | { readonly id: number; readonly digest: string } | { readonly id: number; readonly code: WimErrorCode; readonly message: string };
/** What a thread is sent: ranges, or what the module behind `ThreadData.url` does. */
export type ThreadWork = { readonly ranges: readonly RangeJob[] } | { readonly others: readonly unknown[] };
/** What the two modules of a thread share: `run` is set by the one loaded from `url` for work that is not a range. */
export interface ThreadData { readonly mark: string; readonly url: string; run?: (jobs: readonly unknown[], answer: (answer: HashAnswer) => void) => Promise<void> }

/**
 * A thread that hashes lists of ranges and answers each job by itself: bytes done on the way, then a digest or an error. It starts in a quarter of the time a module
 * takes to load and strip; what it cannot do itself (`{ others }`) it gives to `data.url`, loaded when it is first needed.
 */
export function startRangeThread(data: ThreadData = { mark: "", url: "" }): Worker {
  return new Worker(`(${rangeThread.toString()})()`, { eval: true, workerData: data });
}

/** Runs from its own text, in the thread: it may use nothing outside itself. */
function rangeThread(): void {
  const { openSync, readSync } = process.getBuiltinModule("node:fs");
  const { createHash } = process.getBuiltinModule("node:crypto");
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads") as { parentPort: import("node:worker_threads").MessagePort; workerData: ThreadData };
  const answer = (one: HashAnswer): void => parentPort.postMessage(one);
  const open = new Map<number, number[]>();
  const begun = new Map<number, import("node:crypto").Hash>();
  // Stays in the processor's own memory: larger ones are slower, and a new one for each read much slower.
  const buffer = Buffer.allocUnsafeSlow(2 ** 18);
  const reported = 2 ** 21;

  const hash = ({ id, volume, files, from, to, algorithm, head, more }: RangeJob): void => {
    const state = begun.get(id) ?? createHash(algorithm);
    begun.delete(id);
    if (head !== undefined) state.update(head);
    const pieceSize = files[0]?.size ?? 0;
    const opened = open.get(volume) ?? [];
    open.set(volume, opened);
    let untold = 0;
    for (let at = from; at < to; ) {
      const piece = Math.floor(at / pieceSize);
      const file = (opened[piece] ??= openSync(files[piece]?.path ?? "", "r"));
      const read = readSync(file, buffer, 0, Math.min(buffer.length, to - at, (piece + 1) * pieceSize - at), at - piece * pieceSize);
      if (read === 0) return answer({ id, code: "PRESTAGE_WIM_TRUNCATED", message: `The file should reach byte ${to} and ends at ${at}. Get it again from its source.` });
      state.update(read === buffer.length ? buffer : buffer.subarray(0, read));
      at += read;
      untold += read;
      if (untold >= reported || at === to) {
        answer({ id, bytes: untold });
        untold = 0;
      }
    }
    if (more === true) begun.set(id, state);
    else answer({ id, digest: state.digest("hex") });
  };

  let loaded: Promise<unknown> | undefined;
  parentPort.on("message", (work: ThreadWork) => {
    if ("others" in work) {
      void (loaded ??= import(workerData.url)).then(() => workerData.run?.(work.others, answer));
      return;
    }
    for (const job of work.ranges) {
      try {
        hash(job);
      } catch (cause) {
        answer({ id: job.id, code: "PRESTAGE_WIM_IO", message: cause instanceof Error ? cause.message : String(cause) });
      }
    }
  });
}
