import { availableParallelism } from "node:os";
import type { Worker } from "node:worker_threads";
import { WimError } from "./error.ts";
import { hashRange, type HashAlgorithm } from "./hash-range.ts";
import { startHashThread, type HashedVolume, type HashJob } from "./hash-thread.ts";
import { defaultWimLimits, type WimLimits } from "./limits.ts";
import type { HashAnswer, RangeJob, ThreadWork } from "./range-thread.ts";
import { resourceFlags, type ResourceHeader } from "./resource-header.ts";
import type { ResourceReader } from "./resource.ts";
import { checkRange } from "./source.ts";
import type { Volume } from "./volume.ts";

export interface HasherOptions {
  /** By default one for each processor; 0: the calling thread does it. */
  readonly threads?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Below this many bytes threads take longer to start than the work. */
export const worthThreads = 2 ** 25;
/** A thread is given small jobs together, up to this many and this many bytes. */
const jobsAtOnce = 256;
const bytesAtOnce = 2 ** 22;
/** Of a long queue more: it must not wait for a caller that is busy. */
const bytesAhead = 2 ** 25;

interface Waiting { readonly job: HashJob; readonly onBytes: (bytes: number) => void; readonly resolve: (digest: string) => void; readonly reject: (cause: unknown) => void }
/** An open WIM, or one file of it. */
export type HashedWim = ResourceReader & { readonly limits?: WimLimits };

/**
 * Hashes what resources decode to, in several threads that read the file themselves: decoding is what costs, and no bytes pass between threads. Data that cannot be
 * read by range from a local file (solid, from a web server, in memory) are hashed by the calling thread. Close it: threads keep a process alive.
 */
export class ResourceHasher {
  readonly #threads: number;
  readonly #signal: AbortSignal | undefined;
  readonly #workers = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<number, { readonly waiting: Waiting; readonly worker: Worker }>();
  readonly #volumes = new WeakMap<Volume, HashedVolume>();
  readonly #ahead = new Map<string, Promise<string>>();
  #nextId = 0;
  /** Bytes of the queue. */
  #queued = 0;
  #refused: Error | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: HasherOptions = {}) {
    this.#threads = options.threads ?? availableParallelism();
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Decoded bytes [from, to) of a resource; `onBytes` is told what was done since it was told last. Throws WimError, and the signal's reason. */
  async hash(wim: HashedWim, resource: ResourceHeader, from: number, to: number, algorithm: HashAlgorithm, onBytes: (bytes: number) => void = () => {}): Promise<string> {
    this.#signal?.throwIfAborted();
    const place = resource.place?.volume ?? wim.volume;
    const files = place.source.descriptorPaths;
    if (this.#threads === 0 || files === undefined || resource.place?.solid !== undefined) return await this.#here(async () => await hashRange(wim, resource, from, to, algorithm, { onBytes, ...(this.#signal && { signal: this.#signal }) }));
    const { offset, size, storedSize, flags } = resource;
    if (isRange(resource)) {
      checkRange(size, from, to - from);
      checkRange(place.source.size, offset + from, to - from);
    }
    const volume = this.#describe(place, files, wim.limits ?? defaultWimLimits);
    const begun = isRange(resource) ? this.#ahead.get(keyOf(volume, offset + from, offset + to, algorithm)) : undefined;
    if (begun !== undefined) {
      const digest = await begun;
      onBytes(to - from);
      return digest;
    }
    return await this.#ask({ id: this.#nextId++, volume, resource: { offset, size, storedSize, flags }, from, to, algorithm }, onBytes);
  }

  #ask(job: HashJob, onBytes: (bytes: number) => void): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      this.#queued += job.to - job.from;
      this.#queue.push({ job, onBytes, resolve, reject });
      this.#dispatch();
    });
  }

  /** Begins spans of stored data that will be asked for, while the caller finds out what they are to be. */
  ahead(wim: HashedWim, resource: ResourceHeader, span: number, algorithm: HashAlgorithm): void {
    const { source } = wim.volume;
    const files = source.descriptorPaths;
    const { offset, size, storedSize, flags } = resource;
    if (this.#threads === 0 || files === undefined || resource.place !== undefined || !isRange(resource)) return;
    checkRange(source.size, offset, size);
    const volume = this.#describe(wim.volume, files, wim.limits ?? defaultWimLimits);
    for (let from = 0; from < size; from += span) {
      const to = Math.min(size, from + span);
      const begun = this.#ask({ id: this.#nextId++, volume, resource: { offset, size, storedSize, flags }, from, to, algorithm }, () => {});
      begun.catch(() => {}); // thrown where it is asked for
      this.#ahead.set(keyOf(volume, offset + from, offset + to, algorithm), begun);
    }
  }

  /** Starts the threads before there is work for them: while the caller finds out what is to be hashed. */
  warm(): void {
    for (let worker = this.#start(); worker !== undefined; worker = this.#start()) this.#idle.push(worker);
  }

  /** One after the other, in the order asked for: each chunk of a solid resource is decoded once, and one piece is in memory. */
  async #here(work: () => Promise<string>): Promise<string> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return await result;
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#end(new Error("the hasher was closed"));
    await Promise.all([...this.#workers].map((worker) => worker.terminate()));
  }

  readonly #abort = (): void => {
    const reason: unknown = this.#signal?.reason;
    this.#end(reason instanceof Error ? reason : new Error(String(reason)));
    for (const worker of this.#workers) void worker.terminate();
  };

  #describe(volume: Volume, files: HashedVolume["files"], limits: WimLimits): HashedVolume {
    const { source, compression, chunkSize, pipable } = volume;
    const known = this.#volumes.get(volume) ?? { id: this.#nextId++, files, size: source.size, compression, chunkSize, pipable, limits };
    this.#volumes.set(volume, known);
    return known;
  }

  #dispatch(): void {
    if (this.#refused !== undefined) return this.#end(this.#refused);
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? this.#start();
      if (worker === undefined) return;
      const jobs: HashJob[] = [];
      const most = Math.max(bytesAtOnce, Math.min(bytesAhead, this.#queued / this.#threads / 2));
      for (let bytes = 0; this.#queue.length > 0 && jobs.length < jobsAtOnce && bytes < most; ) {
        const waiting = this.#queue.shift()!;
        this.#running.set(waiting.job.id, { waiting, worker });
        jobs.push(waiting.job);
        bytes += waiting.job.to - waiting.job.from;
        this.#queued -= waiting.job.to - waiting.job.from;
      }
      const ranges = jobs.flatMap((job) => rangeOf(job) ?? []);
      if (ranges.length > 0) worker.postMessage({ ranges } satisfies ThreadWork);
      if (ranges.length < jobs.length) worker.postMessage({ others: jobs.filter((job) => rangeOf(job) === undefined) } satisfies ThreadWork);
    }
  }

  #start(): Worker | undefined {
    if (this.#workers.size >= this.#threads) return undefined;
    const worker = startHashThread();
    this.#workers.add(worker);
    worker.on("message", (answer: HashAnswer) => this.#take(worker, answer));
    worker.on("error", (cause) => this.#end(new WimError("PRESTAGE_WIM_IO", `A thread that hashes data ended: ${String(cause)}. Start again.`, { cause })));
    return worker;
  }

  #take(worker: Worker, answer: HashAnswer): void {
    const running = this.#running.get(answer.id);
    if (running === undefined) return;
    const { waiting } = running;
    if ("bytes" in answer) return waiting.onBytes(answer.bytes);
    this.#running.delete(answer.id);
    if ("digest" in answer) waiting.resolve(answer.digest);
    else waiting.reject(new WimError(answer.code, answer.message));
    for (const other of this.#running.values()) if (other.worker === worker) return;
    this.#idle.push(worker);
    this.#dispatch();
  }

  /** Nobody must wait for ever for what will not come. */
  #end(cause: Error): void {
    this.#refused ??= cause;
    for (const { reject } of this.#queue.splice(0)) reject(cause);
    for (const { waiting } of this.#running.values()) waiting.reject(cause);
    this.#running.clear();
  }
}

function keyOf(volume: HashedVolume, from: number, to: number, algorithm: HashAlgorithm): string {
  return `${volume.id} ${from} ${to} ${algorithm}`;
}

/** What is stored as it decodes is a range of the file. */
function rangeOf({ id, volume, resource, from, to, algorithm }: HashJob): RangeJob | undefined {
  if (!isRange(resource)) return undefined;
  return { id, volume: volume.id, files: volume.files, from: resource.offset + from, to: resource.offset + to, algorithm };
}

function isRange({ flags, size, storedSize }: HashJob["resource"]): boolean {
  return (flags & resourceFlags.compressed) === 0 && size === storedSize;
}

/** Lends the caller's hasher, or one for as long as `use` takes: with threads where there are enough bytes. */
export async function withHasher<T>(options: { readonly hasher?: ResourceHasher; readonly signal?: AbortSignal }, bytes: number, use: (hasher: ResourceHasher) => Promise<T>): Promise<T> {
  if (options.hasher !== undefined) return await use(options.hasher);
  const hasher = new ResourceHasher({ ...(bytes < worthThreads && { threads: 0 }), signal: options.signal });
  try {
    return await use(hasher);
  } finally {
    await hasher.close();
  }
}
