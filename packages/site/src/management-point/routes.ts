import { contentUrlsAnswerSchema, contentUrlsRequestSchema, challengeAnswerSchema, enrolmentAnswerSchema, keyringsAnswerSchema, keyringsQuerySchema, managementPointPaths, policyAnswerSchema, policyRequestSchema, renewalAnswerSchema, renewalQuerySchema, secretsAnswerSchema, secretsRequestSchema, statusAnswerSchema, statusRequestSchema } from "@prestage/contract";
import { challengeRequestSchema, enrolmentRequestSchema, nonceSchema, signTime } from "@prestage/trust";
import { z } from "zod";
import type { Routes } from "../http/new-server.ts";
import type { SiteContext } from "../site-context.ts";
import { signContentUrls } from "../distribution-point/sign-content-urls.ts";
import { readRenewal } from "../store/media-life.ts";
import { authenticate, NonceMemory } from "./authenticate.ts";
import { answerChallenge, enrol } from "./enrol.ts";
import { createGuards, sourceOf } from "./guards.ts";
import { lookAtAlerts } from "../jobs/alert-watch.ts";
import { keepStatus } from "./keep-status.ts";
import { makePolicy } from "./make-policy.ts";
import { answerSecrets } from "./secrets-answer.ts";

const keyringsAtOnce = 16;

/** What a caller may send before it has proven anything. */
const unprovenBodyLimit = 64 * 1024;

/** The management point's interface (packages/contract, managementPointPaths). The first four are for unproven callers and cost no memory. */
export function managementPointRoutes(server: Routes, context: SiteContext): void {
  const nonces = new NonceMemory();
  const guards = createGuards(context.configuration.unprovenPerSecond);

  server.get(managementPointPaths.time, { schema: { querystring: z.strictObject({ nonce: nonceSchema }) } }, (request, reply) =>
    reply.type("application/json").send(signTime(request.query.nonce, context.now(), context.keys.signing.time)),
  );
  server.get(managementPointPaths.keyrings, { schema: { querystring: keyringsQuerySchema, response: { 200: keyringsAnswerSchema } } }, async (request) => ({
    // The chain begins with version 1.
    keyrings: context.keys.keyringChain.slice(request.query.after, request.query.after + keyringsAtOnce).map((envelope) => envelope.toString("base64")),
  }));
  server.get(managementPointPaths.renewal, { schema: { querystring: renewalQuerySchema, response: { 200: renewalAnswerSchema } } }, async (request) => ({ renewal: (await readRenewal(context.db, request.query.mediaId))?.toString("base64") ?? null }));
  server.post(managementPointPaths.challenge, { bodyLimit: unprovenBodyLimit, schema: { body: challengeRequestSchema, response: { 200: challengeAnswerSchema } } }, async (request) =>
    answerChallenge(context, guards, request.body, sourceOf(request.ip)),
  );
  server.post(managementPointPaths.enrolment, { bodyLimit: unprovenBodyLimit, schema: { body: enrolmentRequestSchema, response: { 200: enrolmentAnswerSchema } } }, async (request) =>
    enrol(context, guards, request.body, sourceOf(request.ip)),
  );

  server.post(managementPointPaths.policy, { schema: { body: policyRequestSchema, response: { 200: policyAnswerSchema } } }, async (request) => {
    const device = await authenticate(context, nonces, request);
    await touchDevice(context, device.id);
    return makePolicy(context, device, request.body);
  });
  server.post(managementPointPaths.contentUrls, { schema: { body: contentUrlsRequestSchema, response: { 200: contentUrlsAnswerSchema } } }, async (request) => {
    const device = await authenticate(context, nonces, request);
    const { policy_content } = await context.db.selectFrom("device").select("policy_content").where("id", "=", device.id).executeTakeFirstOrThrow();
    return signContentUrls(context, device.id, request.body.contentIds.filter((id) => policy_content.includes(id)));
  });
  server.post(managementPointPaths.secrets, { schema: { body: secretsRequestSchema, response: { 200: secretsAnswerSchema } } }, async (request) => answerSecrets(context, await authenticate(context, nonces, request), request.body));
  server.post(managementPointPaths.status, { schema: { body: statusRequestSchema, response: { 200: statusAnswerSchema } } }, async (request) => {
    const device = await authenticate(context, nonces, request);
    await touchDevice(context, device.id);
    const highest = await keepStatus(context.db, device, request.body.messages);
    if (request.body.messages.some((message) => message.kind === "sequence-finished")) lookAtAlerts(context);
    return { highest };
  });
}

/** Marks a device as heard of. */
async function touchDevice(context: SiteContext, deviceId: string): Promise<void> {
  await context.db.updateTable("device").set({ last_seen: context.now() }).where("id", "=", deviceId).execute();
}
