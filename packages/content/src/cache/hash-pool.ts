import { Worker } from "node:worker_threads";
import { z } from "zod";
import { hashWorkerSource } from "./hash-worker.ts";

const answerSchema = z.union([z.object({ id: z.number(), read: z.number(), sha256: z.string() }), z.object({ id: z.number(), error: z.string() })]);

/** What a range of a file hashed to; `error` where it could not be read. */
export type RangeHash = { read: number; sha256: string } | { error: string };

interface Waiting { resolve: (hash: RangeHash) => void }

/** Hashes ranges of files in several threads. Close it: threads keep a process alive. */
export class HashPool {
  #workers: Worker[] = [];
  #idle: Worker[] = [];
  #queue: { message: { id: number; path: string; offset: number; length: number }; waiting: Waiting }[] = [];
  #running = new Map<number, { worker: Worker; waiting: Waiting }>();
  #nextId = 0;

  constructor(threads: number) {
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(hashWorkerSource, { eval: true });
      worker.on("message", (message) => this.#finish(worker, message));
      worker.on("error", (cause) => this.#fail(worker, cause));
      this.#workers.push(worker);
      this.#idle.push(worker);
    }
  }

  /** SHA-256 of bytes [offset, offset + length) of a file; `read` is less where the file ends before. */
  hash(path: string, offset: number, length: number): Promise<RangeHash> {
    return new Promise((resolve) => {
      this.#queue.push({ message: { id: this.#nextId++, path, offset, length }, waiting: { resolve } });
      this.#dispatch();
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #dispatch(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle.pop();
      const job = this.#queue.shift();
      if (worker === undefined || job === undefined) return;
      this.#running.set(job.message.id, { worker, waiting: job.waiting });
      worker.postMessage(job.message);
    }
  }

  #finish(worker: Worker, message: unknown): void {
    const answer = answerSchema.parse(message);
    this.#running.get(answer.id)?.waiting.resolve(answer);
    this.#running.delete(answer.id);
    this.#idle.push(worker);
    this.#dispatch();
  }

  #fail(worker: Worker, cause: unknown): void {
    for (const [id, job] of this.#running) {
      if (job.worker !== worker) continue;
      job.waiting.resolve({ error: cause instanceof Error ? cause.message : String(cause) });
      this.#running.delete(id);
    }
    this.#workers = this.#workers.filter((one) => one !== worker);
    this.#idle = this.#idle.filter((one) => one !== worker);
    // Nobody is left to take what waits: it must not wait for ever.
    if (this.#workers.length === 0) for (const { waiting } of this.#queue.splice(0)) waiting.resolve({ error: "no hashing thread is left" });
  }
}
