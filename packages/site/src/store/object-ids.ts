import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";

/** The next id of an object, sequence, collection or deployment: the site code and five upper-case hex digits. */
export async function nextObjectId(db: Database, siteCode: string): Promise<string> {
  const { rows } = await sql<{ next: string }>`SELECT nextval('object_id') AS next`.execute(db);
  return siteCode + Number(rows[0]?.next).toString(16).toUpperCase().padStart(5, "0");
}
