import { z } from "zod";
import { integerSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const partitionSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9 _-]{1,36}$/, "letters, digits, space, _ and -, at most 36").describe("Name of the partition"),
  sizeMiB: integerSchema.optional().describe("Size in MiB; left out: all that is left"),
  type: z.enum(["efi", "linux"]).default("linux"),
  fileSystem: z.enum(["fat32", "ext4", "none"]).default("ext4"),
});

/** Format and Partition Disk (features.md F220). */
export const partitionDiskStep = defineStepType({
  type: "partition-disk",
  title: "Format and partition disk",
  summary: "Partitions and formats a disk other than the one that holds /prestage. On prestaged media the condition `_SMSTSMediaType` notEquals OEMMedia skips it.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  environmentsOnWindows: ["environment"],
  settings: z.strictObject({
    disk: z.string().regex(/^\/dev\/[A-Za-z0-9/_.:-]{1,200}$/, "a device, such as /dev/sdb").optional().describe("The disk; left out: the one this computer was started from, which is refused"),
    partitions: z.array(partitionSchema).min(1).max(16).default([{ name: "data", type: "linux", fileSystem: "ext4" }]).describe("In their order on the disk"),
  }),
  again: "It begins anew: a disk that is half partitioned is partitioned once more.",
  errors: ["PRESTAGE_AGENT_DISK_PROTECTED"],
  example: `- name: Data disk
  type: partition-disk
  with: { disk: /dev/sdb, partitions: [{ name: data, fileSystem: ext4 }] }
  when: { variable: _SMSTSMediaType, notEquals: OEMMedia }`,
});
