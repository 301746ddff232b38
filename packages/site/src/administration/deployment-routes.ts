import * as contract from "@prestage/contract";
import { objectIdSchema } from "@prestage/media";
import { z } from "zod";
import { notFound, SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listDeployments, openDeployment } from "../store/deployments.ts";
import { openDevice } from "../store/devices.ts";
import { guardHighRisk } from "../store/high-risk.ts";
import { nextObjectId } from "../store/object-ids.ts";
import { requireWhole } from "../store/sequence-faults.ts";
import { openSequence } from "../store/sequences.ts";

const idParams = z.strictObject({ id: objectIdSchema });

/** What a task sequence is deployed to, when and how. What may not be deployed is refused here, when it is created and when it is made required. */
export function deploymentRoutes(api: Routes, context: SiteContext): void {
  const { db } = context;
  api.get("/deployments", { schema: { response: { 200: z.array(contract.deploymentSchema) } } }, () => listDeployments(db));
  api.get("/deployments/:id", { schema: { params: idParams, response: { 200: contract.deploymentSchema } } }, (request) => openDeployment(db, request.params.id));
  api.post("/deployments", { schema: { body: contract.createDeploymentRequestSchema, response: { 200: contract.deploymentSchema } } }, async (request) => {
    const { taskSequenceId, collectionId, deviceId, purpose, makeAvailableTo, comment, secretsToPassword, availableFrom = null, expires = null, ...agreed } = request.body;
    const stored = await openSequence(db, taskSequenceId);
    checkTimes(availableFrom, expires);
    if (deviceId !== undefined) await openDevice(db, deviceId);
    if (collectionId !== undefined && !(await db.selectFrom("collection").select("id").where("id", "=", collectionId).executeTakeFirst())) throw notFound("collection", collectionId);
    await requireWhole(db, stored);
    const target = { collectionId: collectionId ?? null, deviceId: deviceId ?? null };
    const accepted = purpose === "required" ? await guardHighRisk(db, stored.sequence, target, agreed) : [];
    const id = await nextObjectId(db, context.configuration.siteCode);
    await db.insertInto("deployment").values({
      id, sequence_id: taskSequenceId, collection_id: target.collectionId, device_id: target.deviceId, purpose, make_available_to: makeAvailableTo, enabled: true, comment, secrets_to_password: secretsToPassword,
      available_from: dateOf(availableFrom), expires: dateOf(expires),
    }).execute();
    await audit(context, "administrator", "deployment-create", id);
    await auditAccepted(context, id, accepted);
    return openDeployment(db, id);
  });
  api.patch("/deployments/:id", { schema: { params: idParams, body: contract.setDeploymentRequestSchema, response: { 200: contract.deploymentSchema } } }, async (request) => {
    const { id } = request.params;
    const { purpose, makeAvailableTo, enabled, secretsToPassword, availableFrom, expires, ...agreed } = request.body;
    const before = await openDeployment(db, id);
    checkTimes(availableFrom === undefined ? before.availableFrom : availableFrom, expires === undefined ? before.expires : expires);
    const madeRequired = purpose === "required" && before.purpose !== "required";
    const stored = await openSequence(db, before.taskSequenceId);
    if (madeRequired || (enabled === true && !before.enabled)) await requireWhole(db, stored);
    const accepted = madeRequired ? await guardHighRisk(db, stored.sequence, before, agreed) : [];
    const changes = {
      ...(availableFrom !== undefined && { available_from: dateOf(availableFrom) }), ...(expires !== undefined && { expires: dateOf(expires) }), ...(purpose && { purpose }), ...(makeAvailableTo && { make_available_to: makeAvailableTo }),
      ...(enabled !== undefined && { enabled }), ...(secretsToPassword !== undefined && { secrets_to_password: secretsToPassword }),
    };
    if (Object.keys(changes).length > 0) await db.updateTable("deployment").set(changes).where("id", "=", id).execute();
    await audit(context, "administrator", "deployment-set", `${id} ${JSON.stringify(request.body)}`);
    await auditAccepted(context, id, accepted);
    return openDeployment(db, id);
  });
}

/** That somebody agreed to a warning is kept for good (features.md F146). */
async function auditAccepted(context: SiteContext, id: string, accepted: readonly string[]): Promise<void> {
  for (const what of accepted) await audit(context, "administrator", "deployment-warning-accepted", `${id}: ${what}`);
}

function dateOf(time: string | null): Date | null {
  return time === null ? null : new Date(time);
}

function checkTimes(availableFrom: string | null, expires: string | null): void {
  if (availableFrom !== null && expires !== null && Date.parse(expires) <= Date.parse(availableFrom)) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected a deployment to end after it begins; it begins ${availableFrom} and ends ${expires}.`);
}
