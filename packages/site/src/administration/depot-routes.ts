import { sha256Schema } from "@prestage/content";
import * as contract from "@prestage/contract";
import { openReceipt, TrustError } from "@prestage/trust";
import type { OpenedReceipt } from "@prestage/trust";
import { z } from "zod";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listDepots, openDepot, registerDepot, revokeDepot } from "../store/depots.ts";
import { keepReceipt, listReceipts } from "../store/receipts.ts";

const keyParams = z.strictObject({ id: sha256Schema });

/** Depots, and the receipts that count by their signature. */
export function depotRoutes(api: Routes, context: SiteContext): void {
  api.get("/depots", { schema: { response: { 200: z.array(contract.depotSchema) } } }, () => listDepots(context.db));
  api.post("/depots", { schema: { body: contract.registerDepotRequestSchema, response: { 200: contract.registerDepotAnswerSchema } } }, async (request) => {
    const { name, keyId, publicKey } = request.body;
    const confirmed = await registerDepot(context.db, name, { keyId, publicKey });
    await audit(context, "administrator", "depot-register", `${keyId} ${name}: ${confirmed} kept receipts confirmed`);
    return { depot: await openDepot(context.db, keyId), confirmed };
  });
  api.post("/depots/:id/revoke", { schema: { params: keyParams, response: { 200: contract.depotSchema } } }, async (request) => {
    await revokeDepot(context.db, request.params.id);
    await audit(context, "administrator", "depot-revoke", request.params.id);
    return openDepot(context.db, request.params.id);
  });
  // A receipt file as it is: an envelope, or plain.
  api.post("/receipts", { schema: { body: z.record(z.string(), z.unknown()), response: { 200: contract.importReceiptAnswerSchema } } }, async (request) => {
    const kept = await keepReceipt(context.db, opened(request.rawBody));
    await audit(context, "administrator", "receipt-import", `${kept.id} ${kept.confirmed ? "confirmed" : `unconfirmed: ${kept.reason ?? ""}`}`);
    return kept;
  });
  api.get("/receipts", { schema: { querystring: contract.receiptListQuerySchema, response: { 200: z.array(contract.receiptRecordSchema) } } }, (request) => listReceipts(context.db, request.query));
}

/** What is no receipt at all is a bad request; one that was altered keeps its own error. */
function opened(body: Buffer): OpenedReceipt {
  try {
    return openReceipt(body);
  } catch (cause) {
    if (cause instanceof TrustError && cause.code === "PRESTAGE_TRUST_DOCUMENT_MALFORMED") throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", cause.message, { cause });
    throw cause;
  }
}
