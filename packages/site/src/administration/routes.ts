import { administrationPrefix } from "@prestage/contract";
import * as contract from "@prestage/contract";
import { objectIdSchema } from "@prestage/media";
import { z } from "zod";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { checkToken } from "./check-token.ts";
import { deploymentRoutes } from "./deployment-routes.ts";
import { depotRoutes } from "./depot-routes.ts";
import { distributionPointAdministration } from "./distribution-point-routes.ts";
import { mediaRoutes } from "./media-routes.ts";
import { deviceRoutes } from "./device-routes.ts";
import { affinityRoutes } from "./affinity-routes.ts";
import { identityRoutes } from "./identity-routes.ts";
import { settingsRoutes } from "./settings-routes.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { signContentUrls } from "../distribution-point/sign-content-urls.ts";
import { contentFaults } from "../store/content-faults.ts";
import { listDistributionPoints } from "../store/distribution-points.ts";
import { openDevice } from "../store/devices.ts";
import { nextObjectId } from "../store/object-ids.ts";
import { listObjects, objectRevisions, setConfidential } from "../store/objects.ts";
import { wantedPatches, wantedPieces } from "../store/patches.ts";
import { removeObject, storedVersions } from "../store/stored-versions.ts";
import { secretNamesOf } from "../store/secrets.ts";
import { addSequence, listSequences, openSequence } from "../store/sequences.ts";

/** The administration API: every route needs the token, from the first start. */
export function administrationRoutes(server: Routes, context: SiteContext): void {
  server.register(
    async (scope) => {
      const api = scope as unknown as Routes;
      api.addHook("onRequest", async (request) => checkToken(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1], context.keys.adminToken));
      siteRoutes(api, context);
      objectRoutes(api, context);
      collectionRoutes(api, context);
      deploymentRoutes(api, context);
      settingsRoutes(api, context);
      deviceRoutes(api, context);
      identityRoutes(api, context);
      affinityRoutes(api, context);
      mediaRoutes(api, context);
      depotRoutes(api, context);
      distributionPointAdministration(api, context);
    },
    { prefix: administrationPrefix },
  );
}

const idParams = z.strictObject({ id: objectIdSchema });
const guidParams = z.strictObject({ id: z.guid() });

function siteRoutes(api: Routes, context: SiteContext): void {
  api.get("/site", { schema: { response: { 200: contract.siteSchema } } }, async () => ({
    siteCode: context.configuration.siteCode, version: "0.1.0", managementPoints: context.publicUrls(), distributionPoints: await listDistributionPoints(context.db), keyringVersion: context.keys.keyring.version,
  }));
  api.get("/keyring", (_request, reply) => reply.type("application/json").send(context.keys.keyringEnvelope));
  api.get("/jobs/:id", { schema: { params: guidParams, response: { 200: contract.jobSchema } } }, (request) => context.jobs.get(request.params.id));
  api.delete("/jobs/:id", { schema: { params: guidParams } }, async (request, reply) => {
    await context.jobs.cancel(request.params.id);
    return reply.status(204).send();
  });
}

function objectRoutes(api: Routes, context: SiteContext): void {
  const shown = ({ storageSha256: _storage, ...object }: Awaited<ReturnType<typeof listObjects>>[number]) => object;
  api.post("/imports", { schema: { body: contract.importRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => reply.status(202).send({ jobId: await context.jobs.add("import", request.body) }));
  api.post("/content-urls", { schema: { body: contract.contentUrlsRequestSchema, response: { 200: contract.contentUrlsAnswerSchema } } }, async (request) => signContentUrls(context, "administrator", request.body.contentIds));
  api.get("/patches", { schema: { response: { 200: z.array(contract.patchRecordSchema) } } }, async () => {
    const pairs = await wantedPatches(context);
    // Beside patches that are still to be made pieces are not waited for.
    return [...pairs, ...(await wantedPieces(context, pairs)).filter((pack) => pack.bytes !== null || !context.configuration.patches)];
  });
  api.post("/patches", { schema: { response: { 202: contract.jobAnswerSchema } } }, async (_request, reply) => reply.status(202).send({ jobId: await context.jobs.add("patches", {}) }));
  api.get("/versions", { schema: { response: { 200: z.array(contract.storedVersionSchema) } } }, () => storedVersions(context.db));
  api.get("/content/faults", { schema: { response: { 200: z.array(contract.contentFaultSchema) } } }, () => contentFaults(context));
  api.post("/content/export", { schema: { body: contract.exportContentRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => reply.status(202).send({ jobId: await context.jobs.add("content-export", request.body) }));
  api.post("/content/import", { schema: { body: contract.importContentRequestSchema, response: { 202: contract.jobAnswerSchema } } }, async (request, reply) => reply.status(202).send({ jobId: await context.jobs.add("content-import", request.body) }));
  for (const kind of ["validate", "collect", "share"] as const) {
    api.post(`/library/${kind}`, { schema: { response: { 202: contract.jobAnswerSchema } } }, async (_request, reply) => reply.status(202).send({ jobId: await context.jobs.add(kind, {}) }));
  }
  api.delete("/objects/:id", { schema: { params: idParams, querystring: contract.removeObjectQuerySchema, response: { 200: contract.removedObjectSchema } } }, async (request) => {
    const removed = await removeObject(context.db, request.params.id, request.query.revision);
    await audit(context, "administrator", "object-remove", `${request.params.id} revisions ${removed.revisions.join(", ")}`);
    return removed;
  });
  api.get("/objects", { schema: { querystring: contract.objectListQuerySchema, response: { 200: contract.objectListSchema } } }, async (request) => (await listObjects(context.db, request.query.kind)).map(shown));
  api.get("/objects/:id", { schema: { params: idParams, response: { 200: contract.objectListSchema } } }, async (request) => (await objectRevisions(context.db, request.params.id)).map(shown));
  api.patch("/objects/:id", { schema: { params: idParams, body: contract.setObjectRequestSchema, response: { 200: contract.contentObjectSchema } } }, async (request) => {
    await objectRevisions(context.db, request.params.id);
    const object = await setConfidential(context.db, request.params.id, request.body.confidential);
    await audit(context, "administrator", "object-set", `${request.params.id} ${JSON.stringify(request.body)}`);
    return shown(object);
  });
  api.post("/task-sequences", { schema: { body: contract.addSequenceRequestSchema, response: { 200: contract.sequenceRecordSchema } } }, async (request) => {
    const { record } = await addSequence(context.db, context.configuration.siteCode, request.body.yaml, request.body.update, request.body.basedOn);
    await audit(context, "administrator", "task-sequence-add", `${record.id} revision ${record.revision}`);
    return record;
  });
  api.get("/task-sequences", { schema: { response: { 200: z.array(contract.sequenceRecordSchema) } } }, () => listSequences(context.db));
  api.get("/task-sequences/:id", { schema: { params: idParams, response: { 200: contract.sequenceRecordSchema } } }, async (request) => (await openSequence(context.db, request.params.id)).record);
}

function collectionRoutes(api: Routes, context: SiteContext): void {
  api.get("/collections", { schema: { response: { 200: z.array(contract.collectionSchema) } } }, async () => {
    const members = await context.db.selectFrom("collection_member").selectAll().execute();
    const rows = await context.db.selectFrom("collection").selectAll().orderBy("id").execute();
    const secrets = await secretNamesOf(context.db, "collection");
    return rows.map((row) => ({ id: row.id, secretVariables: secrets.get(row.id) ?? [], name: row.name, builtIn: row.built_in, variables: row.variables, members: members.filter((one) => one.collection_id === row.id).map((one) => one.device_id) }));
  });
  api.post("/collections", { schema: { body: contract.createCollectionRequestSchema } }, async (request) => {
    const { name, members, variables } = request.body;
    const taken = await context.db.selectFrom("collection").select("id").where("name", "=", name).executeTakeFirst();
    if (taken !== undefined) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a name no other collection has; ${taken.id} is called ${name} already.`);
    for (const member of members) await openDevice(context.db, member);
    const id = await nextObjectId(context.db, context.configuration.siteCode);
    await context.db.insertInto("collection").values({ id, name, built_in: null, variables: JSON.stringify(variables) }).execute();
    if (members.length > 0) await context.db.insertInto("collection_member").values(members.map((device) => ({ collection_id: id, device_id: device }))).execute();
    await audit(context, "administrator", "collection-create", id);
    return { id };
  });
}
