import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, parseTaskSequenceYaml } from "../../index.ts";
import { importSequence, readSourceSequence, readXml } from "../index.ts";

const settings = (given: Readonly<Record<string, string>>) => `<defaultVarList>${Object.entries(given).map(([name, value]) => `<variable name="OSD${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList>`;
const restart = `<step type="SMS_TaskSequence_RebootAction" name="Restart">${settings({ Target: "HD" })}</step>`;
const partition = (given: Readonly<Record<string, string>>) => `<step type="SMS_TaskSequence_PartitionDiskAction" name="Disk">${settings(given)}</step>`;
const last = `<step type="SMS_TaskSequence_SetVariableAction" name="Last">${settings({ VariableName: "A", VariableValue: "b" })}</step>`;
const of = (given: Readonly<Record<string, string>>) => {
  const imported = importSequence(readSourceSequence(readXml(Buffer.from(`<sequence version="3.10" name="Small">${partition(given)}${restart}${last}</sequence>`))), { origin: "configmgr" });
  const steps = [...allSteps(parseTaskSequenceYaml(imported.yaml).steps)];
  return { place: steps.findIndex((one) => one.name === "Disk"), step: steps.find((one) => one.name === "Disk"), notes: imported.report.lines.find((one) => one.name === "Disk")?.notes.join("; ") ?? "" };
};
const data = { DiskIndex: "1", PartitionStyle: "GPT", Partitions0Type: "MSR", Partitions0Size: "128", Partitions0SizeUnits: "MB", Partitions1Type: "Primary", Partitions1Size: "50", Partitions1SizeUnits: "%", Partitions1FileSystem: "NTFS", Partitions1VolumeName: "Data: 1", Partitions1VolumeLetterVariable: "DATADRIVE", Partitions1QuickFormat: "False", Partitions2Type: "Primary", Partitions2Size: "1.5", Partitions2SizeUnits: "GB", Partitions2FileSystem: "FAT32" };

test("another disk is partitioned in the installed Windows: sizes, types, file systems and the variable for the drive go with it", () => {
  const { place, step, notes } = of(data);
  assert.deepEqual([place, step?.type, step?.with], [1, "partition-disk", { disk: "1", partitions: [
    { name: "Partition 1", sizeMiB: 128, type: "msr" }, { name: "Data 1", sizePercent: 50, type: "windows", fileSystem: "ntfs", quickFormat: false, variable: "DATADRIVE" }, { name: "Partition 3", sizeMiB: 1536, type: "windows", fileSystem: "fat32" },
  ] }]);
  assert.match(notes, /moved behind the first start/);
});

test("the disk may come out of a variable", () => {
  const { step } = of({ ...data, DiskIndex: "%DataDisk%" });
  assert.deepEqual([step?.type, step?.disabled, step?.with?.["disk"]], ["partition-disk", undefined, "%DataDisk%"]);
});

test("what partition-disk has not is kept disabled: an MBR, other types, a disk that is none, percent of more than there is", () => {
  for (const [change, why] of [[{ PartitionStyle: "MBR" }, /GPT alone/], [{ Partitions1Type: "Extended" }, /in a way/], [{ DiskIndex: "D:" }, /its disk is D:/], [{ Partitions1Size: "101" }, /in a way/], [{ Partitions2FileSystem: "exFAT" }, /in a way/]] as const) {
    const { step, notes } = of({ ...data, ...change });
    assert.equal(step?.disabled, true, notes);
    assert.match(notes, why);
  }
});
