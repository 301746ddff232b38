import * as contract from "@prestage/contract";
import { receiptSchema } from "@prestage/trust";
import { z } from "zod";
import { notFound } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { keepReceipt } from "../store/receipts.ts";

/** Receipts, and the depots whose signature makes them count. */
export function depotRoutes(api: Routes, context: SiteContext): void {
  api.post("/receipts", { schema: { body: receiptSchema } }, async (request) => {
    const known = await context.db.selectFrom("media").select("media_id").where("media_id", "=", request.body.mediaId).executeTakeFirst();
    if (known === undefined) throw notFound("media", request.body.mediaId);
    const id = await keepReceipt(context.db, request.body);
    await audit(context, "administrator", "receipt-import", id);
    return { id, confirmed: false };
  });
  api.get("/receipts", { schema: { response: { 200: z.array(contract.receiptRecordSchema) } } }, async () => {
    const found = await context.db.selectFrom("receipt").selectAll().orderBy("imported").execute();
    return found.map((row) => ({ id: row.id, mediaId: row.media_id, confirmed: row.confirmed, imported: row.imported.toISOString(), receipt: { ...row.document } }));
  });
}
