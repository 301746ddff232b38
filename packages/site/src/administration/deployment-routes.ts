import * as contract from "@prestage/contract";
import { objectIdSchema } from "@prestage/media";
import { z } from "zod";
import { notFound, SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { closeAlert, listAlerts, updateAlerts } from "../store/alerts.ts";
import { guardDebug } from "../store/debug-deployments.ts";
import { deploymentColumns } from "../store/deployment-columns.ts";
import { listDeployments, openDeployment } from "../store/deployments.ts";
import { openDevice } from "../store/devices.ts";
import { guardHighRisk } from "../store/high-risk.ts";
import { nextObjectId } from "../store/object-ids.ts";
import { listRuns } from "../store/runs.ts";
import { requireWhole } from "../store/sequence-faults.ts";
import { openSequence } from "../store/sequences.ts";

const idParams = z.strictObject({ id: objectIdSchema });
const guidParams = z.strictObject({ id: z.guid() });

/** What a task sequence is deployed to, when and how. What may not be deployed is refused here, when it is created and when it is made required. */
export function deploymentRoutes(api: Routes, context: SiteContext): void {
  const { db } = context;
  api.get("/deployments", { schema: { response: { 200: z.array(contract.deploymentSchema) } } }, () => listDeployments(db));
  api.get("/deployments/:id", { schema: { params: idParams, response: { 200: contract.deploymentSchema } } }, (request) => openDeployment(db, request.params.id));
  api.post("/deployments", { schema: { body: contract.createDeploymentRequestSchema, response: { 200: contract.deploymentSchema } } }, async (request) => {
    const { taskSequenceId, collectionId, deviceId, purpose, makeAvailableTo, comment, debug } = request.body;
    const stored = await openSequence(db, taskSequenceId);
    checkTimes(request.body, { availableFrom: null, expires: null, assignments: [] });
    if (deviceId !== undefined) await openDevice(db, deviceId);
    if (collectionId !== undefined && !(await db.selectFrom("collection").select("id").where("id", "=", collectionId).executeTakeFirst())) throw notFound("collection", collectionId);
    const target = { collectionId: collectionId ?? null, deviceId: deviceId ?? null };
    await requireWhole(db, stored, target);
    await guardDebug(db, { ...target, sequenceId: taskSequenceId, debug });
    const accepted = purpose === "required" ? await guardHighRisk(db, stored.sequence, target, request.body) : [];
    const id = await nextObjectId(db, context.configuration.siteCode);
    const columns = deploymentColumns(request.body);
    await db.insertInto("deployment").values({ id, sequence_id: taskSequenceId, collection_id: target.collectionId, device_id: target.deviceId, comment, debug, enabled: true, ...columns, purpose, make_available_to: makeAvailableTo }).execute();
    await audit(context, "administrator", "deployment-create", id);
    await auditAccepted(context, id, accepted);
    return openDeployment(db, id);
  });
  api.patch("/deployments/:id", { schema: { params: idParams, body: contract.setDeploymentRequestSchema, response: { 200: contract.deploymentSchema } } }, async (request) => {
    const { id } = request.params;
    const { purpose, enabled } = request.body;
    const before = await openDeployment(db, id);
    checkTimes(request.body, before);
    const madeRequired = purpose === "required" && before.purpose !== "required";
    const madeEnabled = enabled === true && !before.enabled;
    const stored = await openSequence(db, before.taskSequenceId);
    if (madeRequired || madeEnabled) await requireWhole(db, stored, before);
    if (madeEnabled) await guardDebug(db, { ...before, sequenceId: before.taskSequenceId }, id);
    const accepted = madeRequired ? await guardHighRisk(db, stored.sequence, before, request.body) : [];
    const changes = deploymentColumns(request.body);
    if (Object.keys(changes).length > 0) await db.updateTable("deployment").set(changes).where("id", "=", id).execute();
    await audit(context, "administrator", "deployment-set", `${id} ${JSON.stringify(request.body)}`);
    await auditAccepted(context, id, accepted);
    await updateAlerts(db, context.now());
    return openDeployment(db, id);
  });
  api.get("/runs", { schema: { querystring: contract.runListQuerySchema, response: { 200: z.array(contract.runSchema) } } }, (request) => listRuns(db, request.query));
  api.get("/alerts", { schema: { querystring: contract.alertListQuerySchema, response: { 200: z.array(contract.alertSchema) } } }, async (request) => {
    await updateAlerts(db, context.now());
    return listAlerts(db, request.query.all === "true");
  });
  api.post("/alerts/:id/close", { schema: { params: guidParams, response: { 200: contract.alertSchema } } }, async (request) => {
    const closed = await closeAlert(db, request.params.id, context.now());
    await audit(context, "administrator", "alert-close", `${closed.deploymentId} ${closed.kind}`);
    return closed;
  });
}

/** That somebody agreed to a warning is kept for good (features.md F146). */
async function auditAccepted(context: SiteContext, id: string, accepted: readonly string[]): Promise<void> {
  for (const what of accepted) await audit(context, "administrator", "deployment-warning-accepted", `${id}: ${what}`);
}

type Times = { [Name in "availableFrom" | "expires"]?: string | null | undefined } & { assignments?: readonly contract.Assignment[] | undefined };

function checkTimes(given: Times, before: Required<Times>): void {
  const { availableFrom = before.availableFrom, expires = before.expires, assignments = before.assignments ?? [] } = given;
  if (expires === null || expires === undefined) return;
  if (availableFrom !== null && availableFrom !== undefined && Date.parse(expires) <= Date.parse(availableFrom)) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected a deployment to end after it begins; it begins ${availableFrom} and ends ${expires}.`);
  const late = assignments.map((one) => ("at" in one ? one.at : one.from)).find((time) => Date.parse(time) >= Date.parse(expires));
  if (late !== undefined) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected assignments before the deployment ends on ${expires}; found one at ${late}, which would never come.`);
}
