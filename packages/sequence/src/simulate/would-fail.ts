import { contentReferences } from "../content-references.ts";
import type { ContentReference } from "../content-references.ts";
import { SequenceError } from "../error.ts";
import { lintSequence } from "../lint/lint.ts";
import { diskVariable, isStagedDisk, partitionsStagedDisk } from "../lint/staged-disk.ts";
import { kindNames } from "../lint/lint-rule.ts";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import type { RunEnvironment } from "../events.ts";
import type { Step, TaskSequence } from "../schema.ts";
import { textsIn, variablesIn } from "../text-in-settings.ts";
import { stepTypeOf } from "../steps/index.ts";
import type { Platform } from "../steps/index.ts";
import { checkSettable, variableValue } from "../variables.ts";
import type { Variables } from "../variables.ts";
import type { Given } from "./given.ts";
import { notKnownOf } from "./not-known.ts";
import type { NotKnown } from "./not-known.ts";
import type { SimulatedStep } from "./simulation.ts";

/** Rules whose finding fails the step wherever it is come to, and that do not depend on what variables hold. */
const rules: ReadonlySet<string> = new Set(["step-without-meaning", "operating-system-missing", "reference-to-nothing"]);

/** By a step's id: why it would fail, as lint knows from the text. */
export function faultsOfSteps(sequence: TaskSequence, knowledge: LintKnowledge): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { rule, step, message } of lintSequence(sequence, knowledge)) if (rules.has(rule) && step !== undefined && !found.has(step.id)) found.set(step.id, message.replace(/\.$/, ""));
  return found;
}

/** A step's settings as the agent reads them: variables put in, what is left out taken from its variables. Throws the SequenceError of variables that mean nothing. */
export function settingsAsRead(step: Step, settings: Readonly<Record<string, unknown>>, variables: Variables): Record<string, unknown> {
  const definition = stepTypeOf(step.type);
  const left = Object.entries(definition?.variables ?? {}).flatMap(([setting, name]) => {
    const value = Object.hasOwn(settings, setting) ? undefined : variableValue(variables, name);
    return value === undefined ? [] : [[setting, value] as const];
  });
  return { ...definition?.fromVariables?.(variables), ...settings, ...Object.fromEntries(left) };
}

/** What the step does not take, as far as no variable that only the run knows can mend it. */
export function settingsRefused(step: Step, read: Readonly<Record<string, unknown>>, variables: Variables, notKnown: NotKnown): string | undefined {
  const definition = stepTypeOf(step.type);
  const issues = definition?.settings.safeParse(read).error?.issues ?? [];
  const open = (name: string | undefined) => name !== undefined && notKnownOf([name], notKnown, variables) !== undefined;
  for (const { path, message } of issues) {
    const within = path.length === 0 ? read : path.reduce<unknown>((value, part) => (typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined), read);
    const names = [...textsIn(within)].flatMap(({ text }) => variablesIn(text));
    const [first] = path;
    const left = typeof first === "string" && !Object.hasOwn(read, first) ? definition?.variables[first] : undefined;
    if (names.some(open) || open(left) || (path.length === 0 && Object.values(definition?.variables ?? {}).some(open))) continue;
    const unset = [...names, ...(left === undefined ? [] : [left])].filter((name) => variableValue(variables, name) === undefined);
    return `${path.length === 0 ? "with" : path.map(String).join(".")}: ${message}${unset.length === 0 ? "" : ` (${[...new Set(unset)].join(", ")} ${unset.length === 1 ? "is" : "are"} not set)`}`;
  }
  return undefined;
}

/** Partitioning the staged disk, as the settings as read say it; an agent refuses that whatever the step's condition. */
export function diskRefused(step: Step, { disk }: Readonly<Record<string, unknown>>, at: { variables: Variables; notKnown: NotKnown; environment: RunEnvironment }, platform: Platform | undefined): string | undefined {
  if (step.type !== "partition-disk" || (disk === undefined && notKnownOf([diskVariable], at.notKnown, at.variables) !== undefined)) return undefined;
  const environments = new Set(at.notKnown.has("_smstsinwinpe") ? [] : [at.environment]);
  return isStagedDisk(disk, environments, platform) ? partitionsStagedDisk : undefined;
}

/** Content that the site does not have. */
export function contentMissing(step: Step, content: readonly ContentReference[], objects: LintKnowledge["objects"]): string | undefined {
  if (objects === undefined) return undefined;
  for (const { objectId, kind } of content) {
    const found = objects.get(objectId);
    if (found === undefined) return `it names ${objectId}; the site has no such object`;
    // What a dynamic list names is checked by its id alone: its kind is the step's business.
    if (found.kind !== kind && contentReferences({ name: "", steps: [step] }).some((one) => one.objectId === objectId)) return `it names ${objectId}, which is ${found.name}, of kind ${found.kind}, and not ${/^[ao]/.test(kindNames[kind]) ? "an" : "a"} ${kindNames[kind]}`;
  }
  return undefined;
}

/** A secret that the site would not give this computer. */
export function secretMissing(secrets: SimulatedStep["secrets"], { allSecrets, secretsRefused }: Given): string | undefined {
  const [first] = secrets;
  if (first === undefined) return undefined;
  if (secretsRefused !== undefined) return `it asks for the secret ${first.name}: ${secretsRefused}`;
  const absent = allSecrets === true ? secrets.find(({ source }) => source === undefined) : undefined;
  return absent && `it asks for the secret ${absent.name}; neither the device nor its deployment nor its collections have one`;
}

/** Why a run would not set it. */
export function refusedVariable(name: string, value: string): string | undefined {
  return why(() => checkSettable(name, value));
}

/** The message of the SequenceError that it throws. */
export function why(does: () => unknown): string | undefined {
  try {
    does();
    return undefined;
  } catch (cause) {
    if (cause instanceof SequenceError) return cause.message;
    throw cause;
  }
}
