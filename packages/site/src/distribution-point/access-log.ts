import { appendFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

/** One answered request; `range` is what was sent, both ends included, null where nothing was. */
export interface AccessRecord { time: string; contentId: string; file: string; range: [number, number] | null; bytes: number; status: number; deviceId: string | null }

/** The distribution point's access log: JSON lines, in the order requests ended. */
export class AccessLog {
  readonly path: string;
  #waiting: string[] = [];
  #queue: Promise<void>;

  constructor(folder: string) {
    this.path = join(folder, "dp-access.ndjson");
    this.#queue = mkdir(folder, { recursive: true }).then(() => undefined);
  }

  /** Lines that come while others are written are written together. */
  add(record: AccessRecord): void {
    this.#waiting.push(`${JSON.stringify(record)}\n`);
    if (this.#waiting.length > 1) return;
    this.#queue = this.#queue.then(() => appendFile(this.path, this.#waiting.splice(0).join(""))).catch(() => undefined);
  }

  /** Resolves when everything added is written. */
  flush(): Promise<void> {
    return this.#queue;
  }
}
