import { SiteError } from "../error.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { releaseClaim, useClaim } from "../store/claims.ts";
import { closeConflicts, openConflict } from "../store/conflicts.ts";
import { adoptRecord, findExpectedRecord } from "../store/devices.ts";

/** Approves or refuses the computer that shows `code`. A record made beforehand gives it its name and variables. */
export async function decideApproval(context: SiteContext, code: string, decision: "approve" | "refuse", name: string | undefined): Promise<string> {
  const waiting = await context.db.selectFrom("device").select("id").where("state", "=", "waiting").where("approval_code", "=", code).execute();
  const [device, second] = waiting;
  if (device === undefined) throw new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected a computer waiting with the code ${code}; found none. Compare with its screen: the code changes after five minutes.`);
  if (second !== undefined) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected one computer with the code ${code}; found ${waiting.length}. Refuse by id, or restart one of them.`);
  if (decision === "refuse") await refuse(context, device.id);
  else await admit(context, device.id, name);
  await closeConflicts(context.db, [device.id], decision === "refuse" ? "refuse-second" : "accept-both");
  await audit(context, "administrator", `approval-${decision}`, device.id);
  return device.id;
}

/** Decides about two computers that showed one claim. Returns the conflict's id. */
export async function resolveConflict(context: SiteContext, id: string, resolution: "keep-first" | "accept-second" | "refuse-second"): Promise<void> {
  const { first, second, claimId, resolved } = await openConflict(context.db, id);
  if (resolved !== null) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a conflict that is open; this one was resolved on ${resolved}.`);
  switch (resolution) {
    case "keep-first":
      break;
    case "refuse-second":
      await refuse(context, second.id);
      break;
    case "accept-second":
      await context.db.updateTable("device").set({ state: "revoked" }).where("id", "=", first.id).execute();
      await releaseClaim(context.db, claimId);
      await useClaim(context.db, claimId, second.id);
      await admit(context, second.id, undefined);
  }
  await closeConflicts(context.db, [second.id], resolution);
  await audit(context, "administrator", `conflict-${resolution}`, `claim ${claimId}: ${first.id}, ${second.id}`);
}

async function refuse(context: SiteContext, deviceId: string): Promise<void> {
  await context.db.updateTable("device").set({ state: "refused", approval_code: null }).where("id", "=", deviceId).where("state", "=", "waiting").execute();
}

async function admit(context: SiteContext, deviceId: string, name: string | undefined): Promise<void> {
  await context.db.transaction().execute(async (db) => {
    const device = await db.selectFrom("device").select(["attributes", "state"]).where("id", "=", deviceId).forUpdate().executeTakeFirstOrThrow();
    if (device.state !== "waiting") throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected a computer that waits; it is ${device.state} already.`);
    const record = await findExpectedRecord(db, device.attributes);
    if (record !== undefined) await adoptRecord(db, record.id, deviceId, context.keys.secretsKey);
    await db.updateTable("device").set({ state: "enrolled", proof: "approval", approval_code: null, enrolled: context.now(), ...(name !== undefined && { name }) }).where("id", "=", deviceId).execute();
  });
}
