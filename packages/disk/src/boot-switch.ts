import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DiskError } from "./error.ts";

/** What a start leads to, as the first sector of prestage/boot.env says. */
export type BootSwitch = { boot: "environment" } | { boot: "installed"; rootUuid: string } | { boot: "windows" };

const blockSize = 1024;
const sectorSize = 512;
const signature = "# GRUB Environment Block\n";
const uuidPattern = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** Reads a GRUB environment block. A missing or broken one means "environment" to GRUB: the caller decides what an error here means. */
export function readBootSwitch(bytes: Uint8Array): BootSwitch {
  const text = Buffer.from(bytes).toString("latin1");
  if (bytes.length !== blockSize || !text.startsWith(signature)) throw broken(`${bytes.length} bytes beginning with ${JSON.stringify(text.slice(0, 24))}`);
  const values = new Map<string, string>();
  for (const line of text.slice(signature.length).split("\n")) {
    const match = /^([a-z_]+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) values.set(match[1], match[2]);
  }
  const boot = values.get("boot");
  if (boot === "environment" || boot === "windows") return { boot };
  const rootUuid = values.get("root_uuid") ?? "";
  if (boot === "installed" && uuidPattern.test(rootUuid)) return { boot: "installed", rootUuid };
  throw broken(`boot=${boot ?? ""} root_uuid=${rootUuid}`);
}

/** The whole block of 1,024 bytes for a state; all that changes between states lies in the first 512. */
export function bootSwitchBlock(state: BootSwitch): Uint8Array {
  if (state.boot === "installed" && !uuidPattern.test(state.rootUuid)) throw broken(`root_uuid=${state.rootUuid}`);
  const block = Buffer.alloc(blockSize, "#");
  block.write(`${signature}boot=${state.boot}\n${state.boot === "installed" ? `root_uuid=${state.rootUuid}\n` : ""}`, "latin1");
  return block;
}

/** The one sector the switch overwrites. */
export function bootSwitchSector(state: BootSwitch): Uint8Array {
  return bootSwitchBlock(state).subarray(0, sectorSize);
}

/**
 * Switches what the next start leads to, by overwriting 512 bytes in place and flushing them: no allocation, no change of
 * a directory, no rename on FAT, so a power cut leaves the old or the new state. Reads the block back.
 */
export async function switchBoot(espMountPoint: string, state: BootSwitch): Promise<void> {
  const path = join(espMountPoint, "prestage/boot.env");
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    if (size !== blockSize) throw broken(`${size} bytes`);
    await file.write(bootSwitchSector(state), 0, sectorSize, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  const found = readBootSwitch(await readFile(path));
  if (found.boot !== state.boot) throw broken(`boot=${found.boot} after writing boot=${state.boot}`);
}

function broken(found: string): DiskError {
  return new DiskError("PRESTAGE_DISK_BAD_BOOT_SWITCH", `Expected a GRUB environment block of ${blockSize} bytes that says boot=environment, boot=installed or boot=windows, found ${found}.`);
}
