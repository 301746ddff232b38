import { z } from "zod";
import { isLike } from "../conditions.ts";
import type { FactQuery } from "../facts.ts";
import { hardwareProperties, systemProperties } from "../schema.ts";
import { compareVersions } from "../facts.ts";
import { maximumValueLength, variableSources } from "../variables.ts";
import type { Variable } from "../variables.ts";

const value = z.union([z.string().max(maximumValueLength), z.number(), z.boolean()]).transform(String);
const named = z.record(z.string().min(1).max(256), value);
const givenSources = variableSources.filter((source) => source !== "system" && source !== "task-sequence");

/** A computer that does not have to exist: what conditions may ask of it, and the variables it is given. */
export const deviceDescriptionSchema = z.strictObject({
  name: z.string().max(256).default("described device"),
  hardware: z.partialRecord(z.enum(hardwareProperties), value).default({}),
  operatingSystem: z.partialRecord(z.enum(systemProperties), value).default({}),
  files: z.record(z.string().max(4096), z.strictObject({ size: value.optional(), modified: value.optional(), version: value.optional() })).default({}),
  folders: z.record(z.string().max(4096), z.strictObject({ modified: value.optional() })).default({}),
  /** Version by name. */
  software: named.default({}),
  /** Values by key; the value without a name is "". */
  registry: z.record(z.string().max(512), z.record(z.string().max(512), value)).default({}),
  variables: z.partialRecord(z.enum(givenSources), named).default({}),
  /** What a condition asks of the computer that is not said here: not there, as a rule; unknown, where only what is known is described, as by a device's record. */
  notDescribed: z.enum(["not-there", "unknown"]).optional(),
  /** How steps end that are not to succeed, by id. */
  outcomes: z.record(z.string().max(128), z.enum(["succeeded", "failed"])).default({}),
});
export type DeviceDescription = z.infer<typeof deviceDescriptionSchema>;

/** What the described computer answers. */
export function describedFact(device: DeviceDescription, { subject, name, property }: FactQuery): string | undefined {
  switch (subject) {
    case "hardware":
      return device.hardware[name as keyof typeof device.hardware];
    case "operatingSystem":
      return device.operatingSystem[name as keyof typeof device.operatingSystem];
    case "file":
    case "folder": {
      const found: Record<string, string | undefined> | undefined = (subject === "file" ? device.files : device.folders)[name];
      return property === "" ? (found === undefined ? undefined : name) : found?.[property];
    }
    case "software":
      return newestThatFits(device.software, name);
    case "registry": {
      const key = Object.entries(device.registry).find(([path]) => path.toLowerCase() === name.toLowerCase())?.[1];
      return property === "" ? (key === undefined ? undefined : (key[""] ?? "")) : Object.entries(key ?? {}).find(([one]) => one.toLowerCase() === property.toLowerCase())?.[1];
    }
  }
}

/** Whether only the computer can answer it. */
export function isUnanswered(device: DeviceDescription, query: FactQuery): boolean {
  return device.notDescribed === "unknown" && describedFact(device, query) === undefined;
}

function newestThatFits(software: Readonly<Record<string, string>>, name: string): string | undefined {
  const pattern = name.toLowerCase();
  const versions = Object.entries(software).filter(([one]) => isLike(one.toLowerCase(), pattern)).map(([, version]) => version);
  return versions.toSorted(compareVersions).at(-1);
}

export function describedVariables(device: DeviceDescription): Variable[] {
  return givenSources.flatMap((source) => Object.entries(device.variables[source] ?? {}).map(([name, text]) => ({ name, value: text, source })));
}
