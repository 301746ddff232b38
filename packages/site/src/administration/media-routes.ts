import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { sha256Schema } from "@prestage/content";
import * as contract from "@prestage/contract";
import { objectIdSchema } from "@prestage/media";
import { signRenewal } from "@prestage/trust";
import { z } from "zod";
import { parseRange } from "../distribution-point/parse-range.ts";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { schedulePatches } from "../jobs/patches-job.ts";
import { listMedia, openMedia, renewMedia, revisedContent, revokeMedia } from "../store/media-life.ts";
import { requestLike } from "../store/media-request.ts";
import { planMedia } from "../store/plan-media.ts";
import { openSequence } from "../store/sequences.ts";

const mediaParams = z.strictObject({ id: sha256Schema });
/** `content`: ids with commas between; of these alone, whatever the sequence names. */
const planQuery = z.strictObject({ taskSequence: objectIdSchema.optional(), content: z.string().max(100_000).transform((text) => text.split(",")).pipe(z.array(objectIdSchema).min(1)).optional() });

/** A media from its creation to its end. */
export function mediaRoutes(api: Routes, context: SiteContext): void {
  const open = (id: string) => openMedia(context.db, context.now(), id);
  api.post("/media", { schema: { body: contract.createMediaRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => {
    await openSequence(context.db, request.body.taskSequenceId);
    return reply.status(202).send({ jobId: await context.jobs.add("media-create", request.body) });
  });
  api.get("/media", { schema: { response: { 200: z.array(contract.mediaRecordSchema) } } }, () => listMedia(context.db, context.now()));
  api.get("/media/:id", { schema: { params: mediaParams, response: { 200: contract.mediaRecordSchema } } }, (request) => open(request.params.id));
  api.get("/media/:id/revised", { schema: { params: mediaParams, response: { 200: z.array(contract.revisedContentSchema) } } }, async (request) => revisedContent(context.db, (await open(request.params.id)).manifest));
  api.get("/media/:id/plan", { schema: { params: mediaParams, querystring: planQuery, response: { 200: z.array(contract.contentPlanSchema) } } }, async (request) => planMedia(context, (await open(request.params.id)).manifest, request.query.taskSequence, request.query.content));
  api.post("/media/:id/rebuild", { schema: { params: mediaParams, body: contract.rebuildMediaRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => {
    const { mediaId, manifest } = await open(request.params.id);
    await openSequence(context.db, manifest.taskSequence.id);
    return reply.status(202).send({ jobId: await context.jobs.add("media-create", await requestLike(context.db, mediaId, manifest, request.body)) });
  });
  api.post("/media/:id/renew", { schema: { params: mediaParams, body: contract.renewMediaRequestSchema, response: { 200: contract.mediaRecordSchema } } }, async (request) => {
    const { id } = request.params;
    const validTo = new Date(request.body.validTo);
    const sign = () => signRenewal({ format: "prestage-renewal-v1", mediaId: id, validTo: validTo.toISOString(), issued: context.now().toISOString() }, context.keys.signing.media);
    await renewMedia(context.db, context.now(), id, validTo, sign);
    await audit(context, "administrator", "media-renew", `${id} to ${validTo.toISOString()}`);
    return open(id);
  });
  api.post("/media/:id/revoke", { schema: { params: mediaParams, response: { 200: contract.mediaRecordSchema } } }, async (request) => {
    await revokeMedia(context.db, request.params.id);
    await audit(context, "administrator", "media-revoke", request.params.id);
    await schedulePatches(context);
    return open(request.params.id);
  });
  api.get("/media/:id/file", { schema: { params: mediaParams } }, async (request, reply) => {
    const { path, size } = await open(request.params.id);
    const found = await stat(path).then((status) => status.size, () => undefined);
    if (found !== size) throw new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected the media at ${path} with ${size} bytes; found ${found === undefined ? "none" : `${found} bytes`}. Build it again.`);
    const range = parseRange(request.headers.range, size);
    if (range === "unsatisfiable") return reply.status(416).header("content-range", `bytes */${size}`).send();
    const { first, last } = range === "whole" ? { first: 0, last: size - 1 } : range;
    if (range !== "whole") reply.status(206).header("content-range", `bytes ${first}-${last}/${size}`);
    return reply.type("application/octet-stream").header("content-length", last - first + 1).send(createReadStream(path, { start: first, end: last }));
  });
}
