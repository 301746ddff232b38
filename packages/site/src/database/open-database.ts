import { Kysely, PostgresDialect } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";
import { SiteError } from "../error.ts";
import { migrations } from "./migrations.ts";
import { startPrivatePostgres } from "./private-postgres.ts";
import type { PrivatePostgres } from "./private-postgres.ts";
import type { Tables } from "./tables.ts";

export type Database = Kysely<Tables>;
export interface OpenedDatabase { db: Database; pool: pg.Pool; connection: pg.ClientConfig; close(): Promise<void> }

/** Opens the site's database, starting the private PostgreSQL unless an external one is named, and brings it to the newest form. */
export async function openDatabase(folder: string, databaseUrl: string | undefined): Promise<OpenedDatabase> {
  const server = databaseUrl === undefined ? await startPrivatePostgres(folder) : undefined;
  try {
    return await openWith(server, databaseUrl);
  } catch (cause) {
    await server?.stop();
    throw cause;
  }
}

async function openWith(server: PrivatePostgres | undefined, databaseUrl: string | undefined): Promise<OpenedDatabase> {
  const connection: pg.ClientConfig = server?.connection ?? { connectionString: databaseUrl ?? "" };
  const pool = new pg.Pool({ ...connection, max: 20 });
  pool.on("error", () => undefined); // a lost idle connection is replaced at the next query
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
      await db.destroy();
      await server?.stop();
    },
  };
}
