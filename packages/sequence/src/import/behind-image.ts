import { placeSteps } from "../lint/place-steps.ts";
import type { StepInput } from "../schema.ts";
import { findStep, withoutPlace } from "./move-to-installed.ts";
import type { SourceNode } from "./source-sequence.ts";
import type { Translation, TranslationContext } from "./translation.ts";

/**
 * MDT keeps what it finds out before the image is applied, and writes it into the system afterwards. Here a step writes at once, and the image deletes what
 * lies on the disk before it: what stands before the image is done by the same step behind it, or goes there itself.
 */
export function behindImage(context: TranslationContext, script: RegExp, translation: Extract<Translation, { steps: unknown }>): Translation {
  const steps = [...enabledSteps(context.sequence.nodes)];
  const image = steps.findIndex((node) => /\bLTIApply\.wsf"?\s*$/i.test(node.action));
  const at = steps.indexOf(context.node);
  if (at < 0 || at > image) return translation;
  const restart = steps.findIndex((node, i) => i > image && /RebootAction$/i.test(node.type));
  if (steps.slice(image, restart < 0 ? undefined : restart).some((node) => script.test(node.action))) return { notNeeded: "the same step stands behind the image, which deletes what lies on the disk before it" };
  return { ...translation, behindImage: true };
}

function* enabledSteps(nodes: readonly SourceNode[]): Generator<SourceNode> {
  for (const node of nodes) {
    if (node.disabled) continue;
    if (node.kind === "step") yield node;
    yield* enabledSteps(node.children);
  }
}

/** Takes a step to where the image is applied, and lays it behind that; conditions of its groups go with it, but not those that say the place. */
export function moveBehindImage(steps: StepInput[], id: string, after: string | undefined): boolean {
  const placed = placeSteps(steps as Parameters<typeof placeSteps>[0]);
  const from = placed.find((one) => one.step.id === id);
  const image = placed.slice(placed.findIndex((one) => one.step.id === id) + 1).find((one) => one.step.type === "apply-os-image");
  const target = findStep(steps, after ?? image?.step.id ?? "");
  const old = findStep(steps, id);
  if (from === undefined || image === undefined || target === undefined || old === undefined) return false;
  const conditions = [...from.parents, from.step].map((one) => one.when).filter((one) => one !== undefined).flatMap(withoutPlace);
  if (conditions.some((one) => one === undefined)) return false;
  const [step] = old.list.splice(old.list.indexOf(old.step), 1);
  if (step === undefined) return false;
  delete step.when;
  const all = conditions.filter((one) => one !== undefined);
  if (all.length > 0) step.when = all.length === 1 && all[0] !== undefined ? all[0] : { all };
  if (from.parents.some((parent) => parent.continueOnError === true)) step.continueOnError = true;
  target.list.splice(target.list.indexOf(target.step) + 1, 0, step);
  return true;
}
