import type { ChallengeAnswer, EnrolmentAnswer } from "@prestage/contract";
import { checkValidity, MediaError } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { approvalCode, checkChallenge, checkEnrolmentSignature, createChallenge, deviceAttributesSchema } from "@prestage/trust";
import type { ChallengeRequest, EnrolmentRequest, ProofKind } from "@prestage/trust";
import { SiteError } from "../error.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { findClaim } from "../store/claims.ts";
import { openConflictOf } from "../store/conflicts.ts";
import { countWaiting, findExpectedRecord, forgetGoneWaiting, maximumWaiting } from "../store/devices.ts";
import { jsonText } from "../store/json-text.ts";
import { readVerifier } from "../store/media-passwords.ts";
import { standingOf } from "../store/standing.ts";
import type { Standing } from "../store/standing.ts";
import { keepCandidate, notKnown, retryAfter } from "./candidate.ts";
import type { Candidate } from "./candidate.ts";
import { claimDoes, enrolByClaim } from "./claim-proof.ts";
import type { Guards } from "./guards.ts";
import { checkPasswordProof } from "./password-proof.ts";

/** First message of enrolment: a challenge the site need not store, and the proofs that would do. */
export async function answerChallenge(context: SiteContext, guards: Guards, first: ChallengeRequest, source: string): Promise<ChallengeAnswer> {
  refuseTooMany(context, guards, source);
  const challenge = createChallenge(first, context.keys.challengeSecret, context.now());
  const looked = await guards.enrolments.run(async () => proofsThatDo(context, first));
  if (looked === undefined) throw busy();
  return { challenge, proofs: looked.result };
}

/** What this media, record and claim allow; approval is always possible, and the only way out of a conflict. */
async function proofsThatDo(context: SiteContext, first: ChallengeRequest): Promise<ProofKind[]> {
  const standing = await standingOf(context.db, first.deviceKey.keyId);
  if (standing !== undefined && (await openConflictOf(context.db, standing.id)) !== undefined) return ["approval"];
  const proofs: ProofKind[] = [];
  if (first.claimId !== undefined && claimDoes(await findClaim(context.db, first.claimId), first.mediaId)) proofs.push("claim");
  const media = await readMedia(context, first.mediaId);
  if (media?.manifest.passwordRequired === true && (await readVerifier(context.db, first.mediaId)) !== undefined) proofs.push("password");
  return [...proofs, "approval"];
}

/**
 * Second message of enrolment: the device proves that it holds its key, and adds a claim, a password, or nothing and waits for approval.
 * Repeated by the device until it is approved; each repetition finds the same record by its key.
 * @throws TrustError, SiteError PRESTAGE_SITE_BUSY
 */
export async function enrol(context: SiteContext, guards: Guards, request: EnrolmentRequest, source: string): Promise<EnrolmentAnswer> {
  refuseTooMany(context, guards, source);
  checkChallenge(request.first, request.challenge, context.keys.challengeSecret, context.now());
  checkEnrolmentSignature(request);
  const looked = await guards.enrolments.run(() => decide(context, guards, request, source));
  if (looked === undefined) throw busy();
  return "password" in looked.result ? checkPasswordProof(context, guards, looked.result.candidate, looked.result.password) : looked.result.answer;
}

type Decision = { answer: EnrolmentAnswer } | { candidate: Candidate; password: string };

async function decide(context: SiteContext, guards: Guards, request: EnrolmentRequest, source: string): Promise<Decision> {
  const { first, challenge, proof } = request;
  const standing = await standingOf(context.db, first.deviceKey.keyId);
  const settled = settledAnswer(standing);
  if (settled !== undefined) return { answer: settled };
  const media = await readMedia(context, first.mediaId);
  const reason = whyMediaRefused(context, media);
  if (media === undefined || reason !== undefined) return { answer: { state: "refused", reason: reason ?? "" } };
  // What firmware says may have any byte in it.
  const attributes = deviceAttributesSchema.parse(JSON.parse(jsonText(first.attributes)));
  const candidate: Candidate = { first, manifest: media.manifest, attributes, code: approvalCode(first.deviceKey, challenge), source };
  const inConflict = standing !== undefined && (await openConflictOf(context.db, standing.id)) !== undefined;
  if (proof.kind === "claim" && !inConflict) {
    const byClaim = await enrolByClaim(context, candidate, challenge, proof.signature);
    if (byClaim !== undefined) return { answer: byClaim };
  }
  if (proof.kind === "password" && !inConflict) return { candidate, password: proof.password };
  return { answer: standing === undefined ? await beginWaiting(context, guards, candidate) : await goOnWaiting(context, standing.id, candidate, inConflict) };
}

/** A device that was decided on before: a replay of its messages repeats the decision and nothing else. */
function settledAnswer(standing: Standing | undefined): EnrolmentAnswer | undefined {
  if (standing === undefined || standing.state === "waiting") return undefined;
  if (standing.ended !== undefined) return { state: "refused", reason: `PRESTAGE_SITE_REVOKED: The ${standing.ended} this computer was enrolled with was revoked. Ask the site; stage the disk again where it is to be used on.` };
  if (standing.state === "refused") return { state: "refused", reason: "An administrator refused this computer. Ask the site, then start again." };
  return standing.state === "enrolled" ? { state: "approved", deviceId: standing.id, deviceName: standing.name } : undefined;
}

/** How long a full list is taken to be full still, without looking. */
const listFullMs = 2000;

/** Computers that wait are kept, at most 1,000 (and one or two that came at the same moment), and forgotten a while after they have gone. */
async function beginWaiting(context: SiteContext, guards: Guards, candidate: Candidate): Promise<EnrolmentAnswer> {
  const { db } = context;
  const now = context.now().getTime();
  if (now < guards.listFullUntil) throw listFull();
  const record = await findExpectedRecord(db, candidate.attributes);
  if (record === undefined && !candidate.manifest.unknownComputers) return { state: "refused", reason: notKnown };
  await forgetGoneWaiting(db);
  const waiting = await countWaiting(db);
  if (waiting >= maximumWaiting) {
    guards.listFullUntil = now + listFullMs;
    throw listFull();
  }
  const { id } = await keepCandidate(context, candidate, record);
  if (guards.auditLines.take("waiting", now)) await audit(context, `device ${id}`, "enrolment-waiting", `media ${candidate.first.mediaId}`);
  return { state: "waiting", code: candidate.code, retryAfterSeconds: retryAfter(waiting) };
}

/** The challenge is new with every attempt after five minutes; the code on the screen is what must match. */
async function goOnWaiting(context: SiteContext, deviceId: string, candidate: Candidate, conflict: boolean): Promise<EnrolmentAnswer> {
  await context.db.updateTable("device").set({ last_seen: context.now(), approval_code: candidate.code }).where("id", "=", deviceId).execute();
  return { state: "waiting", code: candidate.code, retryAfterSeconds: retryAfter(await countWaiting(context.db)), ...(conflict && { conflict }) };
}

/** Media the site does not know, that was revoked, or is not valid now: expiry is decided by the device, and by the site again (design.md section 7). */
function whyMediaRefused(context: SiteContext, media: Media | undefined): string | undefined {
  if (media === undefined) return `The site ${context.configuration.siteCode} has no record of this media.`;
  if (media.revoked !== null) return `PRESTAGE_SITE_REVOKED: This media was revoked on ${media.revoked.toISOString()}. Stage the disk again with media that is in use.`;
  try {
    checkValidity({ ...media.manifest, ...(media.renewed_to && { validTo: media.renewed_to.toISOString() }) }, context.now());
    return undefined;
  } catch (cause) {
    if (cause instanceof MediaError) return cause.message;
    throw cause;
  }
}

interface Media { manifest: Manifest; revoked: Date | null; renewed_to: Date | null }
async function readMedia(context: SiteContext, mediaId: string): Promise<Media | undefined> {
  return context.db.selectFrom("media").select(["manifest", "revoked", "renewed_to"]).where("media_id", "=", mediaId).executeTakeFirst();
}

function refuseTooMany(context: SiteContext, guards: Guards, source: string): void {
  if (!guards.requests.take(source, context.now().getTime())) throw busy();
}

function listFull(): SiteError {
  return new SiteError("PRESTAGE_SITE_BUSY", `Expected fewer than ${maximumWaiting} computers waiting for approval; the list is full. It is tried again by itself.`);
}

function busy(): SiteError {
  return new SiteError("PRESTAGE_SITE_BUSY", "Expected fewer computers asking to be enrolled at once. It is tried again by itself.");
}
