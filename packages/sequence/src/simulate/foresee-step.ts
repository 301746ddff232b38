import { isLike } from "../conditions.ts";
import { contentReferences, listedContent, listedValues } from "../content-references.ts";
import type { ContentReference } from "../content-references.ts";
import type { RunEnvironment } from "../events.ts";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import { secretsInSettings } from "../schema.ts";
import type { Step } from "../schema.ts";
import { stepTypeOf } from "../steps/index.ts";
import type { Platform, StepDefinition } from "../steps/index.ts";
import { maySetOthers, variablesNamedBy, variablesSetBy } from "../steps/variables-set.ts";
import { textsIn, variablesIn } from "../text-in-settings.ts";
import { expandSettings, variableValue } from "../variables.ts";
import type { Variables } from "../variables.ts";
import { shownSurroundings } from "../windows/windows-plan.ts";
import type { WindowsPlan } from "../windows/windows-plan.ts";
import { dynamicVariables } from "./dynamic-variables.ts";
import type { DeviceDescription } from "./device-description.ts";
import type { Given } from "./given.ts";
import { dependsOn, formOf, notKnownOf } from "./not-known.ts";
import type { NotKnown } from "./not-known.ts";
import { contentMissing, diskRefused, refusedVariable, settingsAsRead, secretMissing, settingsRefused, why } from "./would-fail.ts";
import type { SimulatedStep } from "./simulation.ts";

/** Where a step is come to, and what is known there. */
export interface Surroundings {
  device: DeviceDescription;
  variables: Variables;
  notKnown: NotKnown;
  environment: RunEnvironment;
  knowledge: LintKnowledge;
  given: Given;
  /** What lint says of steps, by their ids. */
  faults: ReadonlyMap<string, string>;
}

/** What can be told of a step before it runs. */
export interface ForeseenStep {
  settings: Record<string, unknown>;
  content: ContentReference[];
  secrets: SimulatedStep["secrets"];
  windows?: WindowsPlan;
  /** What it sets, to values that are known. */
  sets: { name: string; value: string }[];
  /** What it sets to values that are known only when it runs; a name that holds `%NAME%` is itself known only then. */
  setsWhenRun: string[];
  /** It may set variables that it does not name. */
  setsOthers: boolean;
  restart?: RunEnvironment;
  /** Where it may ask the computer to be restarted into, as far as only the run knows whether it does. */
  mayRestartTo: RunEnvironment[];
  /** Why it would fail. */
  fails?: string;
  /** Why it can be run here or not, where only the run knows where it is. */
  placeOpen?: string;
}

export function foreseeStep(step: Step, at: Surroundings): ForeseenStep {
  const { device, variables, notKnown } = at;
  const definition = stepTypeOf(step.type);
  const settings = expandSettings(step.with ?? {}, variables) as Record<string, unknown>;
  let read = settings;
  const meaningless = why(() => (read = settingsAsRead(step, settings, variables)));
  type Settings = NonNullable<Step["with"]>;
  const [expanded, asRead] = [{ ...step, with: settings as Settings, disabled: false }, { type: step.type, with: read as Settings }];
  const onWindows = windowsPlan(definition, read, at);
  const plan = typeof onWindows === "object" ? onWindows : undefined;
  const open = (text: string) => notKnownOf(variablesIn(text), notKnown, variables) !== undefined;
  const told = step.type === "set-dynamic-variables" ? dynamicVariables(read, device, variables, notKnown) : (definition?.setsTo?.(read) ?? plan?.variables ?? []);
  const sets = told.filter(({ name, value }) => !open(name) && !open(value));
  const known = new Set(sets.map(({ name }) => name.toLowerCase()));
  const namedBy = new Set(variablesNamedBy(asRead));
  const refusable = sets.filter(({ name }) => namedBy.has(name));
  const setsWhenRun = [...new Set(variablesSetBy(asRead))].filter((name) => !known.has(name.toLowerCase()));
  const content = [...contentReferences({ name: "", steps: [expanded] }), ...listed(step, variables)];
  const secrets = secretsOf(step, at.given);
  const place = placeOf(definition, step, at);
  // Of rules only those that fit set something; what else a step names it sets when it has done its work.
  const named = [...refusable, ...(step.type === "set-dynamic-variables" ? [] : setsWhenRun.filter((name) => namedBy.has(name) && !open(name)).map((name) => ({ name, value: "" })))];
  const fails =
    place.wrong ?? at.faults.get(step.id) ?? contentMissing(expanded, content, at.knowledge.objects) ?? secretMissing(secrets, at.given) ?? meaningless ?? diskRefused(step, read, at, platformOf(at)) ?? settingsRefused(step, read, variables, notKnown) ??
    (typeof onWindows === "string" ? `${step.type}: ${onWindows}` : undefined) ?? named.map(({ name, value }) => refusedVariable(name, value)).find((one) => one !== undefined) ??
    (device.outcomes[step.id] === "failed" ? "it is described to fail" : undefined);
  const restart = step.type === "restart" ? (settings["to"] === "environment" ? "environment" : "installed") : undefined;
  const setsOthers = maySetOthers(asRead);
  const mayAsk = setsWhenRun.some((name) => isLike(asksForRestart, open(name) ? formOf(name).toLowerCase() : name.toLowerCase())) || (setsOthers && [...textsIn(settings)].some(({ text }) => text.toLowerCase().includes(asksForRestart)));
  const mayRestartTo = mayAsk ? targetsIn(settings) : [];
  return { settings, content, secrets, sets, setsWhenRun, setsOthers, mayRestartTo, ...(plan && { windows: plan }), ...(restart && { restart }), ...(fails !== undefined && { fails }), ...(place.open !== undefined && { placeOpen: place.open }) };
}

const asksForRestart = "smstsrebootrequested";

function secretsOf({ secrets = [], with: settings }: Step, { secrets: given = [] }: Given): SimulatedStep["secrets"] {
  return [...secrets, ...secretsInSettings(settings)].map((name) => ({ ...given.find((one) => one.name.toLowerCase() === name.toLowerCase()), name }));
}

/** Where a value of SMSTSRebootRequested leads. */
export function restartTarget(name: string, value: string): RunEnvironment[] {
  if (name.toLowerCase() !== asksForRestart) return [];
  return value.toLowerCase() === "winpe" ? ["environment"] : /^(hd|true)$/i.test(value) ? ["installed"] : [];
}

/** Where commands that set it lead; where their text does not say it, anywhere. */
function targetsIn(settings: Readonly<Record<string, unknown>>): RunEnvironment[] {
  const values = [...textsIn(settings)].flatMap(({ text }) => [...text.matchAll(/prestage-variable[ \t]+["']?SMSTSRebootRequested["']?[ \t]+["']?(\w+)/gi)].map((match) => match[1] ?? ""));
  const known = values.flatMap((value) => restartTarget(asksForRestart, value));
  return known.length === 0 ? ["environment", "installed"] : known;
}

function platformOf({ device, knowledge }: Surroundings): Platform | undefined {
  return knowledge.platform ?? (isWindows(device) ? "windows" : undefined);
}

function placeOf(definition: StepDefinition | undefined, step: Step, at: Surroundings): { wrong?: string; open?: string } {
  if (definition === undefined) return { wrong: `there is no step type ${step.type}` };
  const { environment, notKnown } = at;
  const platform = platformOf(at);
  const { environments, environmentsOnLinux, environmentsOnWindows } = definition;
  const allowed = platform === "linux" ? environmentsOnLinux : platform === "windows" && environments.includes("installed") ? environmentsOnWindows : environments;
  const moved = notKnown.get("_smstsinwinpe");
  if (moved !== undefined && allowed.length === 1) return { open: dependsOn(moved) };
  return allowed.includes(environment) ? {} : { wrong: `it cannot run in the ${environment === "installed" ? "installed system" : "boot environment"}` };
}

function isWindows(device: DeviceDescription): boolean {
  return /^windows/i.test(device.operatingSystem.name ?? "");
}

/** Where the described system is Windows: what the step's programs and files would be, or why it means nothing there. */
function windowsPlan(definition: StepDefinition | undefined, read: Readonly<Record<string, unknown>>, { device, environment }: Surroundings): WindowsPlan | string | undefined {
  if (!isWindows(device)) return undefined;
  const parsed = definition?.settings.safeParse(read);
  return parsed?.success === true && (environment === "installed" || definition?.environments.includes("installed") === false) ? definition?.windows?.(parsed.data, shownSurroundings) : undefined;
}

/** What the variables of a dynamic list name, to the first that is not set. */
function listed(step: Step, variables: Variables): ContentReference[] {
  const base = step.with?.["baseVariable"];
  if (typeof base !== "string") return [];
  const values = ([2, 3] as const).flatMap((digits) => listedValues(base, digits, (name) => variableValue(variables, name)));
  return listedContent([base], values.map((value, i) => ({ name: `${base}${String(i + 1).padStart(3, "0")}`, value })));
}
