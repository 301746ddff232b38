import * as contract from "@prestage/contract";
import { childReferences, deviceDescriptionSchema, explanationText, parseTaskSequenceYaml, simulate, windowsCommandLine } from "@prestage/sequence";
import type { DeviceDescription, SimulatedStep, Simulation, Variable } from "@prestage/sequence";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, flag, one, optionalText, siteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { bytes, print } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { withChildren } from "./sequence-text.ts";

type Flags = { device?: string; record?: string; media?: string; variables?: boolean; data?: string; json?: boolean };
type ContentStates = ReadonlyMap<string, contract.ContentPlan>;

export const simulateCommand = command<Flags, [string]>({
  brief: "Show what a task sequence would do on a computer, why, with which values and content; nothing is run. Exit code: 0 it would succeed, 1 it would fail",
  example: "prestage sequence simulate deploy.yaml --device laptop.json\nprestage sequence simulate ABC00006 --record BRANCH-07 --media 3f9a61c2d07be145",
  parameters: {
    flags: {
      device: optionalText("A described computer: hardware, operatingSystem, files, folders, software, registry, variables by source, outcomes of steps (JSON)", "FILE"),
      record: optionalText("A device of the site, by name or GUID: what it said of itself, its variables and those of its collections", "DEVICE"),
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
    const described = flags.device === undefined ? deviceDescriptionSchema.parse({}) : readDescription(await readInputFile(flags.device, "a computer's description"), flags.device);
    const device = flags.record === undefined ? described : withRecord(described, await recordOf(await site.open(), flags.record));
    const media = flags.media === undefined ? undefined : await mediaOf(await site.open(), flags.media, isId ? given : undefined);
    const simulation = simulate(sequence, withMedia(device, media?.manifest.variables ?? []), media === undefined ? [] : builtIn(media.manifest, device.name));
    const states: ContentStates = new Map((media?.plans ?? []).map((plan) => [plan.objectId, plan]));
    print(context, flags.json, { ...simulation, content: [...states.values()].map(({ objectId, kind, name, state, bytes: toFetch, described: extra }) => ({ objectId, kind, name, state, bytes: toFetch + extra })) }, text(simulation, states, media !== undefined, flags.variables === true));
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

interface DeviceRecord { device: contract.Device; collections: { name: string; value: string }[] }

async function recordOf(site: SiteClient, wanted: string): Promise<DeviceRecord> {
  const devices = await site.call("GET", "/devices", z.array(contract.deviceSchema));
  const found = devices.filter((one) => one.id === wanted.toLowerCase() || one.name.toLowerCase() === wanted.toLowerCase());
  const [device] = found;
  if (device === undefined || found.length > 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected the name or GUID of one device; ${found.length} are called ${JSON.stringify(wanted)}. List them with \`prestage device list\`.`);
  const collections = await site.call("GET", "/collections", z.array(contract.collectionSchema));
  return { device, collections: collections.filter((one) => one.members.includes(device.id)).flatMap((one) => one.variables) };
}

/** What the description says wins: it is what the person asks about. */
function withRecord(described: DeviceDescription, { device, collections }: DeviceRecord): DeviceDescription {
  const attribute = (name: string) => (typeof device.attributes[name] === "string" || typeof device.attributes[name] === "number" ? { value: String(device.attributes[name]) } : undefined);
  const hardware = Object.fromEntries([["manufacturer", attribute("manufacturer")], ["model", attribute("model")], ["serialNumber", attribute("serialNumber")], ["uuid", attribute("smbiosUuid")], ["memoryMiB", attribute("memoryMiB")]].flatMap(([name, found]) => (typeof found === "object" ? [[name, found.value]] : [])));
  return {
    ...described, name: device.name, hardware: { ...hardware, ...described.hardware },
    variables: { ...described.variables, collection: { ...asRecord(collections), ...described.variables.collection }, device: { ...asRecord(device.variables), ...described.variables.device } },
  };
}

function withMedia(device: DeviceDescription, variables: readonly { name: string; value: string }[]): DeviceDescription {
  return { ...device, variables: { ...device.variables, media: { ...asRecord(variables), ...device.variables.media } } };
}

async function mediaOf(site: SiteClient, id: string, sequenceId: string | undefined) {
  const { mediaId, manifest } = byPrefix(await site.call("GET", "/media", z.array(contract.mediaRecordSchema)), (media) => media.mediaId, id, "media");
  const plans = await site.call("GET", `/media/${mediaId}/plan${sequenceId === undefined ? "" : `?taskSequence=${sequenceId}`}`, z.array(contract.contentPlanSchema));
  return { manifest, plans };
}

function builtIn(manifest: contract.MediaRecord["manifest"], name: string): Variable[] {
  return [{ name: "_SMSTSMachineName", value: name, source: "system" }, { name: "_SMSTSSiteCode", value: manifest.site.code, source: "system" }];
}

function asRecord(variables: readonly { name: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(variables.map(({ name, value }) => [name, value]));
}

const marks: Record<SimulatedStep["action"], string> = { runs: "run", skipped: "skip", fails: "FAIL", group: "group", "group-ends": "" };

function text({ steps, outcome, variables, notDescribed }: Simulation, states: ContentStates, withStates: boolean, all: boolean): string {
  const lines: string[] = [];
  for (const [i, one] of steps.entries()) {
    if (one.action === "group-ends") continue;
    if (i > 0 && steps[i - 1]?.environment !== one.environment) lines.push(`--- restart: ${one.environment === "installed" ? "in the installed system" : "in the boot environment"}`);
    lines.push(`${marks[one.action].padEnd(6)}${"  ".repeat(one.path.length)}${one.name} (${one.type}): ${one.why}`);
    const indent = " ".repeat(8 + 2 * one.path.length);
    for (const variable of one.variables) lines.push(`${indent}%${variable.name}% ${explanationText(variable)}`);
    for (const { name, value } of one.sets) lines.push(`${indent}sets ${name} = ${JSON.stringify(value)}`);
    for (const command of one.windows?.commands ?? []) lines.push(`${indent}> ${windowsCommandLine(command)}`);
    for (const { pass, component, settings } of one.windows?.answers ?? []) lines.push(`${indent}answer file, ${pass}, ${component}: ${Object.entries(settings).map(([name, value]) => (typeof value === "string" ? `${name} = ${JSON.stringify(value)}` : name)).join(", ")}`);
    for (const { objectId, kind } of one.content) {
      const plan = states.get(objectId);
      const state = plan === undefined ? (withStates ? "not on the media's plan" : "") : `${plan.state}${plan.state === "hit" ? "" : `, ${bytes(plan.bytes + plan.described)} to fetch`}`;
      lines.push(`${indent}${kind} ${objectId}${plan === undefined ? "" : ` ${plan.name}`}${state === "" ? "" : `: ${state}`}`);
    }
  }
  if (all) lines.push("", "Variables at the end:", ...variables.map((one) => `  ${one.name} ${explanationText(one)}`));
  if (notDescribed.length > 0) lines.push("", `Not described, so taken as not there: ${notDescribed.join(", ")}`);
  return [...lines, "", `The sequence would have ${outcome === "succeeded" ? "succeeded" : "failed"}.`].join("\n");
}
