import assert from "node:assert/strict";
import { test } from "node:test";
import { makeVariables } from "../variables.ts";
import { partitionDiskStep } from "./partition-disk.ts";
import { partitionsOfVariables } from "./partition-variables.ts";

const from = (values: Record<string, string>) => partitionsOfVariables(makeVariables(Object.entries(values).map(([name, value]) => ({ name, value, source: "collection" as const }))));

test("the reference's array variables become partitions that the step takes", () => {
  assert.equal(from({}), undefined);
  const found = from({
    OSDPartitions: "4", OSDPartitionStyle: "gpt",
    OSDPartitions0Type: "Primary", OSDPartitions0FileSystem: "FAT32", OSDPartitions0Bootable: "TRUE", OSDPartitions0Size: "499", OSDPartitions0VolumeName: "Boot",
    OSDPartitions1Type: "MSR", OSDPartitions1Size: "16",
    OSDPartitions2Type: "Primary", OSDPartitions2FileSystem: "NTFS", OSDPartitions2Bootable: "FALSE", OSDPartitions2QuickFormat: "FALSE", OSDPartitions2Size: "75", OSDPartitions2SizeUnits: "Percent", OSDPartitions2VolumeName: "Data: 1", OSDPartitions2VolumeLetterVariable: "DataDrive",
    OSDPartitions3FileSystem: "ext4", OSDPartitions3Size: "2", OSDPartitions3SizeUnits: "GB",
  });
  assert.deepEqual(found, [
    { name: "Boot", type: "efi", sizeMiB: 499 }, { name: "partition 2", type: "msr", sizeMiB: 16 },
    { name: "Data  1", type: "windows", fileSystem: "ntfs", sizePercent: 75, quickFormat: false, variable: "DataDrive" }, { name: "partition 4", type: "linux", sizeMiB: 2048 },
  ]);
  assert.equal(partitionDiskStep.settings.safeParse({ disk: "/dev/sdb", partitions: found }).success, true);
  assert.deepEqual(partitionDiskStep.fromVariables?.(makeVariables([{ name: "osdpartitions", value: "1", source: "device" }])), { partitions: [{ name: "partition 1", type: "windows" }] });
});

test("what a GPT has not, or is no number, is refused by its name", () => {
  const bad: [Record<string, string>, RegExp][] = [
    [{ OSDPartitions: "0" }, /OSDPartitions /], [{ OSDPartitions: "17" }, /OSDPartitions /], [{ OSDPartitions: "1e1" }, /OSDPartitions /], [{ OSDPartitions: "1", OSDPartitionStyle: "MBR" }, /OSDPartitionStyle/],
    [{ OSDPartitions: "1", OSDPartitions0Type: "Logical" }, /OSDPartitions0Type/], [{ OSDPartitions: "1", OSDPartitions0Size: "-5" }, /OSDPartitions0Size/],
    [{ OSDPartitions: "1", OSDPartitions0Size: "5", OSDPartitions0SizeUnits: "furlongs" }, /SizeUnits/], [{ OSDPartitions: "1", OSDPartitions0FileSystem: "ReFS" }, /FileSystem/],
  ];
  for (const [values, message] of bad) assert.throws(() => from(values), { code: "PRESTAGE_SEQUENCE_VARIABLE_REFUSED", message });
});
