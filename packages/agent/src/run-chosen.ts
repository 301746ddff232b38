import { setTimeout as delay } from "node:timers/promises";
import type { PolicyAnswer } from "@prestage/contract";
import type { Manifest } from "@prestage/media";
import { assignUsersModes } from "@prestage/sequence";
import type { Keyring, SealingKey, SigningKey } from "@prestage/trust";
import { PolicyContentAccess } from "./content/content-access.ts";
import { AgentError } from "./error.ts";
import { withPrestart } from "./first-boot/prestart.ts";
import { Journal } from "./journal/journal.ts";
import type { SignedClock } from "./management-point/clock.ts";
import type { ManagementPointClient } from "./management-point/management-point-client.ts";
import { openKeptPolicy } from "./management-point/open-policy.ts";
import { settingsOfVariables } from "./network/network-settings.ts";
import type { NetworkSettings } from "./network/network-settings.ts";
import type { RunContext, VariableSource } from "./run/run-context.ts";
import { runSequence } from "./run/run-sequence.ts";
import { SiteSecrets } from "./run/secret-access.ts";
import { removeExitCode } from "./windows/installed-windows.ts";
import type { DeviceState } from "./state/device-state.ts";

/** What was typed at this computer, else what the variables of the media and its prestart command say. */
export async function networkOf(state: Pick<DeviceState, "networkSettings" | "prestartVariables">, manifest: Pick<Manifest, "variables">): Promise<NetworkSettings> {
  return (await state.networkSettings()) ?? settingsOfVariables(withPrestart(manifest.variables, await state.prestartVariables()));
}

export interface ChosenRun extends Pick<RunContext, "environment" | "dataRoot" | "espRoot" | "makeEspWritable" | "releaseVolume" | "beforeLeaving" | "disk" | "status" | "screen" | "signal" | "log"> {
  answer: PolicyAnswer;
  manifest: Manifest;
  /** All keyrings known, oldest first. */
  keyrings: readonly Keyring[];
  deviceKey: SigningKey;
  sealingKey: SealingKey;
  clock: SignedClock;
  client: ManagementPointClient;
  state: DeviceState;
}

/** Runs, or goes on with, the sequence that was chosen. Resolves to the exit code: 0 restart (or, installed, the end). */
export async function runChosen(run: ChosenRun): Promise<number> {
  const { answer, keyrings, deviceKey, manifest, client, state, status, screen, signal, log } = run;
  const { policy, sequence } = openKeptPolicy(answer, { keyrings, deviceKeyId: deviceKey.keyId, floor: new Date(manifest.floor) });
  if (policy.selected === undefined || sequence === undefined) throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", "Expected the policy of a chosen deployment; found none.", "Stage the disk again.");
  status.setDeployment(policy.selected.deploymentId);
  const { proxy } = await networkOf(state, manifest);
  const content = new PolicyContentAccess({
    proxy,
    dataRoot: run.dataRoot, policy: policy.selected, mediaDistributionPoints: manifest.distributionPoints, tlsCa: keyrings.at(-1)?.tlsCa ?? "",
    fetchUrls: (ids) => client.contentUrls(ids), status, screen, signal, log,
  });
  const secrets = new SiteSecrets({ client, sealingKey: run.sealingKey, deviceKeyId: deviceKey.keyId, deploymentId: policy.selected.deploymentId, siteCode: manifest.site.code, screen, signal, log });
  const journal = await Journal.open(state.journalPath);
  const { environment, dataRoot, espRoot, makeEspWritable, disk } = run;
  const variables: VariableSource[] = [
    ...policy.selected.variables,
    ...manifest.variables.map((variable) => ({ ...variable, source: "media" as const })),
    ...(await state.prestartVariables()).map((variable) => ({ ...variable, source: "prestart" as const })),
    ...builtIn(manifest, policy.deviceName).map((variable) => ({ ...variable, source: "media" as const })),
  ];
  try {
    const { result } = await runSequence({ environment, dataRoot, espRoot, makeEspWritable, ...(run.releaseVolume && { releaseVolume: run.releaseVolume }), ...(run.beforeLeaving && { beforeLeaving: run.beforeLeaving }), disk, policy: policy.selected, sequence, variables, content, secrets, status, screen, journal, signal, log, unattended: manifest.unattended, userDeviceAffinity: manifest.userDeviceAffinity });
    if (result === "failed") return await afterFailure(run);
    if (result === "succeeded" && environment === "installed" && process.platform === "win32") return removeExitCode;
  } finally {
    await content.close();
  }
  return 0;
}

/** Variables the reference sets by itself, where the meaning is the same; those of the run itself are set by `runSequence`. */
function builtIn(manifest: Manifest, deviceName: string): { name: string; value: string }[] {
  return [
    { name: "_SMSTSMachineName", value: deviceName },
    { name: "_SMSTSLaunchMode", value: "HD" },
    { name: "_SMSTSSiteCode", value: manifest.site.code },
    { name: "SMSTSAssignUsersMode", value: assignUsersModes[manifest.userDeviceAffinity] },
  ];
}

/** The screen says what failed; in the boot environment the next start begins anew. */
async function afterFailure(run: ChosenRun): Promise<number> {
  await run.status.flush(30_000);
  if (run.environment !== "boot") return 0;
  const { unattended, unattendedError } = run.manifest;
  if (unattended) await delay(60_000, undefined, { signal: run.signal });
  else await run.screen.waitForKey({ title: (texts) => texts.sequenceFailed, lines: [(texts) => texts.sequenceFailedKey] }, run.signal);
  await run.state.endRun();
  return unattended && unattendedError === "power-off" ? 7 : 0;
}
