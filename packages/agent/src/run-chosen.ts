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
import type { Text } from "./screens/texts/en.ts";
import type { NetworkSettings } from "./network/network-settings.ts";
import type { RunContext, VariableSource } from "./run/run-context.ts";
import type { RunSettings } from "./run/run-settings.ts";
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
  /** Whether somebody works at a support shell. */
  shellOpen?: () => boolean;
}

/** How long an unattended computer shows what failed. */
const unattendedSeconds = 60;

/** Runs, or goes on with, the sequence that was chosen. Resolves to the exit code: 0 restart (or, installed, the end). */
export async function runChosen(run: ChosenRun): Promise<number> {
  const { answer, keyrings, deviceKey, manifest, client, state, status, screen, signal, log } = run;
  const { policy, sequence } = openKeptPolicy(answer, { keyrings, deviceKeyId: deviceKey.keyId, floor: new Date(manifest.floor) });
  if (policy.selected === undefined || sequence === undefined) throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", "Expected the policy of a chosen deployment; found none.", "Stage the disk again.");
  status.setDeployment(policy.selected.deploymentId);
  let settings: RunSettings | undefined;
  const { proxy } = await networkOf(state, manifest);
  const content = new PolicyContentAccess({
    proxy,
    dataRoot: run.dataRoot, policy: policy.selected, mediaDistributionPoints: manifest.distributionPoints, tlsCa: keyrings.at(-1)?.tlsCa ?? "",
    fetchUrls: (ids) => client.contentUrls(ids, settings?.contentUrlsTimeoutMs), status, screen, signal, log,
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
    const { result } = await runSequence({ environment, dataRoot, espRoot, makeEspWritable, ...(run.releaseVolume && { releaseVolume: run.releaseVolume }), ...(run.beforeLeaving && { beforeLeaving: run.beforeLeaving }), disk, policy: policy.selected, sequence, variables, content, secrets, status, screen, journal, signal, log, unattended: manifest.unattended, userDeviceAffinity: manifest.userDeviceAffinity,
      ...(environment === "boot" && { afterFailure: (seconds: number) => thenOf(manifest, seconds) }), onSettings: (told) => (settings = told) });
    if (result === "failed") return await afterFailure(run, settings?.errorSeconds ?? 0);
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

/** What the error screen says of what comes after it. */
function thenOf({ unattended, unattendedError }: Pick<Manifest, "unattended" | "unattendedError">, errorSeconds: number): Text {
  if (unattended) return (texts) => (unattendedError === "power-off" ? texts.unattendedPowerOff(unattendedSeconds) : texts.unattendedRetry(unattendedSeconds));
  return (texts) => (errorSeconds === 0 ? texts.sequenceFailedKey : texts.sequenceFailedKeyOr(errorSeconds));
}

/** The screen says what failed; in the boot environment the next start begins anew: after a key, or when the time of the error is over (SMSTSErrorDialogTimeout). */
export async function afterFailure(run: Pick<ChosenRun, "status" | "environment" | "manifest" | "screen" | "signal" | "state" | "shellOpen">, errorSeconds: number): Promise<number> {
  const flushed = run.status.flush(30_000);
  if (run.environment !== "boot") {
    await flushed;
    return 0;
  }
  const { unattended, unattendedError } = run.manifest;
  if (unattended) await Promise.all([flushed, delay(unattendedSeconds * 1000, undefined, { signal: run.signal })]);
  else {
    const by = await readError(run, errorSeconds);
    run.screen.event("error-read", { by });
    await Promise.race([flushed, delay(2000, undefined, { signal: run.signal })]);
  }
  await run.state.endRun();
  return unattended && unattendedError === "power-off" ? 7 : 0;
}

/** Until a key is pressed or the time is over; a support shell that is open is no moment to restart: it is waited for, as the reference does. */
async function readError({ screen, signal, shellOpen }: Pick<ChosenRun, "screen" | "signal" | "shellOpen">, seconds: number): Promise<"key" | "time"> {
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const key = screen.anyKey(either).then(() => "key" as const);
  const time = (async () => {
    if (seconds === 0) return key;
    await delay(seconds * 1000, undefined, { signal: either });
    while (shellOpen?.() === true) await delay(1000, undefined, { signal: either });
    return "time" as const;
  })();
  try {
    return await Promise.race([key, time]);
  } finally {
    for (const one of [key, time]) one.catch(() => undefined); // whichever came later
    ended.abort();
  }
}
