import pg from "pg";
import type { Logger } from "pino";

/** Tells listeners which device changed: PostgreSQL's LISTEN/NOTIFY, so that it works across server processes. */
export class DeviceFeed {
  readonly #listeners = new Set<(deviceId: string) => void>();
  readonly #connection: pg.ClientConfig;
  readonly #log: Logger;
  #client: pg.Client | undefined;
  #stopped = false;

  constructor(connection: pg.ClientConfig, log: Logger) {
    this.#connection = connection;
    this.#log = log;
  }

  async start(): Promise<void> {
    const client = new pg.Client(this.#connection);
    client.on("notification", (notification) => {
      for (const listener of this.#listeners) listener(notification.payload ?? "");
    });
    client.on("error", (cause) => {
      if (this.#stopped) return;
      this.#log.warn({ err: cause }, "device feed lost its connection");
      setTimeout(() => void this.start().catch((again: unknown) => this.#log.error({ err: again }, "device feed")), 1000);
    });
    await client.connect();
    await client.query("LISTEN device_changed");
    this.#client = client;
  }

  subscribe(listener: (deviceId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#client?.end();
  }
}
