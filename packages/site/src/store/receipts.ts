import { createHash } from "node:crypto";
import { canonicalJson } from "@prestage/trust";
import type { Receipt } from "@prestage/trust";
import type { Database } from "../database/open-database.ts";

/** Keeps a receipt; one that is there already is found again. Returns its id. */
export async function keepReceipt(db: Database, receipt: Receipt): Promise<string> {
  const document = canonicalJson(receipt);
  const { id } = await db
    .insertInto("receipt")
    .values({ media_id: receipt.mediaId, disk_guid: receipt.diskGuid, confirmed: false, document: document.toString("utf8"), sha256: createHash("sha256").update(document).digest("hex"), depot_key_id: null, claim_id: null })
    .onConflict((conflict) => conflict.column("sha256").doUpdateSet({ media_id: receipt.mediaId }))
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}
