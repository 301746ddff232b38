import * as contract from "@prestage/contract";
import { z } from "zod";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listDistributionPoints, listStatus, orderDistributionPoints, pointsToValidate, pointWithTarget, removeDistributionPoint, setDistributionPoint } from "../store/distribution-points.ts";

/** Distribution points: their order, what is published to them, what they are found to hold. */
export function distributionPointAdministration(api: Routes, context: SiteContext): void {
  const list = z.array(contract.distributionPointSchema);
  api.get("/distribution-points", { schema: { response: { 200: list } } }, () => listDistributionPoints(context.db));
  api.put("/distribution-points", { schema: { body: contract.setDistributionPointRequestSchema } }, async (request, reply) => {
    await setDistributionPoint(context.db, request.body);
    await audit(context, "administrator", "distribution-point-set", request.body.url);
    return reply.status(204).send();
  });
  api.put("/distribution-points/order", { schema: { body: contract.orderDistributionPointsRequestSchema, response: { 200: list } } }, async (request) => {
    const ordered = await orderDistributionPoints(context.db, request.body.urls);
    await audit(context, "administrator", "distribution-point-order", ordered.map((point) => point.url).join(" "));
    return ordered;
  });
  api.delete("/distribution-points", { schema: { querystring: z.strictObject({ url: z.url() }) } }, async (request, reply) => {
    await removeDistributionPoint(context.db, request.query.url);
    await audit(context, "administrator", "distribution-point-remove", request.query.url);
    return reply.status(204).send();
  });
  api.get("/distribution-points/status", { schema: { querystring: z.strictObject({ url: z.url().optional() }), response: { 200: z.array(contract.distributionStatusSchema) } } }, (request) => listStatus(context.db, request.query.url));
  api.post("/distribution-points/validate", { schema: { body: contract.validateDistributionPointsRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => {
    await pointsToValidate(context, request.body.url);
    return reply.status(202).send({ jobId: await context.jobs.add("validate-distribution-points", request.body) });
  });
  api.post("/distribution-points/redistribute", { schema: { body: contract.redistributeRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => {
    await pointWithTarget(context, request.body.url);
    return reply.status(202).send({ jobId: await context.jobs.add("redistribute", request.body) });
  });
}
