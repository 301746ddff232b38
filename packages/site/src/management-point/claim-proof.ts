import type { EnrolmentAnswer } from "@prestage/contract";
import { checkClaimProof } from "@prestage/trust";
import type { Database } from "../database/open-database.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { findClaim, useClaim } from "../store/claims.ts";
import type { Claim } from "../store/claims.ts";
import { noteConflict } from "../store/conflicts.ts";
import { adoptRecord, countWaiting, findExpectedRecord } from "../store/devices.ts";
import { keepCandidate, retryAfter } from "./candidate.ts";
import type { Candidate } from "./candidate.ts";

/** Whether a claim gives a right: of a registered depot's receipt for this media, nothing of it revoked. A used one is still shown: that is how a cloned disk is found. */
export function claimDoes(claim: Claim | undefined, mediaId: string): claim is Claim {
  return claim !== undefined && claim.revoked === null && claim.mediaId === mediaId;
}

/**
 * Enrols by the claim on the disk: once. The second that shows it waits for approval, and both are shown as a conflict.
 * Undefined where the claim gives no right: then it is as if none had been shown.
 * @throws TrustError PRESTAGE_TRUST_CLAIM_PROOF
 */
export async function enrolByClaim(context: SiteContext, candidate: Candidate, challenge: string, signature: string): Promise<EnrolmentAnswer | undefined> {
  const { first } = candidate;
  const claim = first.claimId === undefined ? undefined : await findClaim(context.db, first.claimId);
  if (!claimDoes(claim, first.mediaId)) return undefined;
  checkClaimProof({ keyId: claim.claimId, publicKey: claim.publicKey }, challenge, first.deviceKey.keyId, signature);
  const outcome = await context.db.transaction().execute((transaction) => takeClaim({ ...context, db: transaction }, candidate, claim));
  await audit(context, `device ${outcome.id}`, outcome.action, `claim ${claim.claimId}`);
  switch (outcome.action) {
    case "enrolment-by-claim":
      return { state: "approved", deviceId: outcome.id, deviceName: outcome.name };
    case "claim-conflict":
      return { state: "waiting", code: candidate.code, retryAfterSeconds: retryAfter(await countWaiting(context.db)), conflict: true };
    case "claim-refused":
      return { state: "refused", reason: "The claim on this disk was used by too many computers: the disk was copied. Ask the site." };
  }
}

interface Taken { id: string; name: string; action: "enrolment-by-claim" | "claim-conflict" | "claim-refused" }

async function takeClaim(context: SiteContext, candidate: Candidate, claim: Claim): Promise<Taken> {
  const { db } = context;
  const record = await recordOf(db, candidate, claim);
  const { id, state } = await keepCandidate(context, candidate, record);
  const name = async () => (await db.selectFrom("device").select("name").where("id", "=", id).executeTakeFirstOrThrow()).name;
  if (state === "enrolled") return { id, name: await name(), action: "enrolment-by-claim" };
  if (!(await useClaim(db, claim.claimId, id))) {
    const winner = (await findClaim(db, claim.claimId))?.usedBy;
    const noted = typeof winner === "string" && (await noteConflict(db, claim.claimId, winner, id));
    if (!noted) await db.deleteFrom("device").where("id", "=", id).where("state", "=", "waiting").execute(); // nothing is remembered of them
    return { id, name: "", action: noted ? "claim-conflict" : "claim-refused" };
  }
  if (record !== undefined) await adoptRecord(db, record.id, id, context.keys.secretsKey);
  await db.updateTable("device").set({ state: "enrolled", proof: "claim", claim_id: claim.claimId, approval_code: null, enrolled: context.now() }).where("id", "=", id).execute();
  return { id, name: await name(), action: "enrolment-by-claim" };
}

/** The record the receipt names, where staging knew the machine; else the one the computer's attributes choose. */
async function recordOf(db: Database, candidate: Candidate, claim: Claim): Promise<{ id: string; name: string } | undefined> {
  const receipt = await db.selectFrom("receipt").select("document").where("id", "=", claim.receiptId).executeTakeFirst();
  const named = receipt !== undefined && "machineSerial" in receipt.document ? receipt.document.machineSerial : undefined;
  return findExpectedRecord(db, typeof named === "string" ? { macAddresses: [], serialNumber: named } : candidate.attributes);
}
