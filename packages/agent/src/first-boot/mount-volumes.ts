import { mkdir } from "node:fs/promises";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";
import type { StartVolume } from "./find-volume.ts";

export const dataRoot = "/mnt/data";
export const espRoot = "/mnt/esp";

/**
 * Mounts the data volume for writing (after e2fsck -p, which does nothing to a clean one) and the ESP read-only.
 * @throws AgentError PRESTAGE_AGENT_VOLUME_DAMAGED
 */
export async function mountVolumes(volume: StartVolume): Promise<void> {
  await mkdir(dataRoot, { recursive: true });
  await mkdir(espRoot, { recursive: true });
  const check = await runCommand("e2fsck", ["-p", volume.dataPartition]);
  if (check.code > 1) throw damaged(volume.dataPartition, `e2fsck -p ended with ${check.code}: ${check.output}`);
  await mount(["-t", "ext4", "-o", "noatime,nodev", volume.dataPartition, dataRoot], volume.dataPartition);
  await mount(["-t", "vfat", "-o", "ro,umask=0077", volume.espPartition, espRoot], volume.espPartition);
}

/** Makes the ESP writable for the boot switch. Left-overs of a power cut are mended first, never deleted before. */
export async function makeEspWritable(volume: { espPartition: string }): Promise<void> {
  await runCommand("umount", [espRoot]);
  const check = await runCommand("fsck.fat", ["-a", volume.espPartition]);
  if (check.code > 1) throw damaged(volume.espPartition, `fsck.fat -a ended with ${check.code}: ${check.output}`);
  await mount(["-t", "vfat", "-o", "rw,umask=0077", volume.espPartition, espRoot], volume.espPartition);
}

async function mount(args: string[], device: string): Promise<void> {
  const { code, output } = await runCommand("mount", args);
  if (code !== 0) throw damaged(device, `mount ended with ${code}: ${output}`);
}

function damaged(device: string, found: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_VOLUME_DAMAGED", `Expected a sound file system on ${device}; ${found}.`, "Stage the disk again; if it comes back, the disk is failing.");
}
