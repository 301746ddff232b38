import type { PartitionSettings } from "../steps/partition-settings.ts";
import { cmdlet, powerShellScript } from "./powershell.ts";
import type { WindowsPlan } from "./windows-plan.ts";

/** PARTITION_INFORMATION_GPT: PartitionType. */
const types: Readonly<Record<Exclude<PartitionSettings["type"], "linux">, string>> = {
  efi: "{c12a7328-f81f-11d2-ba4b-00a0c93ec93b}", windows: "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}", msr: "{e3c9e316-0b5c-4db8-817d-f92df00215ae}", recovery: "{de94bba4-06d1-4d40-a16a-bfd50179d6ac}",
};
const mebibyte = 1_048_576;

/**
 * Partitions a disk by the Storage module's cmdlets. One that Windows starts from or runs from is refused. The reserved partition that Initialize-Disk makes by
 * itself is removed: only what was asked for is on the disk in the end.
 */
export function partitionScript(disk: number, partitions: readonly PartitionSettings[], work: string): { script: string; tells: NonNullable<WindowsPlan["tells"]> } {
  const tells: { name: string; file: string }[] = [];
  const lines = [
    `$disk = ${cmdlet("Get-Disk", { Number: disk })}`,
    `if ($disk.IsBoot -or $disk.IsSystem) { $host.UI.WriteErrorLine('Expected a disk that Windows does not run from.'); exit 1 }`,
    `if ($disk.IsOffline) { ${cmdlet("Set-Disk", { Number: disk, IsOffline: { raw: "$false" } })} }`,
    `if ($disk.IsReadOnly) { ${cmdlet("Set-Disk", { Number: disk, IsReadOnly: { raw: "$false" } })} }`,
    `if ($disk.PartitionStyle -ne 'RAW') { ${cmdlet("Clear-Disk", { Number: disk, RemoveData: true, RemoveOEM: true, Confirm: false })} }`,
    cmdlet("Initialize-Disk", { Number: disk, PartitionStyle: "GPT" }),
    `${cmdlet("Get-Partition", { DiskNumber: disk, ErrorAction: "SilentlyContinue" })} | ${cmdlet("Remove-Partition", { Confirm: false })}`,
  ];
  for (const [i, one] of partitions.entries()) {
    const { name, sizeMiB, sizePercent, type, fileSystem, quickFormat, driveLetter, variable } = one;
    const lettered = type !== "msr" && type !== "recovery" && type !== "efi";
    if (sizePercent !== undefined && sizePercent < 100) lines.push(`$size = [uint64]((${cmdlet("Get-Disk", { Number: disk })}).LargestFreeExtent / ${mebibyte} * ${sizePercent} / 100) * ${mebibyte}`);
    const size = sizeMiB !== undefined ? { Size: sizeMiB * mebibyte } : sizePercent !== undefined && sizePercent < 100 ? { Size: { raw: "$size" } } : { UseMaximumSize: true };
    lines.push(`$partition = ${cmdlet("New-Partition", { DiskNumber: disk, ...size, GptType: types[type === "linux" ? "windows" : type], ...(lettered && (driveLetter === undefined ? { AssignDriveLetter: true } : { DriveLetter: driveLetter })) })}`);
    if (fileSystem !== "none") lines.push(`${cmdlet("Format-Volume", { Partition: { raw: "$partition" }, FileSystem: fileSystem === "fat32" ? "FAT32" : "NTFS", NewFileSystemLabel: name.slice(0, fileSystem === "fat32" ? 11 : 32), ...(!quickFormat && { Full: true }), Force: true, Confirm: false })} | ${cmdlet("Out-Null")}`);
    if (variable === undefined || !lettered) continue;
    const file = `partition-${i + 1}.txt`;
    tells.push({ name: variable, file });
    const path = `${work}\\${file}`;
    lines.push(cmdlet("Set-Content", { Path: path, Value: { raw: "$partition.DriveLetter" }, NoNewline: true }), cmdlet("Add-Content", { Path: path, Value: ":" }));
  }
  return { script: powerShellScript(lines), tells };
}
