import * as contract from "@prestage/contract";
import { sql } from "kysely";
import { z } from "zod";
import { SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { decideApproval } from "../management-point/approve.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { deviceGiven } from "../store/device-given.ts";
import { listDevices, openDevice } from "../store/devices.ts";
import { jsonText } from "../store/json-text.ts";

const guidParams = z.strictObject({ id: z.guid() });

/** Devices, approvals and status. */
export function deviceRoutes(api: Routes, context: SiteContext): void {
  api.get("/devices", { schema: { response: { 200: z.array(contract.deviceSchema) } } }, () => listDevices(context.db));
  api.get("/devices/:id", { schema: { params: guidParams, response: { 200: contract.deviceSchema } } }, (request) => openDevice(context.db, request.params.id));
  api.get("/devices/:id/given", { schema: { params: guidParams, querystring: contract.deviceGivenQuerySchema, response: { 200: contract.deviceGivenSchema } } }, (request) => deviceGiven(context, request.params.id, request.query));
  api.post("/devices", { schema: { body: contract.addDeviceRequestSchema, response: { 200: contract.deviceSchema } } }, async (request) => {
    const { name, smbiosUuid, serialNumber, macAddress, replaces, variables } = request.body;
    if (!smbiosUuid && !serialNumber && !macAddress) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", "Expected a SMBIOS UUID, a serial number or a MAC address to know the computer by; found none.");
    if (replaces !== undefined) await openDevice(context.db, replaces);
    const attributes = jsonText({ macAddresses: macAddress ? [macAddress] : [], ...(smbiosUuid && { smbiosUuid }), ...(serialNumber && { serialNumber }) });
    const { id } = await context.db
      .insertInto("device")
      .values({ name, state: "expected", known: true, key_id: null, public_key: null, approval_code: null, media_id: null, attributes, replaces: replaces ?? null, variables: JSON.stringify(variables) })
      .returning("id")
      .executeTakeFirstOrThrow();
    await audit(context, "administrator", "device-add", id);
    return openDevice(context.db, id);
  });
  api.patch("/devices/:id", { schema: { params: guidParams, body: contract.setDeviceRequestSchema, response: { 200: contract.deviceSchema } } }, async (request) => {
    const { name, replaces, variables } = request.body;
    await openDevice(context.db, request.params.id);
    if (replaces === request.params.id) throw new SiteError("PRESTAGE_SITE_CONFLICT", "Expected a device to replace another one; found itself.");
    if (typeof replaces === "string") await openDevice(context.db, replaces);
    const changes = { ...(name && { name }), ...(replaces !== undefined && { replaces }), ...(variables && { variables: JSON.stringify(variables) }) };
    if (Object.keys(changes).length > 0) await context.db.updateTable("device").set(changes).where("id", "=", request.params.id).execute();
    await audit(context, "administrator", "device-set", request.params.id);
    return openDevice(context.db, request.params.id);
  });
  api.post("/devices/:id/revoke", { schema: { params: guidParams, response: { 200: contract.deviceSchema } } }, async (request) => {
    const { state } = await openDevice(context.db, request.params.id);
    if (state === "expected") throw new SiteError("PRESTAGE_SITE_CONFLICT", "Expected a computer that has enrolled or waits; this is a record of one that is expected.");
    await context.db.updateTable("device").set({ state: "revoked", approval_code: null }).where("id", "=", request.params.id).execute();
    await audit(context, "administrator", "device-revoke", request.params.id);
    return openDevice(context.db, request.params.id);
  });
  api.get("/approvals", { schema: { response: { 200: z.array(contract.deviceSchema) } } }, async () => (await listDevices(context.db)).filter((device) => device.state === "waiting"));
  api.post("/approvals/:code", { schema: { params: z.strictObject({ code: z.string().regex(/^[A-Z2-7]{6}$/) }), body: contract.decideApprovalRequestSchema, response: { 200: contract.deviceSchema } } }, async (request) =>
    openDevice(context.db, await decideApproval(context, request.params.code, request.body.decision, request.body.name)),
  );
  api.get("/status", { schema: { querystring: contract.statusListQuerySchema, response: { 200: z.array(contract.statusRecordSchema) } } }, async (request) => {
    const { deviceId, after, limit } = request.query;
    let query = context.db.selectFrom("status_message").selectAll().where("position", ">", String(after)).orderBy(sql`position`).limit(limit);
    if (deviceId !== undefined) query = query.where("device_id", "=", deviceId);
    return (await query.execute()).map((row) => ({ position: Number(row.position), deviceId: row.device_id, received: row.received.toISOString(), message: row.message }));
  });
}
