import { partitionDiskStep } from "@prestage/sequence";
import { readFile, realpath } from "node:fs/promises";
import { readPartitionTable, runProgram, settleDisk } from "@prestage/disk";
import { AgentError } from "../error.ts";
import { defineStep } from "./step-executor.ts";

const types = { efi: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", linux: "0FC63DAF-8483-4772-8E79-3D69D8477DE4" };

/** Partitions and formats another disk. The disk that holds /prestage is never touched: sequences guard this step with `_SMSTSMediaType` notEquals OEMMedia. */
export const step = defineStep(partitionDiskStep, async (run, { disk = run.context.disk.device, partitions }) => {
  const target = await realpath(disk).catch((cause: unknown) => {
    throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a disk ${disk}; there is none.`, "Correct the step's disk.", { cause });
  });
  if (target === (await realpath(run.context.disk.device))) {
    throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected another disk than ${target}, which holds /prestage: partitioning it would destroy the deployment.`, "Give the step the condition _SMSTSMediaType notEquals OEMMedia.");
  }
  await refuseMounted(target);
  const lines = partitions.map(({ name, sizeMiB, type }) => `${sizeMiB === undefined ? "" : `size=${sizeMiB}MiB, `}type=${types[type]}, name="${name}"`);
  const { signal } = run.context;
  await runProgram("sfdisk", ["-q", "--wipe", "always", "--wipe-partitions", "always", target], { input: `label: gpt\n${lines.join("\n")}\n`, signal });
  await settleDisk(target);
  const made = (await readPartitionTable(target)).partitions;
  for (const [i, { name, fileSystem }] of partitions.entries()) {
    const node = made[i]?.node;
    if (node === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_FAILED", `Expected ${partitions.length} partitions on ${target}; found ${made.length}.`, "The disk may be failing.");
    run.output(`${node}: ${name}, ${fileSystem}`);
    if (fileSystem === "fat32") await runProgram("mkfs.vfat", ["-F", "32", node], { signal });
    if (fileSystem === "ext4") await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", "-L", name.slice(0, 16), node], { signal });
  }
  return {};
});

async function refuseMounted(disk: string): Promise<void> {
  const mounted = (await readFile("/proc/mounts", "utf8")).split("\n").map((line) => line.split(" ")).find(([device]) => device?.startsWith(disk) === true);
  if (mounted !== undefined) throw new AgentError("PRESTAGE_AGENT_DISK_PROTECTED", `Expected a disk nobody uses; ${mounted[0] ?? disk} is mounted at ${mounted[1] ?? "?"}.`, "Choose another disk.");
}
