import { mkdir, readdir, realpath, rm, stat, statfs } from "node:fs/promises";
import type { StatsFs } from "node:fs";
import { join } from "node:path";
import { captureImage, unfinishedFolder, withNtfs } from "@prestage/disk";
import { captureOsImageStep } from "@prestage/sequence";
import type { z } from "zod";
import { AgentError } from "../../error.ts";
import { foldersRoot, isLostFolder } from "../network-folders.ts";
import { defineStep } from "../step-executor.ts";
import type { StepResult, StepRun } from "../step-executor.ts";
import { leftOutOfLinux, leftOutOfWindows, localImages } from "./left-out.ts";

type Settings = z.infer<typeof captureOsImageStep.settings>;

/** File systems that are memory (statfs(2)): the boot environment's own. */
const inMemory = [0x01021994, 0x858458f6];
/** Of the bytes that are read, how many the .wim has at most, as systems go; one that has more fails when the room is at its end. */
const share = { lzx: 0.6, xpress: 0.7, none: 1.02 };

const labels = { capture: "Capturing the system", verify: "Verifying the image" };

/** Captures the system on the data volume into a .wim. */
export const step = defineStep(captureOsImageStep, async (run, settings) => {
  const { disk } = run.context;
  const ntfs = disk.dataFileSystem === "ntfs";
  const folder = await targetFolder(run, settings, ntfs);
  const wim = join(folder, settings.file);
  // The rest of an attempt that was cut short takes room.
  await rm(unfinishedFolder(wim), { recursive: true, force: true });
  return ntfs ? captureWindows(run, settings, folder) : captureLinux(run, settings, folder);
});

async function captureLinux(run: StepRun, settings: Settings, folder: string): Promise<StepResult> {
  const { dataRoot } = run.context;
  for (const name of ["usr", "etc"]) if (!(await isFolder(join(dataRoot, name)))) throw refused(`Expected an installed system on the data volume; found no /${name}.`, "Capture after the restart of an installed system into the boot environment.");
  const outside = await Promise.all(["prestage", "var/log", "tmp", "var/tmp"].map((path) => bytesBelow(join(dataRoot, path))));
  const volume = await statfs(dataRoot);
  await requireRoom(settings, folder, Math.max(0, used(volume) - outside.reduce((sum, bytes) => sum + bytes, 0)));
  return capture(run, settings, folder, { source: dataRoot, kind: "folder", ...(await leftOutOfLinux(dataRoot, settings.everything)) });
}

/** By its device, which nothing has mounted meanwhile: ntfs-3g would show but a part of what Windows keeps, and what it has not written yet would be missing. */
function captureWindows(run: StepRun, settings: Settings, folder: string): Promise<StepResult> {
  const { releaseVolume = (use) => use() } = run.context;
  return releaseVolume(() => captureReleased(run, settings, folder));
}

async function captureReleased(run: StepRun, settings: Settings, folder: string): Promise<StepResult> {
  const { dataPartition } = run.context.disk;
  const bytes = await withNtfs(dataPartition, async (root) => {
    const found = (await readdir(root)).find((name) => name.toLowerCase() === "windows");
    if (found === undefined) throw refused("Expected a Windows on the data volume; found none.", "Capture after the restart of an installed system into the boot environment.");
    return used(await statfs(root)) - (await bytesBelow(join(root, "prestage")));
  }, { readOnly: true, signal: run.context.signal });
  await requireRoom(settings, folder, Math.max(0, bytes));
  return capture(run, settings, folder, { source: dataPartition, kind: "ntfs", ...leftOutOfWindows(settings.everything) });
}

async function capture(run: StepRun, { file, name, description, creator, version, compression, append }: Settings, folder: string, from: Pick<Parameters<typeof captureImage>[0], "source" | "kind" | "exclude" | "empty">): Promise<StepResult> {
  const wim = join(folder, file);
  const properties = { ...(creator && { "PRESTAGE/CREATOR": creator }), ...(version && { "PRESTAGE/VERSION": version }) };
  const { bytes } = await captureImage({ ...from, wim, name, ...(description && { description }), properties, compression, append, signal: run.context.signal, onProgress: ({ phase, percent }) => run.progress({ label: labels[phase], done: percent, total: 100, unit: "percent" }) });
  run.say("_PrestageCapturedImage", wim);
  return { outputTail: `captured ${JSON.stringify(name)} into ${wim}: ${bytes} bytes` };
}

/** Where it goes: never into the image itself, into memory, or where a server's folder ought to be. */
async function targetFolder(run: StepRun, { to }: Settings, ntfs: boolean): Promise<string> {
  const { dataRoot } = run.context;
  if (to === "local") {
    if (ntfs) throw refused("Expected a folder outside the NTFS that is captured; found local, which is on it.", "Name a folder that connect-network-folder has mounted, or one of another disk.");
    await mkdir(join(dataRoot, localImages), { recursive: true, mode: 0o700 });
    return join(dataRoot, localImages);
  }
  if (await isLostFolder(to)) throw refused(`Expected a file server's folder at ${to}; none is mounted there now.`, "See in the log why connect-network-folder did not mount it.");
  if (to.startsWith(`${foldersRoot}/`)) await mkdir(to, { recursive: true });
  const folder = await realpath(to).catch(() => undefined);
  if (folder === undefined || !(await isFolder(folder))) throw refused(`Expected the folder ${to}; it is not there.`, "Mount it in a step before, by connect-network-folder.");
  const root = await realpath(dataRoot).catch(() => dataRoot);
  if (folder === root || folder.startsWith(`${root === "/" ? "" : root}/`)) throw refused(`Expected a folder outside the system that is captured; found ${to}.`, "Use `to: local`, which an image leaves out.");
  if (inMemory.includes((await statfs(folder)).type)) throw refused(`Expected a folder of a disk or a server; ${to} is in memory, and gone after a restart.`, "Mount a disk or a server's folder in a step before.");
  return folder;
}

async function requireRoom({ compression, append, file }: Settings, folder: string, bytes: number): Promise<void> {
  const former = append ? await stat(join(folder, file)).then((status) => status.size, () => 0) : 0;
  const volume = await statfs(folder);
  const [needed, free] = [Math.ceil(bytes * share[compression]) + former, volume.bavail * volume.bsize];
  if (free < needed) throw new AgentError("PRESTAGE_AGENT_CAPTURE_NO_ROOM", `Expected room for about ${mebibytes(needed)} MiB in ${folder}; found ${mebibytes(free)} MiB.`, "Name another folder, or remove what is not needed there.");
}

function used({ blocks, bfree, bsize }: StatsFs): number {
  return (blocks - bfree) * bsize;
}

async function bytesBelow(folder: string): Promise<number> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of found) if (entry.isFile()) bytes += await stat(join(entry.parentPath, entry.name)).then((status) => status.blocks * 512, () => 0);
  return bytes;
}

function isFolder(path: string): Promise<boolean> {
  return stat(path).then((status) => status.isDirectory(), () => false);
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

function refused(message: string, next: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_CAPTURE_REFUSED", message, next);
}
