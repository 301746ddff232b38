import { closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { statusMessageSchema } from "@prestage/contract";
import type { StatusMessage } from "@prestage/contract";
import { z } from "zod";
import { AgentError } from "../error.ts";
import { appendDurableLine, encodeLine, openDurableLines, syncFile, syncFolder, writeAll } from "../journal/durable-lines.ts";

export type NewStatusMessage = Omit<StatusMessage, "number" | "time" | "environment">;
export type SendStatus = (messages: StatusMessage[]) => Promise<{ highest: number }>;

const batchSize = 500;
/** Beyond this many unsent messages, reports of progress are no longer kept; everything else always is. */
const progressLimit = 10_000;
const compactAboveBytes = 4 * 1024 * 1024;
const longestPauseMs = 30_000;
/** The reference's first attempt, too, is several (SMSTSDisableStatusRetry). */
const attemptsOfTheFirst = 3;

/** `once`: which transition the last message that had one told of; with `confirmed` where the file was written anew. */
const onceSchema = z.string().max(512).optional();
const recordSchema = z.union([z.strictObject({ message: statusMessageSchema, once: onceSchema }), z.strictObject({ confirmed: z.int().min(0), once: onceSchema })]);

interface HeldRecord { record: z.infer<typeof recordSchema>; sync: boolean }

/**
 * Status messages on the disk until the management point has confirmed them, sent in order by a pump in the background.
 * Posting never waits for the network; numbers rise by one across restarts, so the site can keep each once.
 */
export class StatusSpool {
  readonly #path: string;
  readonly #environment: StatusMessage["environment"];
  readonly #now: () => Date;
  #pending: StatusMessage[];
  #last: number;
  #confirmed: number;
  #once: string | undefined;
  #bytes: number;
  #unsynced = false;
  #deploymentId: string | undefined;
  #send: SendStatus | undefined;
  #sending = false;
  #stopped = false;
  #failures = 0;
  /** false: the first message that cannot be sent is the last one tried. */
  #retries = true;
  #timer: NodeJS.Timeout | undefined;
  /** Records that wait for the disk. */
  #held: HeldRecord[] | undefined;
  readonly #waiters = new Set<() => void>();

  private constructor(path: string, environment: StatusMessage["environment"], now: () => Date, read: { pending: StatusMessage[]; last: number; confirmed: number; once: string | undefined; bytes: number }) {
    this.#path = path;
    this.#environment = environment;
    this.#now = now;
    this.#pending = read.pending;
    this.#last = read.last;
    this.#confirmed = read.confirmed;
    this.#once = read.once;
    this.#bytes = read.bytes;
  }

  /** @throws AgentError PRESTAGE_AGENT_STATE_DAMAGED */
  static async open(folder: string, environment: StatusMessage["environment"], now: () => Date): Promise<StatusSpool> {
    const path = join(folder, "messages");
    const { values, goodBytes, damaged } = openDurableLines(path);
    if (damaged) throw spoolDamaged(path);
    const messages: StatusMessage[] = [];
    let confirmed = 0;
    let once: string | undefined;
    for (const value of values) {
      const parsed = recordSchema.safeParse(value);
      if (!parsed.success) throw spoolDamaged(path, parsed.error);
      once = parsed.data.once ?? once;
      if ("message" in parsed.data) messages.push(parsed.data.message);
      else confirmed = Math.max(confirmed, parsed.data.confirmed);
    }
    const last = messages.reduce((highest, message) => Math.max(highest, message.number), confirmed);
    return new StatusSpool(path, environment, now, { pending: messages.filter((message) => message.number > confirmed), last, confirmed, once, bytes: goodBytes });
  }

  /** Messages not yet confirmed. */
  get pending(): number {
    return this.#pending.length;
  }
  /** The number of the last message posted, confirmed or not; 0 if there was none. */
  get lastNumber(): number {
    return this.#last;
  }

  /** Later messages belong to this deployment. */
  setDeployment(id: string): void {
    this.#deploymentId = id;
  }

  /**
   * Keeps a message on the disk and returns; what is too long for the site is cut. `once` names what it tells of: where the last message that had a name
   * told of the same, nothing is posted (a power cut came between that message and the journal's entry).
   */
  post(message: NewStatusMessage, once?: string): void {
    const told = once === undefined ? undefined : `${this.#deploymentId ?? ""} ${once}`.slice(0, 512);
    if (told !== undefined && told === this.#once) return;
    const isProgress = message.kind === "content-fetch-progress";
    if (isProgress && this.#pending.length >= progressLimit) return;
    const numbered = statusMessageSchema.parse({
      ...(this.#deploymentId !== undefined && { deploymentId: this.#deploymentId }),
      ...fitted(message),
      number: this.#last + 1, time: this.#now().toISOString(), environment: this.#environment,
    });
    // Progress alone is not worth a flush of the disk; it is flushed before it is sent.
    this.#append({ message: numbered, ...(told !== undefined && { once: told }) }, !isProgress);
    this.#once = told ?? this.#once;
    this.#last = numbered.number;
    this.#pending.push(numbered);
    if (this.#failures === 0) this.#wake(0);
  }

  /** Starts sending in the background. */
  start(send: SendStatus): void {
    this.#send = send;
    this.#stopped = false;
    this.#wake(0);
  }

  /** Whether a message that could not be sent is tried again; where not, what is left stays on the disk until the next start of the agent, which tries once. */
  setRetries(retries: boolean): void {
    const more = retries && !this.#retries;
    this.#retries = retries;
    if (more && this.#pending.length > 0) this.#wake(0);
    if (this.#givenUp) for (const check of this.#waiters) check();
  }
  get #givenUp(): boolean {
    return !this.#retries && this.#failures >= attemptsOfTheFirst;
  }

  /** Sends what is left now. True when everything is confirmed; false when the time was over or the spool was stopped before. */
  async flush(timeoutMs?: number): Promise<boolean> {
    if (this.#pending.length === 0) return true;
    if (this.#send === undefined || this.#stopped || this.#givenUp) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const check = () => {
      if (this.#pending.length === 0 || this.#stopped || this.#givenUp) resolve(this.#pending.length === 0);
    };
    this.#waiters.add(check);
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => resolve(false), timeoutMs);
    this.#wake(0);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters.delete(check);
    }
  }

  /** Ends sending; messages posted later are kept for the next start. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const check of this.#waiters) check();
  }

  /**
   * Keeps everything off the disk until the function it returns is called; what is posted meanwhile waits in memory, and nothing is sent: a number
   * that was sent must not be given again after a power cut.
   */
  async hold(): Promise<() => void> {
    clearTimeout(this.#timer);
    const held: HeldRecord[] = [];
    this.#held = held;
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = () => {
      if (!this.#sending) resolve();
    };
    this.#waiters.add(check);
    check();
    await promise;
    this.#waiters.delete(check);
    // What an answer on its way has confirmed still goes to the disk.
    for (const { record, sync } of held.splice(0)) this.#write(record, sync);
    this.#sync();
    return () => {
      this.#held = undefined;
      for (const { record, sync } of held) this.#write(record, sync);
      this.#wake(0);
    };
  }

  #wake(afterMs: number): void {
    if (this.#send === undefined || this.#stopped || this.#sending || this.#held !== undefined || this.#givenUp) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#pump(), afterMs);
  }

  async #pump(): Promise<void> {
    if (this.#sending || this.#stopped || this.#send === undefined) return;
    this.#sending = true;
    try {
      while (this.#pending.length > 0 && !this.#stopped && this.#held === undefined) {
        const batch = this.#pending.slice(0, batchSize);
        this.#sync(); // a number that was sent must never be given again
        const { highest } = await this.#send(batch);
        const last = batch.at(-1)?.number ?? 0;
        if (highest < (batch[0]?.number ?? 0)) throw new Error(`the management point kept none of ${batch.length} messages`);
        this.#failures = 0;
        this.#confirm(Math.min(highest, last));
      }
    } catch {
      // The sender logs its failures; here they only mean: later.
      this.#failures++;
    } finally {
      this.#sending = false;
    }
    for (const check of this.#waiters) check();
    if (this.#pending.length > 0) this.#wake(Math.min(longestPauseMs, 500 * 2 ** Math.min(this.#failures, 10)));
  }

  #confirm(number: number): void {
    this.#pending = this.#pending.filter((message) => message.number > number);
    this.#confirmed = number;
    // Lost in a power cut, the same messages are sent again, and the site keeps each number once.
    this.#append({ confirmed: number }, false);
    if (this.#bytes > compactAboveBytes && this.#held === undefined) this.#compact();
  }

  #append(record: z.infer<typeof recordSchema>, sync: boolean): void {
    if (this.#held === undefined) this.#write(record, sync);
    else this.#held.push({ record, sync });
  }

  #write(record: z.infer<typeof recordSchema>, sync: boolean): void {
    const line = encodeLine(record);
    appendDurableLine(this.#path, line, sync);
    this.#bytes += Buffer.byteLength(line);
    this.#unsynced = !sync;
  }

  #sync(): void {
    if (this.#unsynced) syncFile(this.#path);
    this.#unsynced = false;
  }

  /** Writes the file anew with what is still needed, beside it, flushed and renamed. */
  #compact(): void {
    const records: z.infer<typeof recordSchema>[] = [{ confirmed: this.#confirmed, ...(this.#once !== undefined && { once: this.#once }) }, ...this.#pending.map((message) => ({ message }))];
    const bytes = Buffer.from(records.map(encodeLine).join(""));
    const temporary = `${this.#path}.new`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeAll(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#path);
    syncFolder(dirname(this.#path));
    this.#bytes = bytes.length;
    this.#unsynced = false;
  }
}

/** The site refuses a message that is too long, and its store knows no NUL: better cut than lost. */
function fitted(message: NewStatusMessage): NewStatusMessage {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const clean = (text: string) => text.replace(/\u0000/g, "").toWellFormed();
  const { outputTail, text, error, step, group, ...rest } = message;
  return {
    ...rest,
    ...(outputTail !== undefined && { outputTail: clean(outputTail).slice(-4000).toWellFormed() }),
    ...(text !== undefined && { text: clean(text).slice(0, 2000).toWellFormed() }),
    ...(error && { error: { code: clean(error.code).slice(0, 128), message: clean(error.message).slice(0, 2000).toWellFormed() } }),
    ...(step && { step: { id: step.id.slice(0, 128), name: step.name.slice(0, 256), type: step.type.slice(0, 64), path: step.path.slice(0, 32) } }),
    ...(group && { group: { id: group.id.slice(0, 128), name: group.name.slice(0, 256), path: group.path.slice(0, 32) } }),
  };
}

function spoolDamaged(path: string, cause?: unknown): AgentError {
  return new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", `Expected status messages in ${path}; found a damaged line among good ones.`, "The disk may be failing. Stage it again to start over.", { cause });
}
