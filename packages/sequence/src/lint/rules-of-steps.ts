import { stepTypeOf, stepTypes } from "../steps/index.ts";
import type { RunEnvironment } from "../events.ts";
import type { Condition, Step } from "../schema.ts";
import type { Platform, StepDefinition } from "../steps/index.ts";
import { shownSurroundings } from "../windows/windows-plan.ts";
import type { LintContext, LintRule, PlacedStep } from "./lint-rule.ts";
import { diskVariable, isStagedDisk, mayFindItsDisk, partitionsStagedDisk } from "./staged-disk.ts";

const places: Record<RunEnvironment, string> = { environment: "the boot environment", installed: "the installed system" };

/** What is set, and what kind it is, as far as the text alone says. */
export const rulesOfSteps: readonly LintRule[] = [
  {
    id: "step-type-unknown", level: "error", title: "a step of a type there is none of",
    why: "The agent fails the step when it comes to it, hours into a deployment.",
    *check({ steps }) {
      for (const at of steps) {
        if (at.step.type === "group" || stepTypeOf(at.step.type) !== undefined) continue;
        yield { at, message: `Expected a step type; found ${at.step.type}.`, fix: `Use one of ${stepTypes.map((one) => one.type).join(", ")}.` };
      }
    },
  },
  {
    id: "name-too-long", level: "note", title: "a name or description longer than the reference takes",
    why: "The reference takes 50 characters of a name and 256 of a description (features.md F172); here 256 and 1,000 are taken, and screens and lists cut a long name.",
    *check({ steps }) {
      for (const at of steps) {
        const [name, description] = [at.step.name, at.step.description ?? ""].map((text) => Array.from(text).length) as [number, number];
        if (name > 50) yield { at, message: `Its name has ${name} characters, more than 50.`, fix: "Shorten it, and say the rest in the description." };
        if (description > 256) yield { at, message: `Its description has ${description} characters, more than 256.`, fix: "Shorten it; a comment (#) may be as long as you like." };
      }
    },
  },
  {
    id: "step-settings-invalid", level: "error", title: "settings the step does not take",
    why: "The agent fails the step when it comes to it.",
    *check({ steps }) {
      for (const at of steps) {
        const settings = stepTypeOf(at.step.type)?.settings;
        // Good as it stands: what is left out needs no variable.
        if (settings?.safeParse(at.step.with ?? {}).success === true) continue;
        const parsed = settings?.safeParse(withPlaceholders(at.step));
        for (const issue of parsed?.error?.issues ?? []) {
          // What a variable gives is known only when it runs.
          if (isFromVariable(withPlaceholders(at.step), issue.path)) continue;
          yield { at, message: `with${issue.path.map((part) => `.${String(part)}`).join("")}: ${issue.message}`, fix: `See ${at.step.type} in docs/task-sequences.md.` };
        }
      }
    },
  },
  {
    id: "step-in-wrong-environment", level: "error", title: "a step where it cannot run",
    why: "In the reference a step in the wrong place fails (features.md F236); here too.",
    *check({ steps, platform }) {
      for (const at of steps) {
        const definition = stepTypeOf(at.step.type);
        const allowed = platform === "linux" ? definition?.environmentsOnLinux : definition?.environments;
        if (allowed === undefined || [...at.environments].some((one) => allowed.includes(one))) continue;
        yield { at, message: `${at.step.type} runs in ${allowed.map((one) => places[one]).join(" or ")}; here the sequence is in ${[...at.environments].map((one) => places[one]).join(" or ")}.`, fix: allowed.includes("installed") ? "Put a restart step to the installed system before it." : "Move it before the restart to the installed system." };
      }
    },
  },
  {
    id: "step-without-meaning", level: "error", title: "a step that means nothing on this system",
    why: "A step for another platform is no failure to find out at run time.",
    *check({ steps, platform }) {
      if (platform === undefined) return;
      for (const at of steps) {
        const definition = stepTypeOf(at.step.type);
        if (definition !== undefined && !definition.platforms.includes(platform)) yield { at, message: `${at.step.type} is for ${definition.platforms.join(" and ")}; the OS image is ${platform}.`, fix: "Remove the step, or disable it." };
        else if (platform === "windows" && definition !== undefined) yield* onWindows(at, definition);
        if (platform === "linux" && conditionsOf(at.step).some((one) => "registry" in one)) yield { at, message: "A condition on the registry never holds on Linux.", fix: "Ask for a file or for installed software." };
      }
    },
  },
  {
    id: "platform-not-known", level: "note", title: "steps of one platform, and nothing says which the system is",
    why: "Only where every apply-os-image names an image, all of one platform, are steps judged by it: else a step for another fails at the computer.",
    *check({ steps, platform }) {
      if (platform !== undefined) return;
      const ofOne = steps.filter(({ step }) => onePlatform(step) !== undefined);
      const named = [...new Set(ofOne.map(({ step }) => JSON.stringify(step.name)))];
      if (named.length > 0) yield { message: `Steps were not judged by platform: whether the system is Linux or Windows is not known, and of the two only one has a use for ${named.slice(0, 10).join(", ")}${named.length > 10 ? ` and ${named.length - 10} more` : ""}.`, fix: "Check at the site that has the image, with images of one platform named by apply-os-image, or see yourself that these steps fit." };
    },
  },
  {
    id: "partition-step-unguarded", level: "error", title: "a partition step that would destroy the staged media",
    why: "The default sequence of 2010 lacked the condition: the staged files were destroyed (features.md F127 to F129).",
    *check(context) {
      for (const at of unguardedPartitioning(context)) {
        if (!mayFindItsDisk(at, context)) yield { at, message: `${partitionsStagedDisk}.`, fix: "Give it `when: { variable: _SMSTSMediaType, notEquals: OEMMedia }`, or name another disk." };
      }
    },
  },
  {
    id: "partition-disk-by-variable", level: "warning", title: "a partition step whose disk only a variable says",
    why: "Where the variable is not set, or is 0 in the boot environment, it is the disk that holds the staged media, and the step fails (features.md F127 to F129).",
    *check(context) {
      for (const at of unguardedPartitioning(context)) {
        if (mayFindItsDisk(at, context)) yield { at, message: `Its disk is what ${diskVariable} says; where that is not set, it is the disk the computer was started from.`, fix: "Give it `when: { variable: _SMSTSMediaType, notEquals: OEMMedia }`, or name the disk." };
      }
    },
  },
  {
    id: "operating-system-not-set-up", level: "warning", title: "an image that is applied and never set up",
    why: "The system would start without a name, a boot loader and the rest of the sequence.",
    *check({ steps }) {
      const applied = steps.find(({ step }) => step.type === "apply-os-image");
      if (applied !== undefined && !steps.some(({ step }) => step.type === "set-up-operating-system")) yield { at: applied, message: "An OS image is applied and no step sets it up.", fix: "Add a set-up-operating-system step after it." };
    },
  },
  {
    id: "operating-system-missing", level: "error", title: "a system set up that was not applied",
    why: "There is nothing to set up on a staged disk until an image was applied.",
    *check({ steps }) {
      for (const [i, at] of steps.entries()) {
        if (at.step.type === "set-up-operating-system" && !steps.slice(0, i).some(({ step }) => step.type === "apply-os-image")) yield { at, message: "No OS image was applied before this step.", fix: "Put an apply-os-image step before it." };
      }
    },
  },
  {
    id: "restart-without-a-system", level: "warning", title: "a restart into a system that is applied only later",
    why: "On a staged disk there is none to start: the sequence fails there, whatever its steps say of errors (features.md F136).",
    *check({ steps }) {
      const applied = steps.findIndex(({ step }) => step.type === "apply-os-image");
      // Without any it may be a child, which goes on where its parent is.
      for (const at of steps.slice(0, Math.max(0, applied))) {
        if (at.step.type !== "restart" || at.step.with?.["to"] === "environment" || at.environments.has("installed")) continue;
        yield { at, message: "No OS image was applied before this restart into the installed system.", fix: "Put apply-os-image and set-up-operating-system before it, or restart to the environment." };
      }
    },
  },
  {
    id: "continue-on-error-of-no-use", level: "warning", title: "continueOnError where nothing can go on",
    why: "The reference ignores it there (features.md F228): a failure leaves a computer without a system.",
    *check({ steps }) {
      for (const at of steps) {
        if (at.step.continueOnError === true && ["apply-os-image", "set-up-operating-system"].includes(at.step.type)) yield { at, message: `After a failed ${at.step.type} there is no system to go on with.`, fix: "Take continueOnError off." };
      }
    },
  },
];

/** The only platform on which a step means anything, by its type or by a condition on the registry. */
function onePlatform(step: Step): Platform | undefined {
  const [first, second] = stepTypeOf(step.type)?.platforms ?? [];
  if (first !== undefined && second === undefined) return first;
  return conditionsOf(step).some((one) => "registry" in one) ? "windows" : undefined;
}

/** What a step of both systems cannot do on Windows: run there at all, or with these settings. */
function* onWindows(at: PlacedStep, definition: StepDefinition): Iterable<{ at: PlacedStep; message: string; fix: string }> {
  if (definition.environments.includes("installed") && ![...at.environments].some((one) => definition.environmentsOnWindows.includes(one))) {
    yield { at, message: `${at.step.type} does not run in an installed Windows.`, fix: "Move it before the restart to the installed system." };
  }
  const parsed = definition.settings.safeParse(at.step.with ?? {});
  // What runs in both may do something else in the boot environment.
  const judged = at.environments.has("installed") || !definition.environmentsOnWindows.includes("installed");
  const why = parsed.success && judged ? definition.windows?.(parsed.data, shownSurroundings) : undefined;
  if (typeof why === "string") yield { at, message: `${at.step.type}: ${why}.`, fix: "Write the step for Windows." };
}

/** Those that partition the staged disk, as far as their settings say it, and lack the condition. */
function unguardedPartitioning({ steps, platform }: LintContext): PlacedStep[] {
  const guards = (condition: Condition) => "variable" in condition && condition.variable.toLowerCase() === "_smstsmediatype" && String(condition.notEquals ?? "").toLowerCase() === "oemmedia";
  const staged = steps.filter(({ step, environments }) => step.type === "partition-disk" && isStagedDisk(step.with?.["disk"], environments, platform));
  return staged.filter(({ step, parents }) => ![step, ...parents].some((one) => conditionsOf(one).some(guards)));
}

/** A setting that is nothing but a variable stands for any text. */
function withPlaceholders(step: Step): unknown {
  const type = stepTypeOf(step.type);
  const given: Record<string, unknown> = { ...step.with };
  // What is left out may come from its variable.
  for (const [setting, name] of Object.entries(type?.variables ?? {})) if (given[setting] === undefined) given[setting] = `%${name}%`;
  return given;
}

function isFromVariable(settings: unknown, path: readonly PropertyKey[]): boolean {
  // Which secrets a sequence may ask for is signed with it.
  if (path.at(-1) === "secret") return false;
  let value: unknown = settings;
  for (const part of path) value = typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined;
  return value === undefined ? false : typeof value === "string" && /%[A-Za-z_][A-Za-z0-9_.-]*%/.test(value);
}

/** The conditions that all have to hold for a step: not those of which any or none does. */
export function conditionsOf(step: Pick<Step, "when">): Condition[] {
  const visit = (condition: Condition): Condition[] => ("all" in condition ? condition.all.flatMap(visit) : [condition]);
  return step.when === undefined ? [] : visit(step.when);
}
