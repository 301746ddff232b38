import type { SecretsAnswer, SecretsRequest } from "@prestage/contract";
import { secretNames, taskSequenceSchema } from "@prestage/sequence";
import { sealSecret } from "@prestage/trust";
import { SiteError } from "../error.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { deploymentsReaching } from "../store/deployments.ts";
import { readSecret } from "../store/secrets.ts";
import type { EnrolledDevice } from "./authenticate.ts";

/**
 * Secrets for the deployment a device chose, each sealed to it: only those the steps of its revision name.
 * A device let in by the media password alone gets them only where the deployment says so.
 * @throws SiteError PRESTAGE_SITE_SECRET_REFUSED
 */
export async function answerSecrets(context: SiteContext, device: EnrolledDevice, request: SecretsRequest): Promise<SecretsAnswer> {
  const { deploymentId, names } = request;
  const { sealingKey } = device;
  if (sealingKey === null) throw refused("a device that has shown a key to seal to", "none: it was enrolled by an older agent");
  await requireEntitled(context, device, deploymentId);
  const named = await namesInChosenRevision(context, device.id, deploymentId);
  const unnamed = names.find((name) => !named.includes(name));
  if (unnamed !== undefined) throw refused(`secrets a step of the deployment ${deploymentId} names`, unnamed);
  const answer: SecretsAnswer = { secrets: [], missing: [] };
  for (const name of new Set(names)) {
    const value = await readSecret(context.db, context.keys.secretsKey, { deviceId: device.id, deploymentId }, name);
    if (value === undefined) answer.missing.push(name);
    else answer.secrets.push({ name, sealed: await sealSecret(sealingKey, value, { deviceKeyId: device.keyId, deploymentId, name, siteCode: context.configuration.siteCode }) });
  }
  await audit(context, `device ${device.id}`, "secrets-sealed", `${deploymentId}: ${answer.secrets.map((one) => one.name).join(", ") || "none"}`);
  return answer;
}

async function requireEntitled(context: SiteContext, device: EnrolledDevice, deploymentId: string): Promise<void> {
  const reaching = (await deploymentsReaching(context.db, device)).some((one) => one.id === deploymentId);
  if (!reaching) throw refused("a deployment that reaches this device and is enabled", deploymentId);
  if (device.proof !== "password") return;
  const { secrets_to_password } = await context.db.selectFrom("deployment").select("secrets_to_password").where("id", "=", deploymentId).executeTakeFirstOrThrow();
  if (!secrets_to_password) throw refused("a device enrolled by claim or approval", "one enrolled by the media password alone. Approve such computers, or set the deployment's --secrets-to-password");
}

/** The secrets the steps name in the revision this device runs: a run is one consistent set. */
async function namesInChosenRevision(context: SiteContext, deviceId: string, deploymentId: string): Promise<string[]> {
  const { policy_deployment, policy_sequence } = await context.db.selectFrom("device").select(["policy_deployment", "policy_sequence"]).where("id", "=", deviceId).executeTakeFirstOrThrow();
  if (policy_deployment !== deploymentId || policy_sequence === null) throw refused("the deployment this device chose", deploymentId);
  const revision = await context.db.selectFrom("task_sequence_revision").select("payload").where("sha256", "=", policy_sequence).executeTakeFirst();
  return revision === undefined ? [] : secretNames(taskSequenceSchema.parse(JSON.parse(revision.payload.toString("utf8"))));
}

function refused(expected: string, found: string): SiteError {
  return new SiteError("PRESTAGE_SITE_SECRET_REFUSED", `Expected ${expected}; found ${found}.`);
}
