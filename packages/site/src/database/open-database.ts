import { Kysely, PostgresDialect } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";
import type { Logger } from "pino";
import { SiteError } from "../error.ts";
import { migrations } from "./migrations.ts";
import { startPrivatePostgres } from "./private-postgres.ts";
import type { PrivatePostgres } from "./private-postgres.ts";
import type { ServerEvent } from "./supervised-server.ts";
import type { Tables } from "./tables.ts";

export type Database = Kysely<Tables>;
export interface OpenedDatabase { db: Database; pool: pg.Pool; connection: pg.ClientConfig; close(): Promise<void> }

/** Opens the site's database, starting the private PostgreSQL unless an external one is named, and brings it to the newest form. */
export async function openDatabase(folder: string, databaseUrl: string | undefined, log: Logger): Promise<OpenedDatabase> {
  const busy = new Set<pg.PoolClient>();
  const onEvent = (event: ServerEvent) => {
    // A process of the dead server that is kept busy does not notice, and as long as it lives no new server can start.
    if (event.kind === "ended") for (const client of busy) void (client as unknown as pg.Client).end().catch(() => undefined);
    tell(log, event);
  };
  const server = databaseUrl === undefined ? await startPrivatePostgres(folder, onEvent) : undefined;
  try {
    return await openWith(server, databaseUrl, busy);
  } catch (cause) {
    await server?.stop();
    throw cause;
  }
}

async function openWith(server: PrivatePostgres | undefined, databaseUrl: string | undefined, busy: Set<pg.PoolClient>): Promise<OpenedDatabase> {
  const connection: pg.ClientConfig = server?.connection ?? { connectionString: databaseUrl ?? "" };
  const pool = new pg.Pool({ ...connection, max: 20 });
  pool.on("error", () => undefined); // a lost idle connection is replaced at the next query
  pool.on("connect", (client) => client.on("error", () => undefined)); // one in use: the pool does not listen then, and its query fails
  pool.on("acquire", (client) => busy.add(client));
  pool.on("release", (_error, client) => busy.delete(client));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const { error, results } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
  if (error !== undefined) {
    const failed = results?.find((result) => result.status === "Error")?.migrationName ?? "unknown";
    await db.destroy();
    throw new SiteError("PRESTAGE_SITE_DATABASE", `Expected migration ${failed} to succeed; found: ${error instanceof Error ? error.message : JSON.stringify(error)}`, { cause: error });
  }
  return {
    db, pool, connection,
    close: async () => {
      try {
        await db.destroy();
      } finally {
        await server?.stop();
      }
    },
  };
}

function tell(log: Logger, event: ServerEvent): void {
  if (event.kind === "ended") log.error({ how: event.how, againInMs: event.againInMs }, "PostgreSQL ended; it is started again");
  else if (event.kind === "answers") log.warn("PostgreSQL answers again");
  else log.error({ err: event.cause }, "PostgreSQL was not started again");
}
