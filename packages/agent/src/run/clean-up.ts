import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { runCommand } from "../run-command.ts";
import { agentUnit, removedFolder, serviceFiles } from "../steps/agent-service.ts";
import { disconnectFolders } from "../steps/network-folders.ts";

export interface CleanUpOptions {
  /** "/" in the installed system. */
  dataRoot: string;
  espRoot: string;
  log: (line: string) => void;
}

/** What the boot environment has on the ESP and the installed system does not need: GRUB's own files and the switch stay (nothing is renamed or replaced on FAT). */
const espFiles = ["prestage/vmlinuz", "prestage/initrd"];

/**
 * Leaves nothing behind but the installed system. May be repeated: a power cut before the rename leaves the service, which comes here again;
 * one after it leaves a recognisable name, and the clean-up service deletes that at the next start. Everything must have been reported before.
 */
export async function cleanUp(options: CleanUpOptions): Promise<void> {
  const { dataRoot, espRoot, log } = options;
  if (dataRoot === "/") await disconnectFolders();
  for (const path of espFiles) await rm(join(espRoot, path), { force: true });
  await syncFolder(join(espRoot, "prestage"), log);
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

async function syncFolder(path: string, log: (line: string) => void): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    log(`could not flush ${path}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}
