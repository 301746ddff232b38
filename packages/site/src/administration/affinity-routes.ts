import * as contract from "@prestage/contract";
import { z } from "zod";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { decideAffinity, listAffinities, removeAffinity } from "../store/affinities.ts";

/** Whose device is whose: what sequences reported and administrators decide. */
export function affinityRoutes(api: Routes, context: SiteContext): void {
  api.get("/affinities", { schema: { querystring: contract.affinityListQuerySchema, response: { 200: z.array(contract.affinitySchema) } } }, (request) => listAffinities(context.db, request.query));
  api.post("/affinities", { schema: { body: contract.decideAffinityRequestSchema, response: { 200: contract.affinitySchema } } }, async (request) => {
    const { deviceId, user, decision } = request.body;
    const decided = await decideAffinity(context.db, context.now(), deviceId, user, decision);
    await audit(context, "administrator", `affinity-${decision}`, `device ${deviceId}: ${decided.user}`);
    return decided;
  });
  api.delete("/affinities", { schema: { querystring: contract.removeAffinityQuerySchema } }, async (request, reply) => {
    const { deviceId, user } = request.query;
    await removeAffinity(context.db, deviceId, user);
    await audit(context, "administrator", "affinity-remove", `device ${deviceId}: ${user}`);
    return reply.status(204).send();
  });
}
