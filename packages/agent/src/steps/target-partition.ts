import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { AgentError } from "../error.ts";
import type { RunContext } from "../run/run-context.ts";

/** The partition a step may overwrite: never one of the deployment's own, nor one in use. */
export async function targetPartition(context: Pick<RunContext, "disk">, disk: string | undefined, wanted: number | string): Promise<string> {
  const [whole, number] = typeof wanted === "number" ? [disk, wanted] : await placeOf(wanted);
  const device = await realpath(whole ?? context.disk.device).catch((cause: unknown) => {
    throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a disk ${whole ?? context.disk.device}; there is none.`, "Correct the step's disk.", { cause });
  });
  const partitions = await partitionsOf(device);
  const node = partitions.get(number);
  if (node === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a partition ${number} on ${device}; found ${[...partitions.keys()].join(", ") || "none"}.`, "Correct the step's partition.");
  const target = await deviceNumber(node);
  const own = await Promise.all([context.disk.dataPartition, context.disk.espPartition].map(deviceNumber));
  if (own.includes(target)) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected another partition than ${node}, which belongs to the deployment.`, "Choose another partition in the step.");
  await refuseUsed(node);
  return node;
}

/** The disk of a partition that is named by its device, and its number there. */
async function placeOf(partition: string): Promise<[string, number]> {
  const folder = join("/sys/class/block", basename(await realpath(partition).catch(() => partition)));
  const number = Number(await readFile(join(folder, "partition"), "utf8").catch(() => "0"));
  const disk = basename(dirname(await realpath(folder).catch(() => folder)));
  if (number === 0) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a partition of a disk; found ${partition}, which is none.`, "Correct the step's partition, or the variable it comes from.");
  return [`/dev/${disk}`, number];
}

/** By number, as the kernel has them: an installed system may have no program that reads the table. */
async function partitionsOf(device: string): Promise<Map<number, string>> {
  const folder = join("/sys/class/block", basename(device));
  const found = new Map<number, string>();
  for (const name of await readdir(folder).catch(() => [])) {
    const number = Number(await readFile(join(folder, name, "partition"), "utf8").catch(() => "0"));
    if (number > 0) found.set(number, `/dev/${name}`);
  }
  return found;
}

async function refuseUsed(node: string): Promise<void> {
  const real = await realpath(node);
  for (const table of ["/proc/mounts", "/proc/swaps"]) {
    const line = (await readFile(table, "utf8").catch(() => "")).split("\n").find((one) => one.split(/\s/)[0] === real);
    if (line !== undefined) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected a partition nobody uses; ${real} is in use: ${line.split(/\s+/).slice(0, 3).join(" ")}.`, "Choose another partition in the step.");
  }
}

/** The kernel's number of a device: one device may have several names. */
async function deviceNumber(path: string): Promise<number> {
  const status = await stat(path).catch((cause: unknown) => {
    throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a device ${path}; there is none.`, "Correct the step's disk and partition.", { cause });
  });
  return status.isBlockDevice() ? status.rdev : -status.ino;
}
