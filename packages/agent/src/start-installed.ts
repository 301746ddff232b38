import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { dataPaths, openManifest } from "@prestage/media";
import { keysOfRole, openTrustedKeyring } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { AgentError } from "./error.ts";
import { acceptKeyrings } from "./first-boot/contact.ts";
import type { LogFile } from "./log-file.ts";
import { SignedClock } from "./management-point/clock.ts";
import { ManagementPointClient } from "./management-point/management-point-client.ts";
import { managementPointsOf } from "./management-point/management-points.ts";
import { ownDisk } from "./own-disk.ts";
import { networkOf, runChosen } from "./run-chosen.ts";
import type { Screen } from "./screens/screen.ts";
import { DeviceState } from "./state/device-state.ts";
import { StatusSpool } from "./status/status-spool.ts";

const dataRoot = "/";
/** Where the installed system's fstab mounts the ESP. */
const espRoot = "/boot/efi";

/** Goes on with the run in the installed system, as a service: from the journal, online or not. */
export async function startInstalled(screen: Screen, logFile: LogFile, stopped: AbortSignal): Promise<number> {
  logFile.open(dataRoot);
  const log = logFile.write;
  const keyring = openTrustedKeyring(await readFile(join(dataRoot, dataPaths.keyring)));
  const { manifest } = openManifest(await readFile(join(dataRoot, dataPaths.manifest)), keysOfRole(keyring, "media"));
  const state = new DeviceState(dataRoot);
  const answer = await state.readRun();
  if (answer === undefined) throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", "Expected the record of the run that installed this system; found none.", "The system is installed; what the sequence had left to do was not done.");
  const clock = new SignedClock();
  const deviceKey = await state.deviceKey();
  const sealingKey = await state.sealingKey();
  const status = await StatusSpool.open(`${state.folder}/status`, "installed", () => clock.now());
  const revoked = new AbortController();
  const signal = AbortSignal.any([stopped, revoked.signal]);
  const keyrings = await state.keyrings(keyring);
  const client = new ManagementPointClient({ urls: await managementPointsOf(state, manifest), keyring: keyrings.at(-1) ?? keyring, deviceKey, clock, proxy: (await networkOf(state, manifest)).proxy, floor: new Date(manifest.floor), log, onRevoked: (cause) => revoked.abort(cause) });
  // The clock is right since the boot environment set it; the site's time is taken again when it answers.
  void keepAskingTime({ client, state, screen, log }, keyrings, signal);
  status.start((messages) => client.sendStatus(messages));
  return runChosen({ environment: "installed", dataRoot, espRoot, makeEspWritable: async () => undefined, disk: await ownDisk(), answer, manifest, keyrings, deviceKey, sealingKey, clock, client, state, status, screen, signal, log });
}

/** The site may have changed its keys since this computer was restarted: first what follows its keyring, then the time. */
async function keepAskingTime(options: Parameters<typeof acceptKeyrings>[0], keyrings: readonly Keyring[], signal: AbortSignal): Promise<void> {
  const { client, log } = options;
  let known = keyrings;
  while (!signal.aborted) {
    try {
      known = await acceptKeyrings(options, known, await client.fetchKeyrings(false));
      await client.fetchTime();
      return;
    } catch (cause) {
      log(`signed time: ${cause instanceof Error ? cause.message : String(cause)}`);
      await delay(10_000, undefined, { signal }).catch(() => undefined);
    }
  }
}
