import type { RunEnvironment } from "../events.ts";
import { partitionDiskStep } from "../steps/partition-disk.ts";
import type { Platform } from "../steps/index.ts";
import { maySetOthers, variablesSetBy } from "../steps/variables-set.ts";
import { textsIn } from "../text-in-settings.ts";
import type { LintContext, PlacedStep } from "./lint-rule.ts";

/** What is wrong with partitioning it. */
export const partitionsStagedDisk = "It partitions the disk the computer was started from, prestaged media included";

/** The variable that says the disk where partition-disk leaves it out. */
export const diskVariable = partitionDiskStep.variables["disk"] ?? "";

/** Whether a disk of partition-disk is the staged one. Left out, or 0: on Linux, and so in the boot environment, that is the disk the computer was started from. */
export function isStagedDisk(disk: unknown, environments: ReadonlySet<RunEnvironment>, platform: Platform | undefined): boolean {
  return disk === undefined || (typeof disk === "string" && /^0+$/.test(disk) && (platform === "linux" || environments.has("environment")));
}

/** Whether a step that leaves the disk out may find another one than the staged in its variable: a step before it, or the media, may set that, or it is given. */
export function mayFindItsDisk({ step, environments }: PlacedStep, { steps, media, given = [], platform }: LintContext): boolean {
  if (step.with?.["disk"] !== undefined) return false;
  const wanted = diskVariable.toLowerCase();
  if (given.some(({ name, value }) => name.toLowerCase() === wanted && value !== "" && (value === undefined || !isStagedDisk(value, environments, platform)))) return true;
  const before = steps.slice(0, steps.findIndex((one) => one.step === step)).map((one) => one.step);
  const names = [...(media?.variables ?? []), ...before.flatMap(variablesSetBy)];
  return names.some((name) => name.toLowerCase() === wanted) || before.some((one) => maySetOthers(one) && [...textsIn(one.with)].some(({ text }) => text.toLowerCase().includes(wanted)));
}
