import { open, realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { DiskError } from "./error.ts";
import { runProgram } from "./run-program.ts";

export interface DiskDescription {
  path: string;
  kind: "file" | "loop" | "device";
  /** What `--wipe` must name: a device's serial number; the file's name for an image file or loop device. */
  serial: string;
  /** As the device tells it; empty for an image file or loop device. */
  model: string;
  sizeBytes: number;
  sectorSize: number;
  /** Where it or a part of it is mounted, or what else holds it. */
  inUse: string[];
  /** Whether the running system was started from it. */
  runningSystem: boolean;
  /** What is on it, in words; empty for an empty disk. */
  content: string[];
}

interface LsblkNode {
  name: string;
  type?: string;
  mountpoints?: (string | null)[];
  serial?: string | null;
  model?: string | null;
  children?: LsblkNode[];
}

/** Looks at a block device or image file without changing it. */
export async function describeDisk(path: string, options: { signal?: AbortSignal | undefined } = {}): Promise<DiskDescription> {
  const real = await realpath(path).catch(() => path);
  const status = await stat(real).catch((cause: unknown) => {
    throw new DiskError("PRESTAGE_DISK_NOT_A_DISK", `Expected a block device or a raw image file at ${path}, found nothing there.`, { cause });
  });
  if (status.isFile()) {
    const loops = (await runProgram("losetup", ["--noheadings", "--output", "NAME", "--associated", real], options).catch(() => ({ output: "" }))).output.trim();
    const inUse = loops === "" ? [] : loops.split("\n").map((loop) => `attached to ${loop.trim()}`);
    return { path: real, kind: "file", serial: basename(path), model: "", sizeBytes: status.size, sectorSize: 512, inUse, runningSystem: false, content: await findContent(real, status.size, options.signal) };
  }
  if (!status.isBlockDevice()) throw new DiskError("PRESTAGE_DISK_NOT_A_DISK", `Expected a block device or a raw image file at ${path}, found something else.`);
  const { output } = await runProgram("lsblk", ["--json", "--output", "NAME,TYPE,MOUNTPOINTS,SERIAL,MODEL", real], options);
  const node = (JSON.parse(output) as { blockdevices?: LsblkNode[] }).blockdevices?.[0];
  if (node === undefined || (node.type !== "disk" && node.type !== "loop")) throw new DiskError("PRESTAGE_DISK_NOT_A_DISK", `Expected a whole disk at ${path}, found a ${node?.type ?? "device lsblk does not know"}. Name the disk, not one of its partitions.`);
  const sizeBytes = Number((await runProgram("blockdev", ["--getsize64", real], options)).output.trim());
  const sectorSize = Number((await runProgram("blockdev", ["--getss", real], options)).output.trim());
  const mounts = mountsOf(node);
  const backing = node.type === "loop" ? (await runProgram("losetup", ["--noheadings", "--output", "BACK-FILE", real], options)).output.trim() : "";
  return {
    path: real,
    ...(node.type === "loop" ? { kind: "loop" as const, serial: basename(backing === "" ? real : backing), model: "" } : { kind: "device" as const, serial: node.serial?.trim() ?? "", model: node.model?.trim() ?? "" }),
    sizeBytes,
    sectorSize,
    inUse: mounts.map((mount) => (mount.where.startsWith("/") ? `${mount.name} is mounted at ${mount.where}` : `${mount.name} is in use (${mount.where})`)),
    runningSystem: mounts.some((mount) => ["/", "/boot", "/boot/efi", "/usr", "[SWAP]"].includes(mount.where)),
    content: await findContent(real, sizeBytes, options.signal),
  };
}

/** Mount points of a device and of everything on it: partitions, RAID, LVM, encryption. */
function mountsOf(node: LsblkNode): { name: string; where: string }[] {
  const own = (node.mountpoints ?? []).filter((where) => where !== null && where !== "").map((where) => ({ name: node.name, where: where ?? "" }));
  const children = (node.children ?? []).flatMap((child) => {
    const held = child.type !== undefined && child.type !== "part" ? [{ name: child.name, where: child.type }] : [];
    return [...held, ...mountsOf(child)];
  });
  return [...own, ...children];
}

/** What is on a disk: known signatures, or bytes that are not zero in its first MiB. */
async function findContent(path: string, size: number, signal: AbortSignal | undefined): Promise<string[]> {
  const { output } = await runProgram("wipefs", ["--no-act", "--json", path], { signal });
  const signatures = output.trim() === "" ? [] : ((JSON.parse(output) as { signatures?: { type?: string }[] }).signatures ?? []);
  const found = [...new Set(signatures.map((signature) => signature.type ?? "unknown"))];
  if (found.length > 0) return found;
  const file = await open(path, "r");
  try {
    const start = Buffer.alloc(Math.min(1 << 20, size));
    await file.read(start, 0, start.length, 0);
    return start.some((byte) => byte !== 0) ? ["data without a known signature"] : [];
  } finally {
    await file.close();
  }
}

/** Makes sure that what is read next comes from the disk: everything written is on it, and nothing of it is remembered. */
export async function settleDisk(path: string, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
  const file = await open(path, "r+");
  let device: boolean;
  try {
    await file.sync();
    device = (await file.stat()).isBlockDevice();
  } finally {
    await file.close();
  }
  if (device) await runProgram("blockdev", ["--flushbufs", path], options);
}
