import { readFile } from "node:fs/promises";
import type { OpenedManifest } from "@prestage/media";
import { openTrustedKeyring } from "@prestage/trust";
import { AgentError } from "./error.ts";
import { afterError } from "./first-boot/after-error.ts";
import type { AfterError } from "./first-boot/after-error.ts";
import { chooseDeployment, connect } from "./first-boot/contact.ts";
import { readDeviceAttributes } from "./first-boot/device-attributes.ts";
import { enrolDevice } from "./first-boot/enrol-device.ts";
import { findStartVolume } from "./first-boot/find-volume.ts";
import { dataRoot, espRoot, makeEspWritable, makeOwnFolders, mountVolumes, withVolumeReleased } from "./first-boot/mount-volumes.ts";
import { runPrestart, withPrestart } from "./first-boot/prestart.ts";
import { verifyContent, verifyStart } from "./first-boot/verify-volume.ts";
import type { LogFile } from "./log-file.ts";
import { copyLogToPartition } from "./log-stick/copy-log.ts";
import { logStickTool } from "./log-stick/log-stick-tool.ts";
import { removablePartitions } from "./log-stick/removable-partitions.ts";
import { SignedClock } from "./management-point/clock.ts";
import { ManagementPointClient } from "./management-point/management-point-client.ts";
import { networkTool } from "./network/network-form.ts";
import { Network } from "./network/network.ts";
import { networkOf, runChosen } from "./run-chosen.ts";
import { Keyboard, layoutOf } from "./screens/keyboard.ts";
import type { Screen } from "./screens/screen.ts";
import type { TerminalScreen } from "./screens/terminals.ts";
import { languageOf, languageOfFolder } from "./screens/texts/index.ts";
import { DeviceState, readClaimKey } from "./state/device-state.ts";
import { StatusSpool } from "./status/status-spool.ts";
import { SupportShell } from "./support-shell/support-shell.ts";

/** In memory: nothing on the disk changes before a task sequence was chosen. */
const prestartFolder = "/run/prestage/prestart";
/** The keyring this boot image was built with. */
const builtInKeyring = "/etc/prestage/keyring.dsse.json";

/**
 * First boot, in the order of design.md section 6. After a restart in the middle of a run the start files are verified again;
 * all other content is verified when it is used. Resolves to the exit code init understands: 0 restart, 7 power off.
 */
export async function startBoot(screen: TerminalScreen, logFile: LogFile, stopped: AbortSignal): Promise<number> {
  // Before a manifest was verified nothing says that this computer is unattended: a key is waited for.
  const known: KnownSoFar = { manifest: { unattended: false } };
  const shell = new SupportShell({ screen, log: logFile.write });
  screen.addTool(shell.tool());
  process.once("exit", () => shell.endNow());
  try {
    return await firstBoot(screen, logFile, stopped, known, shell);
  } catch (cause) {
    if (stopped.aborted) throw cause;
    logFile.write(`stopped: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
    return await afterError(cause, { ...known, screen, signal: stopped });
  } finally {
    await shell.close();
  }
}

type KnownSoFar = Pick<AfterError, "manifest" | "status">;

async function firstBoot(screen: TerminalScreen, logFile: LogFile, stopped: AbortSignal, soFar: KnownSoFar, shell: SupportShell): Promise<number> {
  const log = logFile.write;
  const keyboard = new Keyboard((layout) => screen.setKeyboard(layout));
  screen.addTool(keyboard.tool());
  screen.message({ screen: "starting", title: (texts) => texts.starting, lines: [(texts) => texts.startingWhat] });
  const volume = await findStartVolume(process.env["PRESTAGE_ESP"], log);
  screen.addTool(logStickTool({
    partitions: () => removablePartitions(volume.disk),
    copy: async (partition) => {
      const device = await new DeviceState(dataRoot).readDevice().catch(() => undefined);
      return copyLogToPartition(partition, { folder: `${dataRoot}/prestage/log`, recent: logFile.recent, computer: device?.deviceName ?? "", time: new Date() });
    },
  }));
  await mountVolumes(volume);
  const keyring = openTrustedKeyring(await readFile(builtInKeyring));
  const opened = await verifyStart({ esp: espRoot, data: dataRoot }, keyring, screen);
  soFar.manifest = opened.manifest;
  shell.verified(opened.manifest);
  const folder = opened.manifest.variables.find(({ name }) => name.toLowerCase() === "smstslanguagefolder")?.value;
  screen.setLanguage((folder === undefined ? undefined : languageOfFolder(folder)) ?? languageOf(opened.manifest.language));
  const layout = layoutOf(opened.manifest.keyboardLayout);
  if (!(await keyboard.use(layout))) log(`the keyboard layout ${layout} cannot be loaded; it stays ${keyboard.layout}`);
  await makeOwnFolders();
  logFile.open(dataRoot);
  const state = new DeviceState(dataRoot);
  const clock = new SignedClock();
  const status = await StatusSpool.open(`${state.folder}/status`, "boot", () => clock.now());
  soFar.status = status;
  const resumed = await state.readRun();
  if (resumed === undefined) {
    await verifyRest(opened, screen, status, log);
    await state.keepPrestartVariables(await runPrestart({ manifest: opened.manifest, dataRoot, folder: prestartFolder, screen, signal: stopped, log }));
  }
  const deviceKey = await state.deviceKey();
  const sealingKey = await state.sealingKey();
  const revoked = new AbortController();
  const signal = AbortSignal.any([stopped, revoked.signal]);
  revoked.signal.addEventListener("abort", () => void shell.close("not-enrolled"), { once: true });
  const known = await state.keyrings(keyring);
  const network = new Network(await networkOf(state, opened.manifest), log);
  const client = new ManagementPointClient({ urls: opened.manifest.managementPoints.urls, keyring: known.at(-1) ?? keyring, deviceKey, clock, proxy: network.settings.proxy, floor: new Date(opened.manifest.floor), log, onRevoked: (cause) => revoked.abort(cause) });
  screen.addTool(networkTool({
    settings: () => network.settings,
    interfaces: () => network.interfaces(),
    apply: async (settings) => {
      client.useProxy(settings.proxy);
      await network.use(settings);
      await state.keepNetworkSettings(settings);
    },
  }));
  const before = { network, manifest: { ...opened.manifest, variables: withPrestart(opened.manifest.variables, await state.prestartVariables()) }, mediaId: opened.mediaId, keyrings: known, client, clock, state, status, screen, signal, log };
  const contact = { ...before, keyrings: await connect(before) };
  const attributes = await readDeviceAttributes(volume.disk);
  if ((await state.readDevice()) === undefined || resumed === undefined) {
    const claimKey = await readClaimKey(dataRoot, log);
    await enrolDevice(contact, { mediaId: opened.mediaId, deviceKey: deviceKey.public, sealingKey: sealingKey.publicKey, ...(claimKey && { claimId: claimKey.keyId }), attributes }, claimKey);
    status.post({ kind: "enrolled" });
    shell.enrolled(status);
  }
  status.start(async (messages) => {
    const answer = await client.sendStatus(messages);
    shell.enrolled(status); // in the middle of a run, what the disk says is not enough: the site has answered
    return answer;
  });
  const { answer, keyrings } = resumed === undefined ? await chooseDeployment(contact, opened.mediaId, deviceKey.keyId) : { answer: resumed, keyrings: contact.keyrings };
  const disk = { device: volume.disk, espPartition: volume.espPartition, espGuid: volume.espGuid, dataPartition: volume.dataPartition, dataGuid: volume.dataGuid, dataFileSystemUuid: volume.dataFileSystemUuid, dataFileSystem: volume.dataFileSystem };
  return runChosen({ environment: "boot", dataRoot, espRoot, makeEspWritable: () => makeEspWritable(volume), releaseVolume: (use) => withVolumeReleased(volume, { status, logFile }, use), beforeLeaving: () => shell.close(), shellOpen: () => shell.open, disk, answer, manifest: opened.manifest, keyrings, deviceKey, sealingKey, clock, client, state, status, screen, signal, log });
}

/** The second part of verification: everything else, before any contact. */
async function verifyRest(opened: OpenedManifest, screen: Screen, status: StatusSpool, log: (line: string) => void): Promise<void> {
  status.post({ kind: "verification-started" });
  const started = performance.now();
  const { damage, files, bytes } = await verifyContent(opened.manifest, dataRoot, screen);
  const seconds = (performance.now() - started) / 1000;
  for (const one of damage) {
    log(`damaged: ${one.name}: ${one.detail}`);
    status.post({ kind: "file-damaged", text: `${one.name}: ${one.detail}`.slice(0, 2000) });
  }
  screen.event("verified", { mediaId: opened.mediaId, files, bytes, seconds, damaged: damage });
  status.post({ kind: "verification-finished", outcome: damage.length === 0 ? "succeeded" : "failed", seconds, text: `${files} files, ${bytes} bytes, ${damage.length} damaged` });
  if (damage.length === 0) return;
  screen.damaged({ files: damage });
  if (opened.manifest.damaged === "stop") {
    throw new AgentError("PRESTAGE_AGENT_MEDIA_DAMAGED", `Expected every file of the media as signed; found ${damage.length} damaged, first ${damage[0]?.name ?? ""}: ${damage[0]?.detail ?? ""}.`, "This media stops then. Stage the disk again.");
  }
}
