import type { Step } from "./schema.ts";

/** What a step of these does cannot be taken back: a disk's or a system's contents are gone. */
const destroying: readonly string[] = ["apply-os-image", "partition-disk"];

/**
 * Whether a sequence deploys an operating system (features.md F142, F166): an enabled step applies an image of one or partitions a disk, in a
 * group or child too. Conditions do not count: they are known only when it runs.
 */
export function deploysOperatingSystem(sequence: { steps: readonly Step[] }): boolean {
  return sequence.steps.some((step) => step.disabled !== true && (destroying.includes(step.type) || (step.steps !== undefined && deploysOperatingSystem({ steps: step.steps }))));
}
