import { setTimeout as delay } from "node:timers/promises";
import type { Job } from "@prestage/contract";
import { PgBoss } from "pg-boss";
import type pg from "pg";
import type { Logger } from "pino";
import { isDatabaseGone } from "../database/database-gone.ts";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";

export interface JobTools { signal: AbortSignal; onProgress: (event: { phase: string; done: number; total: number }) => void }
export type JobHandler = (data: unknown, tools: JobTools) => Promise<Record<string, unknown>>;

/** Writes to the job's row are at most this often. */
const progressIntervalMs = 200;

/**
 * Long work of the site: queued by pg-boss, so that it outlives a restart of the server; state, progress and result stand in table `job`.
 * One job at a time of each kind.
 */
export class JobRunner {
  readonly #boss: PgBoss;
  readonly #db: Database;
  readonly #log: Logger;
  readonly #running = new Map<string, AbortController>();
  readonly #stopping = new AbortController();

  constructor(db: Database, connection: pg.ClientConfig, log: Logger) {
    this.#db = db;
    this.#log = log;
    this.#boss = new PgBoss({ ...(connection as { host: string; database: string; user: string }), schema: "jobs", useListenNotify: true });
    this.#boss.on("error", (cause: Error) => log.error({ err: cause }, "job queue"));
  }

  async start(handlers: Record<Job["kind"], JobHandler>): Promise<void> {
    await this.#boss.start();
    // One server runs on a data directory, and it has just started: nobody works on these any more.
    const error = JSON.stringify({ code: "PRESTAGE_SITE_JOB_INTERRUPTED", message: "Expected the job to end; the server ended first. Start it again." });
    await this.#db.updateTable("job").set({ state: "failed", error }).where("state", "=", "running").execute();
    for (const kind of Object.keys(handlers) as Job["kind"][]) {
      // No retry: a job that failed is reported, and repeating an import is the administrator's decision.
      await this.#boss.createQueue(kind, { retryLimit: 0, expireInSeconds: 6 * 3600, notify: true });
      await this.#boss.work<{ id: string; data: unknown }>(kind, { pollingIntervalSeconds: 1 }, async (batch) => {
        for (const job of batch) await this.#run(handlers[kind], job.data.id, job.data.data);
      });
    }
  }

  /** Has something looked after once an hour, by one of the servers there are. */
  async everyHour(name: string, work: () => Promise<unknown>): Promise<void> {
    await this.#boss.createQueue(name, { retryLimit: 0 });
    await this.#boss.work(name, async () => void (await work()));
    await this.#boss.schedule(name, "17 * * * *");
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const controller of this.#running.values()) controller.abort(new Error("the server is stopping"));
    await this.#boss.stop({ graceful: true, timeout: 10_000 });
  }

  async add(kind: Job["kind"], data: unknown): Promise<string> {
    const { id } = await this.#db.insertInto("job").values({ kind }).returning("id").executeTakeFirstOrThrow();
    await this.#boss.send(kind, { id, data });
    return id;
  }

  /** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
  async get(id: string): Promise<Job> {
    const row = await this.#db.selectFrom("job").selectAll().where("id", "=", id).executeTakeFirst();
    if (row === undefined) throw notFound("job", id);
    return { id: row.id, kind: row.kind, state: row.state, progress: row.progress, result: row.result, error: row.error, created: row.created.toISOString() };
  }

  async cancel(id: string): Promise<void> {
    this.#running.get(id)?.abort(new Error("the job was cancelled"));
    await this.#db.updateTable("job").set({ state: "cancelled" }).where("id", "=", id).where("state", "=", "waiting").execute();
  }

  async #run(handler: JobHandler, id: string, data: unknown): Promise<void> {
    const claimed = await this.#db.updateTable("job").set({ state: "running" }).where("id", "=", id).where("state", "=", "waiting").executeTakeFirst();
    if (claimed.numUpdatedRows === 0n) return;
    const controller = new AbortController();
    this.#running.set(id, controller);
    let written = 0;
    const onProgress = (event: { phase: string; done: number; total: number }) => {
      if (Date.now() - written < progressIntervalMs) return;
      written = Date.now();
      this.#db.updateTable("job").set({ progress: JSON.stringify(event) }).where("id", "=", id).execute().catch((cause: unknown) => this.#log.warn({ err: cause }, "progress"));
    };
    try {
      const result = await handler(data, { signal: controller.signal, onProgress });
      await this.#conclude(id, { state: "succeeded", result: JSON.stringify(result) });
    } catch (cause) {
      const error = { code: cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : "PRESTAGE_SITE_INTERNAL", message: cause instanceof Error ? cause.message : String(cause) };
      this.#log.warn({ err: cause, job: id }, "job failed");
      await this.#conclude(id, { state: controller.signal.aborted ? "cancelled" : "failed", error: JSON.stringify(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  /** Writes how a job ended, also where the database is away just then: whoever waits for the job must learn it. */
  async #conclude(id: string, end: { state: "succeeded"; result: string } | { state: "failed" | "cancelled"; error: string }): Promise<void> {
    for (;;) {
      try {
        await this.#db.updateTable("job").set(end).where("id", "=", id).execute();
        return;
      } catch (cause) {
        if (!isDatabaseGone(cause) || this.#stopping.signal.aborted) throw cause;
        await delay(500, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      }
    }
  }
}
