import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";

/** Tells listeners which device changed: PostgreSQL's LISTEN/NOTIFY, so that it works across server processes. */
export class DeviceFeed {
  readonly #listeners = new Set<(deviceId: string) => void>();
  readonly #connection: pg.ClientConfig;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  readonly #stopped = new AbortController();
  #again: Promise<void> | undefined;

  constructor(connection: pg.ClientConfig, log: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  async start(): Promise<void> {
    const client = new pg.Client(this.#connection);
    client.on("notification", (notification) => {
      for (const listener of this.#listeners) listener(notification.payload ?? "");
    });
    let live = false;
    client.on("error", (cause) => {
      if (!live || this.#stopped.signal.aborted) return;
      live = false;
      this.#log.warn({ err: cause }, "device feed lost its connection");
      this.#again = this.#startAgain();
    });
    try {
      await client.connect();
      await client.query("LISTEN device_changed");
    } catch (cause) {
      await client.end().catch(() => undefined);
      throw cause;
    }
    live = true;
    this.#client = client;
  }

  /** Until it succeeds: the database may be away for as long as it takes somebody to mend it. */
  async #startAgain(): Promise<void> {
    const { signal } = this.#stopped;
    for (let waitMs = 250; !signal.aborted; waitMs = Math.min(waitMs * 2, 10_000)) {
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.start();
        this.#log.info("device feed has a connection again");
        return;
      } catch {
        // Said once, when it was lost.
      }
    }
  }

  subscribe(listener: (deviceId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#again;
    await this.#client?.end().catch(() => undefined);
  }
}
