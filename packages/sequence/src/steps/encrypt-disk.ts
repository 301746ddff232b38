import { z } from "zod";
import { integerSchema, secretSetting } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** What BitLocker's steps are to Windows (features.md F238), for the data of a Linux. */
export const encryptDiskStep = defineStepType({
  type: "encrypt-disk",
  title: "Encrypt disk",
  reference: [],
  summary:
    "Makes a LUKS2 volume with an ext4 of a partition, for data: the installed system opens and mounts it at every start, by a random key that lies on the system's own volume, readable by root alone. The passphrase opens it on any computer, for recovery; it stays at the site as a secret. What was on the partition is lost; a volume that this step has made before, and its passphrase opens, is kept with what is in it. The system's own volume is not encrypted: it holds /prestage, and an image to start from it would need a boot loader that asks. `cryptsetup` is installed before.",
  environments: ["installed"],
  settings: z.strictObject({
    disk: z.string().regex(/^\/dev\/[A-Za-z0-9/_.:-]{1,200}$/, "a device, such as /dev/sdb").optional().describe("The disk; left out: the one this computer was started from"),
    partition: integerSchema.describe("Number of the partition on it"),
    name: z.string().regex(/^[a-z][a-z0-9_]{0,29}$/, "lower-case letters, digits and _, at most 30").default("data").describe("Name of the opened volume: /dev/mapper/NAME"),
    passphrase: secretSetting.describe("The passphrase for recovery"),
    mountPoint: z.string().max(200).describe("Where it is mounted, such as /srv/data"),
  }),
  again: "Until its file system is whole the volume's label says so, and it begins anew; after that it is kept, and only its key, crypttab and mount are written again.",
  errors: ["PRESTAGE_AGENT_DISK_PROTECTED", "PRESTAGE_AGENT_SECRET_UNAVAILABLE", "PRESTAGE_DISK_ENCRYPTED", "PRESTAGE_DISK_BAD_SETTING", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Patient records
  type: encrypt-disk
  with: { disk: /dev/sdb, partition: 1, passphrase: { secret: DATA_RECOVERY }, mountPoint: /srv/records }`,
});
