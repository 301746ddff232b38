import { conditionsOf } from "../lint/rules-of-steps.ts";
import { placeSteps } from "../lint/place-steps.ts";
import type { StepInput } from "../schema.ts";
import { stepTypeOf } from "../steps/index.ts";
import { loadedHives } from "./steps/offline-hives.ts";
import type { SourceNode } from "./source-sequence.ts";
import { isInWindowsPe } from "./steps/translators-mdt.ts";

/** What lays a system onto a disk: applied from an image, or from setup files. */
const lays = /^SMS_TaskSequence_(ApplyOperatingSystem|UpgradeOperatingSystem|ApplyDataImage|PartitionDisk)Action$|^BDD_(InstallOS|UpgradeOS)$/i;
const laysByScript = /\b(LTIApply|ZTIDiskpart|LTIUpgrade)\.wsf(?!"?\s*\/(PE|post))/i;

/** Whether a source lays no system anywhere and is nowhere in Windows PE: one like MDT's for computers that have theirs, which runs in the system that is there. */
export function needsASystem(nodes: readonly SourceNode[]): boolean {
  const enabled = [...enabledSteps(nodes, [])];
  return enabled.length > 0 && loadedHives(nodes).size === 0 && !enabled.some(({ node, groups }) => lays.test(node.type) || laysByScript.test(node.action) || isInWindowsPe({ groups }));
}

function* enabledSteps(nodes: readonly SourceNode[], groups: readonly SourceNode[]): Generator<{ node: SourceNode; groups: readonly SourceNode[] }> {
  for (const node of nodes) {
    if (node.disabled) continue;
    if (node.kind === "step") yield { node, groups };
    yield* enabledSteps(node.children, [...groups, node]);
  }
}

/**
 * Steps of such a source in a group of the installed system: a sequence of its own, or a child of one that has deployed it. Where one of them runs in the boot
 * environment alone, or says that it is for that, they are left as they are.
 */
export function inInstalledSystem(steps: readonly StepInput[], windowsCommands: ReadonlySet<string>): StepInput[] {
  const placed = placeSteps(steps as Parameters<typeof placeSteps>[0]);
  const runs = placed.filter(({ step }) => step.type !== "group");
  const wants = runs.some(({ step }) => windowsCommands.has(step.id) || stepTypeOf(step.type)?.environments.includes("environment") === false);
  const only = runs.some(({ step }) => stepTypeOf(step.type)?.environments.includes("installed") === false);
  const says = placed.some(({ step }) => conditionsOf(step).some((one) => "variable" in one && one.variable.toLowerCase() === "_smstsinwinpe" && String(one.equals).toLowerCase() === "true"));
  if (!wants || only || says) return [...steps];
  return [{ id: "in-the-installed-system", name: "In the installed system", type: "group", when: { variable: "_SMSTSInWinPE", equals: "false" }, steps: [...steps] }];
}

/**
 * A sequence that ends in the boot environment although it has laid a system: its computer starts that system afterwards all the same. What can be done there alone
 * gets that start, and a place behind it.
 */
export function appendFirstStart(steps: StepInput[]): boolean {
  const placed = placeSteps(steps as Parameters<typeof placeSteps>[0]);
  const last = placed.at(-1);
  const ends = last !== undefined && last.environments.size === 1 && last.environments.has("environment") && last.step.type !== "restart";
  if (!ends || !placed.some(({ step }) => step.type === "apply-os-image") || placed.some(({ step }) => step.type === "restart") || steps.some((one) => one.id === "first-start")) return false;
  steps.push({ id: "first-start", name: "Start the new system", type: "restart", with: { to: "installed" } }, { id: "after-the-first-start", name: "After the first start", type: "group", steps: [] });
  return true;
}
