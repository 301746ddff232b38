import { sha256Schema } from "@prestage/content";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { notFound, SiteError } from "../error.ts";
import type { Routes } from "../http/new-server.ts";
import { rotateKeyring } from "../keys/rotate-keyring.ts";
import { resolveConflict } from "../management-point/approve.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listClaims, revokeClaim } from "../store/claims.ts";
import { listConflicts, openConflict } from "../store/conflicts.ts";
import { setMediaPassword } from "../store/media-passwords.ts";
import { listSecrets, removeSecret, setSecret } from "../store/secrets.ts";

const guidParams = z.strictObject({ id: z.guid() });
const sha256Params = z.strictObject({ id: sha256Schema });

/** Who may be let in by what, and what only those let in get: conflicts, claims, media passwords, secrets; and the audit of all decisions. */
export function identityRoutes(api: Routes, context: SiteContext): void {
  conflictRoutes(api, context);
  claimRoutes(api, context);
  secretRoutes(api, context);
  keyringRoutes(api, context);
  api.put("/media/:id/password", { schema: { params: sha256Params, body: contract.setMediaPasswordRequestSchema } }, async (request, reply) => {
    const media = await context.db.selectFrom("media").select("manifest").where("media_id", "=", request.params.id).executeTakeFirst();
    if (media === undefined) throw notFound("media", request.params.id);
    if (!media.manifest.passwordRequired) throw new SiteError("PRESTAGE_SITE_CONFLICT", "Expected a media that asks for a password; this one was created without. Create it again with --password.");
    await setMediaPassword(context.db, request.params.id, request.body.password);
    await audit(context, "administrator", "media-password-set", request.params.id);
    return reply.status(204).send();
  });
  api.get("/audit", { schema: { querystring: contract.auditListQuerySchema, response: { 200: z.array(contract.auditRecordSchema) } } }, async (request) => {
    const { after, limit, subject } = request.query;
    let query = context.db.selectFrom("audit").selectAll().where("id", ">", String(after)).orderBy("id", "desc").limit(limit);
    if (subject !== undefined) query = query.where((is) => is.or([is("subject", "like", `%${subject.replace(/[\\%_]/g, "\\$&")}%`), is("actor", "like", `%${subject.replace(/[\\%_]/g, "\\$&")}%`)]));
    return (await query.execute()).toReversed().map((row) => ({ id: Number(row.id), time: row.time.toISOString(), actor: row.actor, action: row.action, subject: row.subject }));
  });
}

function conflictRoutes(api: Routes, context: SiteContext): void {
  api.get("/conflicts", { schema: { response: { 200: z.array(contract.conflictSchema) } } }, () => listConflicts(context.db));
  api.post("/conflicts/:id", { schema: { params: guidParams, body: contract.resolveConflictRequestSchema, response: { 200: contract.conflictSchema } } }, async (request) => {
    await resolveConflict(context, request.params.id, request.body.resolution);
    return openConflict(context.db, request.params.id);
  });
}

function claimRoutes(api: Routes, context: SiteContext): void {
  const shown = async () =>
    (await listClaims(context.db)).map(({ publicKey: _key, usedAt, revoked, ...claim }) => ({ ...claim, usedAt: usedAt?.toISOString() ?? null, revoked: revoked?.toISOString() ?? null }));
  api.get("/claims", { schema: { response: { 200: z.array(contract.claimSchema) } } }, shown);
  api.post("/claims/:id/revoke", { schema: { params: sha256Params, response: { 200: contract.claimSchema } } }, async (request) => {
    await revokeClaim(context.db, request.params.id);
    await audit(context, "administrator", "claim-revoke", request.params.id);
    const found = (await shown()).find((claim) => claim.claimId === request.params.id);
    if (found === undefined) throw notFound("claim", request.params.id);
    return found;
  });
}

function secretRoutes(api: Routes, context: SiteContext): void {
  const subject = (owner: { scope: string; ownerId: string; name: string }) => `${owner.scope} ${owner.ownerId}: ${owner.name}`;
  api.get("/secrets", { schema: { response: { 200: z.array(contract.secretRecordSchema) } } }, () => listSecrets(context.db));
  api.put("/secrets", { schema: { body: contract.setSecretRequestSchema } }, async (request, reply) => {
    const { name, value, ...owner } = request.body;
    await setSecret(context.db, context.keys.secretsKey, owner, name, value);
    await audit(context, "administrator", "secret-set", subject(request.body));
    return reply.status(204).send();
  });
  api.delete("/secrets", { schema: { querystring: contract.removeSecretQuerySchema } }, async (request, reply) => {
    await removeSecret(context.db, request.query, request.query.name);
    await audit(context, "administrator", "secret-remove", subject(request.query));
    return reply.status(204).send();
  });
}

function keyringRoutes(api: Routes, context: SiteContext): void {
  const shown = () => {
    const { version, issued, expires, roles } = context.keys.keyring;
    return { version, issued, expires, keys: Object.fromEntries(Object.entries(roles).map(([role, keys]) => [role, keys.map((key) => key.keyId)])) };
  };
  let last: Promise<void> = Promise.resolve();
  api.get("/keyring/keys", { schema: { response: { 200: contract.keyringAnswerSchema } } }, async () => shown());
  api.post("/keyring/rotate", { schema: { body: contract.rotateKeyringRequestSchema, response: { 200: contract.keyringAnswerSchema } } }, async (request) => {
    // One after the other: two at once would both make version n + 1.
    const mine = last.then(() => rotateKeyring(context.configuration.dataDirectory, context.keys, request.body, context.now()));
    last = mine.catch(() => undefined);
    await mine;
    await audit(context, "administrator", "keyring-rotate", `version ${context.keys.keyring.version}: ${request.body.roles.join(", ")}${request.body.forgetMediaKeys ? ", earlier media keys forgotten" : ""}`);
    return shown();
  });
}
