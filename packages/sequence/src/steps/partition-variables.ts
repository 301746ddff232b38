import { SequenceError } from "../error.ts";
import { variableValue } from "../variables.ts";
import type { Variables } from "../variables.ts";

const mostPartitions = 16;

/**
 * What the reference's array variables OSDPartitions0... ask of a disk (features.md F220), as settings of partition-disk; undefined where OSDPartitions is not set.
 * @throws SequenceError PRESTAGE_SEQUENCE_VARIABLE_REFUSED
 */
export function partitionsOfVariables(variables: Variables): Record<string, unknown>[] | undefined {
  const counted = variableValue(variables, "OSDPartitions")?.trim();
  if (counted === undefined) return undefined;
  const count = Number(counted);
  if (!/^\d{1,3}$/.test(counted) || count < 1 || count > mostPartitions) throw refused("OSDPartitions", `1 to ${mostPartitions}`, counted);
  const style = variableValue(variables, "OSDPartitionStyle")?.trim().toUpperCase() ?? "GPT";
  if (style !== "GPT") throw refused("OSDPartitionStyle", "GPT: no computer that starts from prestaged media needs an MBR", style);
  return Array.from({ length: count }, (_, i) => partition(i, (name) => variableValue(variables, `OSDPartitions${i}${name}`)?.trim() ?? ""));
}

function partition(i: number, text: (name: string) => string): Record<string, unknown> {
  const type = typeOf(i, text);
  const letter = text("VolumeLetterVariable");
  const quick = text("QuickFormat");
  return {
    name: text("VolumeName").replace(/[^A-Za-z0-9 _-]/g, " ").slice(0, 36) || `partition ${i + 1}`, ...type, ...sizeOf(i, text("Size"), text("SizeUnits")),
    ...(quick !== "" && { quickFormat: isTrue(quick) }), ...(letter !== "" && { variable: letter }),
  };
}

function typeOf(i: number, text: (name: string) => string): { type: string; fileSystem?: string } {
  const type = (text("Type") || "Primary").toLowerCase();
  const fileSystem = text("FileSystem").toLowerCase();
  // On a GPT the bootable one is the EFI system partition.
  if (type === "efi" || (type === "primary" && isTrue(text("Bootable")))) return { type: "efi" };
  if (type === "msr") return { type: "msr" };
  if (!["", "fat32", "ntfs", "ext4"].includes(fileSystem)) throw refused(`OSDPartitions${i}FileSystem`, "FAT32, NTFS or ext4", fileSystem);
  if (type === "hidden" || type === "recovery") return { type: "recovery", ...(fileSystem !== "" && { fileSystem }) };
  if (type === "primary") return fileSystem === "ext4" ? { type: "linux" } : { type: "windows", ...(fileSystem !== "" && { fileSystem }) };
  throw refused(`OSDPartitions${i}Type`, "Primary, EFI, MSR, Hidden or Recovery, the kinds a GPT has", type);
}

function sizeOf(i: number, size: string, units: string): { sizeMiB?: number; sizePercent?: number } {
  if (size === "") return {};
  const unit = (units || "MB").toLowerCase();
  const value = Number(size);
  if (!/^\d{1,9}$/.test(size) || value < 1) throw refused(`OSDPartitions${i}Size`, "a whole number", size);
  if (unit === "percent") return { sizePercent: value };
  if (unit === "mb") return { sizeMiB: value };
  if (unit === "gb") return { sizeMiB: value * 1024 };
  throw refused(`OSDPartitions${i}SizeUnits`, "MB, GB or Percent", units);
}

function isTrue(text: string): boolean {
  return /^(true|yes|1)$/i.test(text);
}

function refused(name: string, expected: string, found: string): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_VARIABLE_REFUSED", `Expected in the variable ${name} ${expected}; found ${JSON.stringify(found.slice(0, 80))}.`);
}
