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
import type { RunContext } from "./run/run-context.ts";
import { networkOf, runChosen } from "./run-chosen.ts";
import type { Screen } from "./screens/screen.ts";
import { DeviceState } from "./state/device-state.ts";
import { WindowsEsp, windowsDisk, windowsRoot } from "./windows/installed-windows.ts";
import { StatusSpool } from "./status/status-spool.ts";

/** The installed system the agent finds itself in. */
interface Place { dataRoot: string; espRoot: string; makeEspWritable: () => Promise<void>; disk: RunContext["disk"] }

async function placeOf(): Promise<Place> {
  // On Linux the ESP is mounted where fstab says.
  if (process.platform !== "win32") return { dataRoot: "/", espRoot: "/boot/efi", makeEspWritable: async () => undefined, disk: await ownDisk() };
  const esp = new WindowsEsp();
  return { dataRoot: windowsRoot(), espRoot: esp.root, makeEspWritable: () => esp.open(), disk: windowsDisk };
}

/**
 * Goes on with the run in the installed system, as a service: from the journal, online or not. Resolves to the exit code its service understands:
 * 0 it is not needed until the next start; on Windows 10, the deployment is over.
 */
export async function startInstalled(screen: Screen, logFile: LogFile, stopped: AbortSignal): Promise<number> {
  const place = await placeOf();
  const { dataRoot } = place;
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
  return runChosen({ environment: "installed", ...place, answer, manifest, keyrings, deviceKey, sealingKey, clock, client, state, status, screen, signal, log });
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
