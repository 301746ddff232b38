import type { EnrolmentAnswer } from "@prestage/contract";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { adoptRecord, findExpectedRecord } from "../store/devices.ts";
import { checkPassword, readVerifier } from "../store/media-passwords.ts";
import { keepCandidate, notKnown } from "./candidate.ts";
import type { Candidate } from "./candidate.ts";
import type { Guards } from "./guards.ts";

/** How long a caller is asked to wait where no place is free to look at its password. */
const busySeconds = 3;

/** Enrols by the media password. Wrong ones slow this device key and this address down, and nobody else. */
export async function checkPasswordProof(context: SiteContext, guards: Guards, candidate: Candidate, password: string): Promise<EnrolmentAnswer> {
  const { first, source } = candidate;
  const now = context.now().getTime();
  const waitSeconds = () => Math.max(guards.passwordsOfKey.wait(first.deviceKey.keyId, now), guards.passwordsOfAddress.wait(source, now));
  if (waitSeconds() > 0) return { state: "slow-down", retryAfterSeconds: inRange(waitSeconds()) };
  guards.passwordsOfKey.fail(first.deviceKey.keyId, now);
  guards.passwordsOfAddress.fail(source, now);
  const forgive = () => {
    guards.passwordsOfKey.forgive(first.deviceKey.keyId, now);
    guards.passwordsOfAddress.forgive(source, now);
  };
  const verifier = candidate.manifest.passwordRequired ? await readVerifier(context.db, first.mediaId) : undefined;
  const checked = await guards.argon2.run(async () => verifier !== undefined && checkPassword(password, verifier));
  if (checked === undefined) {
    forgive();
    return { state: "slow-down", retryAfterSeconds: busySeconds };
  }
  if (!checked.result) {
    if (guards.auditLines.take("wrong-password", now)) await audit(context, `device key ${first.deviceKey.keyId}`, "wrong-password", `media ${first.mediaId} from ${source}`);
    return { state: "wrong-password", retryAfterSeconds: inRange(waitSeconds()) };
  }
  forgive();
  return admit(context, candidate);
}

/** A record or an unknown computer, as media and record allow. */
async function admit(context: SiteContext, candidate: Candidate): Promise<EnrolmentAnswer> {
  const { first, manifest, attributes } = candidate;
  const answer = await context.db.transaction().execute(async (db): Promise<EnrolmentAnswer> => {
    const record = await findExpectedRecord(db, attributes);
    if (record === undefined && !manifest.unknownComputers) return { state: "refused", reason: notKnown };
    const { id, state } = await keepCandidate({ ...context, db }, candidate, record);
    if (state === "waiting") {
      if (record !== undefined) await adoptRecord(db, record.id, id, context.keys.secretsKey);
      await db.updateTable("device").set({ state: "enrolled", proof: "password", approval_code: null, enrolled: context.now() }).where("id", "=", id).execute();
    } else if (state !== "enrolled") return { state: "refused", reason: "An administrator refused this computer." };
    const { name } = await db.selectFrom("device").select("name").where("id", "=", id).executeTakeFirstOrThrow();
    return { state: "approved", deviceId: id, deviceName: name };
  });
  if (answer.state === "approved") await audit(context, `device ${answer.deviceId}`, "enrolment-by-password", `media ${first.mediaId}`);
  return answer;
}

function inRange(seconds: number): number {
  return Math.min(3600, Math.max(0.1, Math.ceil(seconds * 10) / 10));
}
