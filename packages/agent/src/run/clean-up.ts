import { chmod, lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncPath } from "@prestage/content";
import { runCommand } from "../run-command.ts";
import { cleanUpWindows } from "../windows/installed-windows.ts";
import { agentUnit, removedFolder, serviceFiles } from "../steps/agent-service.ts";
import { disconnectFolders } from "../steps/network-folders.ts";
import { keptImages, localImages } from "../steps/capture/left-out.ts";
import { listName, localStore } from "../steps/user-state/state-store.ts";

export interface CleanUpOptions {
  /** "/" in the installed system. */
  dataRoot: string;
  espRoot: string;
  log: (line: string) => void;
}

/** Where captured users' files go that the sequence has not removed: they are nobody's to delete. */
export const keptState = "var/lib/prestage/user-state";

/** What the boot environment has on the ESP and the installed system does not need: GRUB's own files and the switch stay (nothing is renamed or replaced on FAT). */
const espFiles = ["prestage/vmlinuz", "prestage/initrd"];

/**
 * Leaves nothing behind but the installed system. May be repeated: a power cut before the rename leaves the service, which comes here again;
 * one after it leaves a recognisable name, and the clean-up service deletes that at the next start. Everything must have been reported before.
 */
export async function cleanUp(options: CleanUpOptions): Promise<void> {
  const { dataRoot, espRoot, log } = options;
  if (process.platform === "win32") {
    await cleanUpWindows(dataRoot, log);
    await keep(dataRoot, { from: localStore, holds: (name) => name === listName, to: "ProgramData/Prestage/user-state", what: "captured users' files" }, log);
    return; // the service removes the rest, and itself
  }
  if (dataRoot === "/") await disconnectFolders();
  for (const path of espFiles) await rm(join(espRoot, path), { force: true });
  await syncFolder(join(espRoot, "prestage"), log);
  await keep(dataRoot, { from: localStore, holds: (name) => name === listName, to: keptState, what: "captured users' files" }, log);
  await keep(dataRoot, { from: localImages, holds: (name) => !name.startsWith("."), to: keptImages, what: "captured images" }, log);
  const removed = join(dataRoot, removedFolder);
  await rm(removed, { recursive: true, force: true });
  if (await stat(join(dataRoot, "prestage")).then(() => true, () => false)) await rename(join(dataRoot, "prestage"), removed);
  await syncFolder(dataRoot, log);
  await rm(removed, { recursive: true, force: true });
  const service = serviceFiles.filter((path) => path.endsWith(agentUnit));
  const cleanUpService = serviceFiles.filter((path) => !path.endsWith(agentUnit));
  for (const path of [...service, ...cleanUpService]) {
    await rm(join(dataRoot, path), { force: true });
    await syncFolder(dirname(join(dataRoot, path)), log);
  }
  if (dataRoot === "/") await runCommand("systemctl", ["daemon-reload"]);
}

/** What a sequence has made that outlives the deployment: where it lies, by what it is known, and where it goes. */
interface Kept { from: string; holds: (name: string) => boolean; to: string; what: string }

/** By renames on the one volume: cut anywhere, the files are in one of the places, and the next clean-up goes on. */
async function keep(dataRoot: string, { from, holds, to, what }: Kept, log: (line: string) => void): Promise<void> {
  const store = join(dataRoot, from);
  const kept = join(dataRoot, to);
  if (!(await readdir(store).catch(() => [])).some(holds)) return;
  await chmod(store, 0o700);
  await mkdir(dirname(dirname(kept)), { recursive: true });
  if (!(await isThere(dirname(kept)))) await mkdir(dirname(kept), { mode: 0o700 });
  if (await isThere(kept)) {
    let number = 1;
    while (await isThere(`${kept}.${number}`)) number++;
    await rename(kept, `${kept}.${number}`);
    log(`${what} of an earlier deployment are kept in /${to}.${number}`);
  }
  await rename(store, kept);
  for (const folder of [dirname(kept), dirname(dirname(kept)), dirname(store)]) await syncFolder(folder, log);
  log(`${what} are kept in /${to}`);
}

function isThere(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false);
}

async function syncFolder(path: string, log: (line: string) => void): Promise<void> {
  try {
    await syncPath(path);
  } catch (cause) {
    log(`could not flush ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
