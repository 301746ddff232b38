import { open, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { makeNtfs, readPartitionTable, runProgram, settleDisk } from "@prestage/disk";
import type { Partition } from "@prestage/disk";
import { partitionDiskStep } from "@prestage/sequence";
import type { PartitionSettings } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { defineStep } from "./step-executor.ts";
import type { StepRun } from "./step-executor.ts";

/** GPT partition types; recovery: required, and no drive letter for it (PARTITION_INFORMATION_GPT). */
const types: Readonly<Record<PartitionSettings["type"], { type: string; attributes?: string }>> = {
  efi: { type: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B" }, linux: { type: "0FC63DAF-8483-4772-8E79-3D69D8477DE4" }, windows: { type: "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7" },
  msr: { type: "E3C9E316-0B5C-4DB8-817D-F92DF00215AE" }, recovery: { type: "DE94BBA4-06D1-4D40-A16A-BFD50179D6AC", attributes: "RequiredPartition GUID:63" },
};

/** Partitions and formats another disk. The disk that holds /prestage is never touched: sequences guard this step with `_SMSTSMediaType` notEquals OEMMedia. */
export const step = defineStep(partitionDiskStep, async (run, { disk = run.context.disk.device, partitions }) => {
  const target = await targetDisk(run, disk);
  const sizes = sizesOf(partitions, await sizeMiB(target));
  const lines = partitions.map(({ name, type }, i) => [...(sizes[i] === undefined ? [] : [`size=${sizes[i]}MiB`]), `type=${types[type].type}`, ...(types[type].attributes === undefined ? [] : [`attrs="${types[type].attributes}"`]), `name="${name}"`].join(", "));
  const { signal } = run.context;
  await runProgram("sfdisk", ["-q", "--wipe", "always", "--wipe-partitions", "always", target], { input: `label: gpt\n${lines.join("\n")}\n`, signal });
  await settleDisk(target);
  const made = (await readPartitionTable(target)).partitions;
  // sfdisk has asked the kernel to read the table again; one that does not for this kind of disk is told.
  await runProgram("partx", ["--update", target], { accept: [0, 1], signal });
  for (const [i, one] of partitions.entries()) {
    const found = made[i];
    if (found === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected ${partitions.length} partitions on ${target}; found ${made.length}.`, "The disk may be failing.");
    run.output(`${found.node}: ${one.name}, ${one.fileSystem}`);
    await format(found, one, signal);
    if (one.variable !== undefined) run.setVariable(one.variable, found.node);
  }
  return {};
});

/** A whole disk that is not the deployment's and that nobody uses. */
async function targetDisk(run: StepRun, named: string): Promise<string> {
  const disk = named.startsWith("/") ? named : await diskOfNumber(run.context.disk.device, Number(named));
  if (disk !== named) run.output(`disk ${named} is ${disk}`);
  const target = await realpath(disk).catch((cause: unknown) => {
    throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a disk ${disk}; there is none.`, "Correct the step's disk.", { cause });
  });
  if (target === (await realpath(run.context.disk.device))) {
    throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected another disk than ${target}, which holds /prestage: partitioning it would destroy the deployment.`, "Give the step the condition _SMSTSMediaType notEquals OEMMedia.");
  }
  // A partition table within a partition is nothing anybody wants, and a partition of the deployment's own disk may not be mounted.
  if (await stat(`/sys/class/block/${basename(target)}/partition`).then(() => true, () => false)) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected a whole disk; ${target} is a partition of one.`, "Name the disk.");
  await refuseMounted(target);
  return target;
}

/** 0: the disk this computer was started from; the others by the kernel's names, without what can be unplugged or is no disk of its own. */
async function diskOfNumber(own: string, number: number): Promise<string> {
  const first = await realpath(own);
  const names = (await readdir("/sys/block")).filter(isDiskName);
  const fixed = await Promise.all(names.map(async (name) => {
    const one = async (file: string) => (await readFile(join("/sys/block", name, file), "utf8").catch(() => "")).trim();
    const usb = (await realpath(join("/sys/block", name)).catch(() => "")).includes("/usb");
    return { device: `/dev/${name}`, fixed: (await one("removable")) === "0" && Number(await one("size")) > 0 && !usb };
  }));
  return numberedDisk(first, fixed.filter((one) => one.fixed).map(({ device }) => device), number);
}

/** A whole disk by its name; nvme0c0n1 is one of the ways to nvme0n1, and no device. */
export function isDiskName(name: string): boolean {
  return /^((sd|hd|vd|xvd)[a-z]+|nvme\d+n\d+|mmcblk\d+)$/.test(name);
}

/** The disk that has a number among these. */
export function numberedDisk(own: string, fixed: readonly string[], number: number): string {
  const disks = [own, ...fixed.filter((device) => device !== own).toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))];
  const found = disks[number];
  if (found === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a disk ${number}; found ${disks.map((device, i) => `${i}: ${device}`).join(", ")}.`, "Correct the step's disk, or OSDDiskIndex.");
  return found;
}

/** What a GPT leaves: a MiB before the first partition, the second table behind the last. */
async function sizeMiB(disk: string): Promise<number> {
  const { output } = await runProgram("blockdev", ["--getsize64", disk]);
  return Math.floor(Number(output.trim()) / 2 ** 20) - 2;
}

/** Each one's size in MiB; undefined: all that is left. A percentage is of what is left behind those before it. */
export function sizesOf(partitions: readonly Pick<PartitionSettings, "sizeMiB" | "sizePercent">[], whole: number): (number | undefined)[] {
  let left = whole;
  return partitions.map(({ sizeMiB, sizePercent }) => {
    const size = sizeMiB ?? (sizePercent === undefined || sizePercent === 100 ? undefined : Math.max(1, Math.floor((left * sizePercent) / 100)));
    left = size === undefined ? 0 : Math.max(0, left - size);
    return size;
  });
}

async function format({ node, start }: Partition, { name, fileSystem, quickFormat }: PartitionSettings, signal: AbortSignal): Promise<void> {
  if (!quickFormat) await fillWithZeros(node, signal);
  if (fileSystem === "fat32") await runProgram("mkfs.vfat", ["-F", "32", "-n", name.slice(0, 11).toUpperCase(), node], { signal });
  if (fileSystem === "ext4") await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", "-L", name.slice(0, 16), node], { signal });
  if (fileSystem === "ntfs") await makeNtfs(node, { label: name.slice(0, 32), startSector: start / 512, signal });
}

async function fillWithZeros(node: string, signal: AbortSignal): Promise<void> {
  const zeros = Buffer.alloc(4 << 20);
  const file = await open(node, "r+");
  try {
    const { output } = await runProgram("blockdev", ["--getsize64", node], { signal });
    for (let at = 0, size = Number(output.trim()); at < size; at += zeros.length) {
      signal.throwIfAborted();
      await file.write(zeros, 0, Math.min(zeros.length, size - at), at);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function refuseMounted(disk: string): Promise<void> {
  const mounted = (await readFile("/proc/mounts", "utf8")).split("\n").map((line) => line.split(" ")).find(([device = ""]) => device === disk || (device.startsWith(disk) && /^p?\d+$/.test(device.slice(disk.length))));
  if (mounted !== undefined) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected a disk nobody uses; ${mounted[0] ?? disk} is mounted at ${mounted[1] ?? "?"}.`, "Choose another disk.");
}
