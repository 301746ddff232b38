import * as contract from "@prestage/contract";
import { childReferences, deviceDescriptionSchema, explanationText, parseTaskSequenceYaml, simulate, windowsCommandLine } from "@prestage/sequence";
import type { DeviceDescription, LintKnowledge, SimulatedStep, Simulation } from "@prestage/sequence";
import { command, flag, one, optionalText, siteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { givenBy, headingOf, mediaOf, recordOf, saidByAgent, withRecord } from "../device-record.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { bytes, counted, print } from "../output.ts";
import { plansOfContent } from "../plans-of-content.ts";
import { SiteClient } from "../site-client.ts";
import { knowledge, withChildren } from "./sequence-text.ts";

type Flags = { device?: string; record?: string; deployment?: string; media?: string; variables?: boolean; data?: string; json?: boolean };
type ContentStates = ReadonlyMap<string, contract.ContentPlan>;

export const simulateCommand = command<Flags, [string]>({
  brief: "Show what a task sequence would do on a computer, why, with which values and content; nothing is run. What only a run can tell is said to depend on it. Exit code: 0 nothing says that it would fail, 1 it would fail",
  example: "prestage sequence simulate deploy.yaml --device laptop.json\nprestage sequence simulate ABC00006 --record BRANCH-07 --deployment ABC20001",
  parameters: {
    flags: {
      device: optionalText("A described computer: hardware, operatingSystem, files, folders, software, registry, variables by source, outcomes of steps (JSON)", "FILE"),
      record: optionalText("A device of the site, by name or GUID: what it said of itself, and all that the site and the media it was staged from would give it", "DEVICE"),
      deployment: optionalText("With --record: this deployment, where several of the sequence reach the device", "ID"),
      media: optionalText("Started from this media: its variables, and for each content hit, revised or missing with the bytes to fetch", "ID"),
      variables: flag("Also every variable at the end, with what it took the place of"),
      ...siteFlags,
    },
    positional: one("Task sequence: a file, or its id at the site", "FILE|ID"),
  },
  async run(context, flags, given) {
    const site = new LazySite(context, flags.data);
    const isId = /^[A-Z0-9]{3}[0-9A-F]{5}$/.test(given);
    const written = parseTaskSequenceYaml(isId ? (await (await site.open()).call("GET", `/task-sequences/${given}`, contract.sequenceRecordSchema)).yaml : (await readInputFile(given, "a task sequence")).toString("utf8"));
    const sequence = childReferences(written).length === 0 ? written : await withChildren(await site.open(), written);
    if (flags.deployment !== undefined && flags.record === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --record with --deployment: a deployment gives its variables and secrets to a device; found none.");
    const described = flags.device === undefined ? deviceDescriptionSchema.parse({}) : readDescription(await readInputFile(flags.device, "a computer's description"), flags.device);
    const chosenMedia = flags.media === undefined ? undefined : await mediaOf(await site.open(), flags.media);
    const record = flags.record === undefined ? undefined : await recordOf(await site.open(), flags.record, { ...(isId && { taskSequence: given }), ...(flags.deployment !== undefined && { deployment: flags.deployment }), ...(chosenMedia && { media: chosenMedia.mediaId }) });
    const media = chosenMedia ?? (record !== undefined && record.given.mediaId !== null ? await mediaOf(await site.open(), record.given.mediaId) : undefined);
    const device = record === undefined ? described : withRecord(described, record.device);
    const known = site.opened ? await knowledge(await site.open(), sequence, undefined) : {};
    const simulation = simulate(sequence, device, saidByAgent(media, record, device.name, isId ? given : undefined), known, givenBy(media, record));
    const plans = media === undefined ? [] : await plansOf(await site.open(), media.mediaId, isId ? given : undefined, simulation, known);
    const states: ContentStates = new Map(plans.map((plan) => [plan.objectId, plan]));
    const about = record && { device: { id: record.device.id, name: record.device.name }, deployments: record.given.deployments, secrets: record.given.secrets };
    const heading = record === undefined ? [] : headingOf(record, isId, media?.mediaId);
    print(context, flags.json, { ...about, ...(media && { mediaId: media.mediaId }), ...simulation, content: plans.map(({ objectId, kind, name, state, bytes: toFetch, described: extra }) => ({ objectId, kind, name, state, bytes: toFetch + extra })) }, [...heading, text(simulation, states, flags.variables === true, device.notDescribed === "unknown")].join("\n"));
    if (simulation.outcome === "failed") context.process.exitCode = 1;
  },
});

/** A file can be simulated where there is no site. */
class LazySite {
  readonly #context: Context;
  readonly #data: string | undefined;
  #client: Promise<SiteClient> | undefined;
  constructor(context: Context, data: string | undefined) {
    this.#context = context;
    this.#data = data;
  }
  /** What it knows is asked only where it has to be asked anyway. */
  get opened(): boolean {
    return this.#client !== undefined;
  }
  open(): Promise<SiteClient> {
    return (this.#client ??= SiteClient.open(this.#context, this.#data));
  }
}

function readDescription(content: Buffer, path: string): DeviceDescription {
  let value: unknown;
  try {
    value = JSON.parse(content.toString("utf8"));
  } catch (cause) {
    throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected JSON in ${path}; found: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
  const parsed = deviceDescriptionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a computer's description in ${path}; found ${parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join(".") || "the whole"}: ${issue.message}`).join("; ")}.`);
}

/** What the steps that may run would fetch, what dynamic lists and variables name among it, with what applications depend on; what the site does not have, nobody fetches. */
async function plansOf(site: SiteClient, mediaId: string, sequenceId: string | undefined, { steps }: Simulation, { objects }: LintKnowledge): Promise<contract.ContentPlan[]> {
  const used = new Set(steps.flatMap(({ content }) => content.map(({ objectId }) => objectId)).filter((objectId) => objects?.has(objectId)));
  if (used.size === 0) return [];
  return plansOfContent(site, mediaId, sequenceId, [...used]);
}

const marks: Record<SimulatedStep["action"], string> = { runs: "run", skipped: "skip", fails: "FAIL", depends: "?", group: "group", "group-ends": "" };
const ends: Record<Simulation["outcome"], string> = {
  succeeded: "The sequence would have succeeded.", failed: "The sequence would have failed.", depends: "The sequence would have succeeded, unless one of the steps marked with ? runs and fails.",
};

function text({ steps, outcome, variables, notDescribed, notReached }: Simulation, states: ContentStates, all: boolean, unknown: boolean): string {
  const lines: string[] = [];
  for (const [i, one] of steps.entries()) {
    if (one.action === "group-ends") continue;
    if (i > 0 && steps[i - 1]?.environment !== one.environment) lines.push(`--- restart: ${one.environment === "installed" ? "in the installed system" : "in the boot environment"}`);
    const indent = " ".repeat(8 + 2 * one.path.length);
    lines.push(`${marks[one.action].padEnd(6)}${"  ".repeat(one.path.length)}${one.name} (${one.type}): ${one.action === "fails" ? `would fail: ${one.wouldFail ?? one.why}` : one.why}`, ...detailsOf(one, states).map((line) => indent + line));
  }
  if (all) lines.push("", "Variables at the end:", ...variables.filter(({ setBy }) => setBy === undefined).map((one) => `  ${one.name} ${explanationText(one)}`), ...openVariables(variables));
  if (notReached.length > 0) lines.push("", `Not come to: ${notReached.map(({ name }) => name).join(", ")}`);
  if (notDescribed.length > 0) lines.push("", `${unknown ? "Not described, so known to the computer alone" : "Not described, so taken as not there"}: ${notDescribed.join(", ")}`);
  if (states.size > 0) lines.push("", contentLine([...states.values()]));
  return [...lines, "", ends[outcome]].join("\n");
}

function detailsOf(one: SimulatedStep, states: ContentStates): string[] {
  return [
    ...(one.action === "depends" && one.wouldFail !== undefined ? [`would fail there: ${one.wouldFail}`] : []),
    ...one.variables.map((variable) => `%${variable.name}% ${explanationText(variable)}`),
    ...one.secrets.map(({ name, source, of }) => `secret ${name}${source === undefined ? "" : ` (${source}${of === undefined ? "" : ` ${of}`})`}`),
    ...one.sets.map(({ name, value }) => `sets ${name} = ${JSON.stringify(value)}`),
    ...(one.setsWhenRun.length === 0 || one.action === "skipped" ? [] : [`sets when it runs: ${shortList(one.setsWhenRun)}`]),
    ...(one.windows?.commands ?? []).map((command) => `> ${windowsCommandLine(command)}`),
    ...(one.windows?.answers ?? []).map(({ pass, component, settings }) => `answer file, ${pass}, ${component}: ${Object.entries(settings).map(([name, value]) => (typeof value === "string" ? `${name} = ${JSON.stringify(value)}` : name)).join(", ")}`),
    ...one.content.map(({ objectId, kind }) => {
      const plan = states.get(objectId);
      return `${kind} ${objectId}${plan === undefined ? "" : ` ${plan.name}: ${plan.state}${plan.state === "hit" ? "" : `, ${bytes(plan.bytes + plan.described)} to fetch`}`}`;
    }),
  ];
}

/** By who sets them. */
function openVariables(variables: Simulation["variables"]): string[] {
  const found = new Map<string, string[]>();
  for (const { name, setBy, by } of variables) {
    if (setBy === undefined) continue;
    const setter = by === undefined ? `the step ${JSON.stringify(setBy)}` : setBy;
    found.set(setter, [...(found.get(setter) ?? []), name]);
  }
  return [...found].map(([setter, names]) => `  known only to a run, set by ${setter}: ${shortList(names)}`);
}

function shortList(names: readonly string[]): string {
  return names.length <= 8 ? names.join(", ") : `${names.slice(0, 8).join(", ")} and ${names.length - 8} more`;
}

function contentLine(plans: readonly contract.ContentPlan[]): string {
  const count = (state: contract.ContentPlan["state"]) => `${plans.filter((plan) => plan.state === state).length} ${state}`;
  return `${counted(plans.length, "piece")} of content: ${(["hit", "revised", "missing"] as const).map(count).join(", ")}; ${bytes(plans.reduce((sum, plan) => sum + plan.bytes + plan.described, 0))} to fetch`;
}
