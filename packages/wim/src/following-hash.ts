import type { Worker } from "node:worker_threads";
import { WimError } from "./error.ts";
import { startRangeThread, type HashAnswer, type RangeJob, type ThreadWork } from "./range-thread.ts";

/** Told of fewer bytes than this the thread waits for more. */
const atOnce = 2 ** 22;

/**
 * SHA-256 of a file while it is written, in a thread that reads it behind the writer: what was written last is still in memory, and the writer goes on meanwhile.
 * Close it: the thread keeps a process alive.
 */
export class FollowingHash {
  readonly #path: string;
  readonly #head: Uint8Array;
  readonly #onBytes: (bytes: number) => void;
  readonly #worker: Worker;
  readonly #digest = Promise.withResolvers<string>();
  #told: number;

  /** `head`: the first bytes as they will be; the file may have others there until the end. */
  constructor(path: string, head: Uint8Array, onBytes: (bytes: number) => void = () => {}) {
    this.#path = path;
    this.#head = head;
    this.#told = head.length;
    this.#onBytes = onBytes;
    this.#digest.promise.catch(() => {}); // thrown by finish(), or never, behind another failure
    this.#worker = startRangeThread();
    this.#worker.on("message", (answer: HashAnswer) => this.#take(answer));
    this.#worker.on("error", (cause) => this.#digest.reject(new WimError("PRESTAGE_WIM_IO", `The thread that hashes ${path} ended: ${String(cause)}. Start again.`, { cause })));
  }

  /** Every byte before this one is written, but for the head. */
  reach(position: number): void {
    if (position - this.#told >= atOnce) this.#tell(position, true);
  }

  /** The digest in hex digits, once the file of this size is hashed to its end. Throws WimError where it cannot be read; the signal's reason. */
  async finish(size: number, signal: AbortSignal | undefined): Promise<string> {
    signal?.throwIfAborted();
    const abort = (): void => this.#digest.reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      this.#tell(size, false);
      return await this.#digest.promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #tell(to: number, more: boolean): void {
    const files = [{ path: this.#path, size: Number.MAX_SAFE_INTEGER }];
    const head = this.#told === this.#head.length ? { head: this.#head } : {};
    const job: RangeJob = { id: 0, volume: 0, files, from: this.#told, to, algorithm: "sha256", more, ...head };
    this.#worker.postMessage({ ranges: [job] } satisfies ThreadWork);
    this.#told = to;
  }

  #take(answer: HashAnswer): void {
    if ("bytes" in answer) {
      try {
        this.#onBytes(answer.bytes);
      } catch (cause) {
        this.#digest.reject(cause); // nobody else would see what a caller's own progress throws
      }
    } else if ("digest" in answer) this.#digest.resolve(answer.digest);
    else this.#digest.reject(new WimError(answer.code, answer.message));
  }
}
