import { createHash } from "node:crypto";
import { policySchema } from "@prestage/contract";
import type { Policy, PolicyAnswer } from "@prestage/contract";
import { taskSequenceSchema } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { keysOfRole, verifyDocument } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { AgentError } from "../error.ts";

export interface PolicyExpectations { keyring: Keyring; deviceKeyId: string; floor: Date; now: Date; /** The highest number journalled under this keyring. */ highestNumber: number }
export interface OpenedPolicy { policy: Policy; sequence: TaskSequence | undefined }

/**
 * Opens a policy answer: signed by the policy role, for this device, not older than any seen, not before the manifest's floor, not expired;
 * the task sequence is the one the policy names.
 * @throws TrustError, AgentError PRESTAGE_AGENT_POLICY_REFUSED
 */
export function openPolicy(answer: PolicyAnswer, expected: PolicyExpectations): OpenedPolicy {
  const keys = keysOfRole(expected.keyring, "policy");
  const parsed = policySchema.safeParse(JSON.parse(verifyDocument("policy", Buffer.from(answer.policy, "base64"), keys).toString("utf8")));
  if (!parsed.success) throw refused("of a known form", "another form", parsed.error);
  const policy = parsed.data;
  if (policy.deviceKeyId !== expected.deviceKeyId) throw refused("for this device's key", `key ${policy.deviceKeyId.slice(0, 16)}`);
  if (policy.keyringVersion !== expected.keyring.version) throw refused(`under keyring version ${expected.keyring.version}`, `version ${policy.keyringVersion}`);
  if (policy.number < expected.highestNumber) throw refused(`numbered ${expected.highestNumber} or higher`, `number ${policy.number}: an old policy was replayed`);
  if (Date.parse(policy.issued) < expected.floor.getTime()) throw refused(`issued after ${expected.floor.toISOString()}`, policy.issued);
  if (Date.parse(policy.expires) < expected.now.getTime()) throw refused(`that is still valid at ${expected.now.toISOString()}`, `expiry ${policy.expires}`);
  return { policy, sequence: policy.selected === undefined ? undefined : openSequence(answer, policy.selected.taskSequence.sha256, keys) };
}

/**
 * Opens the policy a run was chosen by, under the keyring of that day: a run is one consistent set, whatever keys were changed since.
 * Its age and number were checked when it was chosen.
 * @throws TrustError, AgentError PRESTAGE_AGENT_POLICY_REFUSED
 */
export function openKeptPolicy(answer: PolicyAnswer, kept: { keyrings: readonly Keyring[]; deviceKeyId: string; floor: Date }): OpenedPolicy {
  const { keyrings, deviceKeyId, floor } = kept;
  let failure: unknown;
  for (const keyring of keyrings.toReversed()) {
    try {
      return openPolicy(answer, { keyring, deviceKeyId, floor, now: floor, highestNumber: 0 });
    } catch (cause) {
      failure ??= cause;
    }
  }
  throw failure;
}

function openSequence(answer: PolicyAnswer, sha256: string, keys: ReturnType<typeof keysOfRole>): TaskSequence {
  const payload = verifyDocument("task-sequence", Buffer.from(answer.taskSequence ?? "", "base64"), keys);
  const found = createHash("sha256").update(payload).digest("hex");
  if (found !== sha256) throw refused(`with the task sequence ${sha256.slice(0, 16)}`, found.slice(0, 16));
  return taskSequenceSchema.parse(JSON.parse(payload.toString("utf8")));
}

function refused(expected: string, found: string, cause?: unknown): AgentError {
  return new AgentError("PRESTAGE_AGENT_POLICY_REFUSED", `Expected a policy ${expected}; found ${found}.`, "Ask the administrator of the site; do not go on with this network.", { cause });
}
