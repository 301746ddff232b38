import { z } from "zod";
import { flagSchema, integerSchema } from "./settings.ts";

const percentSchema = integerSchema.refine((value) => value >= 1 && value <= 100, "1 to 100");
const fileSystems = { efi: "fat32", linux: "ext4", windows: "ntfs", msr: "none", recovery: "ntfs" } as const;

/** One partition of a disk. */
export const partitionSchema = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9 _-]{1,36}$/, "letters, digits, space, _ and -, at most 36").describe("Name of the partition, and of its volume"),
    sizeMiB: integerSchema.refine((value) => value >= 1, "1 or more").optional().describe("Size in MiB"),
    sizePercent: percentSchema.optional().describe("Or percent of what is left behind the partitions before it; neither: all that is left"),
    type: z.enum(["efi", "linux", "windows", "msr", "recovery"]).default("linux").describe("windows: basic data; msr: what Windows keeps for itself, without a file system; recovery: hidden, without a drive letter"),
    fileSystem: z.enum(["fat32", "ext4", "ntfs", "none"]).optional().describe("Left out: what fits the type"),
    quickFormat: flagSchema.default(true).describe("false: every block of it is written first"),
    driveLetter: z.string().regex(/^[D-Zd-z]:?$/, "a letter from D").transform((text) => text.slice(0, 1).toUpperCase()).optional().describe("Of Windows alone; left out: the next free one"),
    variable: z.string().max(256).optional().describe("Gets the partition: its device, in an installed Windows its drive, such as E:"),
  })
  .refine((value) => value.sizeMiB === undefined || value.sizePercent === undefined, "either sizeMiB or sizePercent")
  .transform((value) => ({ ...value, fileSystem: value.fileSystem ?? fileSystems[value.type] }))
  .refine((value) => value.type !== "msr" || value.fileSystem === "none", "an MSR has no file system");
export type PartitionSettings = z.infer<typeof partitionSchema>;
