import { z } from "zod";
import { flagSchema, integerSchema, referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Apply Data Image (features.md F223). */
export const applyDataImageStep = defineStepType({
  type: "apply-data-image",
  title: "Apply data image",
  reference: ["Apply Data Image"],
  summary: "Applies an image onto a partition other than the one that holds /prestage, an ext4 or an NTFS; it need not start. Windows gives an NTFS a drive letter by itself at its first start. What is there is deleted before, if not said otherwise.",
  environments: ["environment"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    osImage: referenceSchema.describe("The image, imported like an OS image"),
    index: integerSchema.default(1).describe("Which image of the .wim"),
    disk: z.string().regex(/^\/dev\/[A-Za-z0-9/_.:-]{1,200}$/, "a device, such as /dev/sdb").optional().describe("The disk; left out: the one this computer was started from"),
    partition: z.union([integerSchema, z.string().regex(/^\/dev\/[A-Za-z0-9/_.:-]{1,200}$/, "a partition's number, or its device, such as /dev/sdb1")]).describe("Number of the partition on it, or its device, as partition-disk puts it into a variable"),
    wipe: flagSchema.default(true).describe("Delete what is there; an NTFS is always wiped"),
    mountPoint: z.string().max(200).optional().describe("Where the installed Linux mounts it, such as /srv/data"),
  }),
  variables: { index: "OSDDataImageIndex", wipe: "OSDWipeDestinationPartition" },
  windows: ({ mountPoint }) => (mountPoint === undefined ? {} : "mountPoint is Linux' own: Windows gives the volume a letter"),
  again: "With `wipe` it begins anew; without, the same files are laid again.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_AGENT_DISK_PROTECTED", "PRESTAGE_DISK_BAD_FILE_SYSTEM", "PRESTAGE_DISK_BAD_SETTING"],
  example: `- name: Maps of the region
  type: apply-data-image
  with: { osImage: ABC0000A, disk: /dev/sdb, partition: 1, mountPoint: /srv/maps }`,
});
