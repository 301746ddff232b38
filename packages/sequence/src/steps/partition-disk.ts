import { z } from "zod";
import { partitionScript } from "../windows/partition-script.ts";
import { powerShellFile } from "../windows/powershell.ts";
import { nameIn } from "./named-variables.ts";
import { partitionSchema } from "./partition-settings.ts";
import { partitionsOfVariables } from "./partition-variables.ts";
import { defineStepType } from "./step-definition.ts";

/** Format and Partition Disk (features.md F220). */
export const partitionDiskStep = defineStepType({
  type: "partition-disk",
  title: "Format and partition disk",
  reference: ["Format and Partition Disk"],
  summary: "Partitions and formats a disk other than the one that holds /prestage, by GPT and nothing else: no machine that starts from prestaged media needs an MBR. In an installed Linux fdisk, and dosfstools or ntfs-3g for their file systems, are installed before. On prestaged media the condition `_SMSTSMediaType` notEquals OEMMedia skips it.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    disk: z.string().regex(/^(\/dev\/[A-Za-z0-9/_.:-]{1,200}|\d{1,5})$/, "a device, such as /dev/sdb, or a disk's number").optional().describe("The disk, such as /dev/sdb, or its number: in Windows its own, on Linux 0 for the disk this computer was started from, 1 and so on for the other fixed disks by their names. Left out: the one this computer was started from, which is refused"),
    partitions: z.array(partitionSchema).min(1).max(16).prefault([{ name: "data", type: "linux" }]).describe("In their order on the disk; left out: as OSDPartitions and its array variables say (OSDPartitions0Type, ...FileSystem, ...Bootable, ...QuickFormat, ...VolumeName, ...Size, ...SizeUnits, ...VolumeLetterVariable)"),
  }),
  variables: { disk: "OSDDiskIndex" },
  fromVariables: (variables) => {
    const partitions = partitionsOfVariables(variables);
    return partitions === undefined ? {} : { partitions };
  },
  setsNamed: ({ partitions }) => (Array.isArray(partitions) ? partitions.flatMap((one: unknown) => (typeof one === "object" && one !== null ? nameIn(one as Record<string, unknown>, "variable") : [])) : []),
  again: "It begins anew: a disk that is half partitioned is partitioned once more.",
  errors: ["PRESTAGE_AGENT_DISK_PROTECTED", "PRESTAGE_DISK_PROGRAM_FAILED", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  windows: ({ disk, partitions }, { work }) => {
    if (disk === undefined) return "the disk that Windows was started from is not partitioned";
    if (disk.startsWith("/")) return "a disk is named by its number there, such as 1";
    const ext4 = partitions.find((one) => one.fileSystem === "ext4");
    if (ext4 !== undefined) return `Windows makes no ext4, as ${ext4.name} is to have`;
    const { script, tells } = partitionScript(Number(disk), partitions, work);
    return { files: [{ name: "partition.ps1", content: `\uFEFF${script}` }], commands: [powerShellFile(`${work}\\partition.ps1`, [], "partitioning the disk")], tells };
  },
  example: `- name: Data disk
  type: partition-disk
  with: { disk: /dev/sdb, partitions: [{ name: data, sizePercent: 60 }, { name: exchange, type: windows, variable: Exchange }] }
  when: { variable: _SMSTSMediaType, notEquals: OEMMedia }`,
});
