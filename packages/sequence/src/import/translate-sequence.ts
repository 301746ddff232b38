import { placeSteps } from "../lint/place-steps.ts";
import type { StepInput } from "../schema.ts";
import { stepTypeOf } from "../steps/index.ts";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { isSecretName, redact } from "./redact.ts";
import type { SourceNode, SourceSequence } from "./source-sequence.ts";
import { nothing, reportOf } from "./import-report.ts";
import type { ImportLine, ImportReport } from "./import-report.ts";
import { moveBehindImage } from "./behind-image.ts";
import { setByMdt } from "./share/set-by-mdt.ts";
import { appendFirstStart, inInstalledSystem, needsASystem } from "./where-it-starts.ts";
import { moveToInstalled } from "./move-to-installed.ts";
import { placeOfPhase } from "./steps/translators-mdt.ts";
import { translatorOf } from "./steps/step-translators.ts";
import { described, nameOf, why } from "./describe-node.ts";
import { variablesUsed } from "./variables-used.ts";
import { translateCondition } from "./conditions/translate-condition.ts";
import type { ShareKnowledge, SourceReference, TranslatedStep, Translation, TranslationContext } from "./translation.ts";
import { writeSequenceYaml } from "./write-sequence-yaml.ts";

export interface ImportOptions {
  origin: "configmgr" | "mdt";
  /** In place of the source's own name. */
  name?: string;
  id?: string;
  /** Ids here by ids of the source, in lower case. */
  mapping?: ReadonlyMap<string, string>;
  share?: ShareKnowledge;
  /** What objects of the source are called, by id in lower case. */
  names?: ReadonlyMap<string, string>;
  /** Steps put before the source's own: rules of a deployment share. */
  before?: readonly StepInput[];
}

export interface ImportedSequence { name: string; yaml: string; report: ImportReport; references: SourceReference[] }

/** A step of ours with its line of the report; `step` is changed in place when it turns out not to be runnable where it stands. */
interface Placed { node: SourceNode; line: ImportLine; step: StepInput; windowsCommand: boolean; inInstalled?: boolean; behindImage?: boolean }

/** Translates a task sequence. What cannot be translated is kept as a disabled step that says why; nothing is left out. */
export function importSequence(source: SourceSequence, options: ImportOptions): ImportedSequence {
  const name = redact(options.name ?? source.name).text.trim().slice(0, 256) || "Imported task sequence";
  const work = new Work(source, options);
  const own = work.nodes(source.nodes, [], true);
  const steps = [...work.before, ...(needsASystem(source.nodes) ? inInstalledSystem(own, work.windowsCommands()) : own)];
  if (steps.length === 0) steps.push({ id: "empty", name: "Nothing", type: "group", steps: [], description: "The source has no steps." });
  work.layBehindImage(steps);
  work.refuseWhereNothingRuns(steps);
  const sequence = { ...(options.id !== undefined && { id: options.id }), name, ...(source.description !== "" && { description: redact(source.description).text.slice(0, 1000) }), steps };
  const yaml = writeSequenceYaml(sequence, new Map(work.placed.map(({ step, line }) => [step.id, line])));
  parseTaskSequenceYaml(yaml);
  const lines = [...work.lines, ...work.globals()];
  return { name, yaml, report: reportOf(lines), references: [...work.references.values()] };
}

const inInstalled: ReadonlySet<"environment" | "installed"> = new Set(["installed"]);

/** Adds to a step's condition that it is the installed system that runs it. */
function onlyInInstalled(step: StepInput): void {
  const terms = step.when === undefined ? [] : "all" in step.when ? step.when.all : [step.when];
  step.when = { all: [...terms, { variable: "_SMSTSInWinPE", equals: "false" }] };
}

const objectId = /^[A-Z0-9]{3}[0-9A-F]{5}$/;

class Work {
  readonly lines: ImportLine[] = [];
  readonly placed: Placed[] = [];
  readonly references = new Map<string, SourceReference>();
  readonly #source: SourceSequence;
  readonly #options: ImportOptions;
  readonly #ids = new Set<string>();
  /** Steps that the source has not, before its own. */
  readonly before: StepInput[];
  readonly #used: ReadonlySet<string>;
  readonly #restart: TranslationContext["restart"];

  constructor(source: SourceSequence, options: ImportOptions) {
    this.#source = source;
    this.#options = options;
    this.#used = variablesUsed(source);
    this.#restart = { next: needsASystem(source.nodes) ? "installed" : "environment" };
    this.before = [...(options.before ?? []), ...(options.origin === "mdt" ? setByMdt(source, this.#used) : [])];
    const reserve = (steps: readonly StepInput[]): void => steps.forEach((one) => {
      this.#ids.add(one.id);
      reserve(one.steps ?? []);
    });
    reserve(this.before);
  }

  nodes(nodes: readonly SourceNode[], groups: readonly SourceNode[], enabled: boolean): StepInput[] {
    return nodes.map((node) => (node.kind === "group" ? this.#group(node, groups, enabled) : this.#step(node, groups, enabled)));
  }

  #group(node: SourceNode, groups: readonly SourceNode[], enabled: boolean): StepInput {
    const condition = translateCondition(node.condition);
    const refused = "refused" in condition ? condition.refused : undefined;
    const translated = "condition" in condition ? condition.condition : undefined;
    const when = this.#options.origin === "mdt" ? placeOfPhase(node.condition, translated) : translated;
    const line = this.#line(node, "group", groups, enabled && !node.disabled);
    line.status = refused === undefined ? "translated" : "disabled";
    line.to = "group";
    if (refused !== undefined) line.notes.push(`${refused}; what is in it is disabled with it`);
    const step: StepInput = {
      id: this.#id(node.name), name: nameOf(node), type: "group", ...described(refused === undefined ? node.description : why(node, refused)),
      ...(when !== undefined && { when }), ...(node.continueOnError && { continueOnError: true }),
      ...((node.disabled || refused !== undefined) && { disabled: true }), steps: [],
    };
    const from = this.placed.length;
    step.steps = this.nodes(node.children, [...groups, node], enabled && !node.disabled);
    this.placed.splice(from, 0, { node, line, step, windowsCommand: false });
    if (refused !== undefined) for (const inside of this.placed.slice(from + 1)) if (inside.line.kind === "step") this.#disable(inside, "the condition of the group around it cannot be translated");
    return step;
  }

  #step(node: SourceNode, groups: readonly SourceNode[], enabled: boolean): StepInput {
    const line = this.#line(node, "step", groups, enabled && !node.disabled);
    const { key, translator } = translatorOf(node.type, node.action, this.#options.origin);
    line.type = node.type === "" || /RunCommandLine/.test(node.type) ? key : node.type;
    const condition = translateCondition(node.condition);
    const taken = new Set<string>();
    const ignored: RegExp[] = [];
    const translation = translator(this.#context(node, groups, taken, ignored));
    const common = {
      id: this.#id(node.name), name: nameOf(node), ...(node.continueOnError && { continueOnError: true }), ...("condition" in condition && condition.condition !== undefined && { when: condition.condition }),
    };
    if ("notNeeded" in translation && !("refused" in condition)) return this.#notNeeded(node, line, { ...common, type: "run-command-line", with: { command: "false" }, disabled: true }, translation.notNeeded);
    const refusal = "disabled" in translation ? translation.disabled : "refused" in condition ? condition.refused : undefined;
    const step: StepInput = refusal === undefined && "steps" in translation ? { ...common, ...this.#of(node, translation) } : { ...common, type: "run-command-line", with: { command: "false" }, disabled: true };
    const placed: Placed = { node, line, step, windowsCommand: "windowsCommand" in translation && translation.windowsCommand === true, inInstalled: "inInstalled" in translation && translation.inInstalled === true, behindImage: "behindImage" in translation && translation.behindImage === true };
    this.placed.push(placed);
    if (refusal !== undefined) {
      this.#disable(placed, refusal);
      return step;
    }
    const left = this.#leftOver(node, taken, ignored);
    line.notes.push(...("notes" in translation ? translation.notes : []), ...(left.length > 0 ? [`not carried over: ${left.join(", ")}`] : []), ...this.#missing(step));
    line.status = line.notes.length > 0 ? "withNote" : "translated";
    line.to = step.type;
    return step;
  }

  /** Its place in the sequence is kept, with what stands for it. */
  #notNeeded(node: SourceNode, line: ImportLine, step: StepInput, how: string): StepInput {
    const note = `not needed: ${how}`;
    line.status = "withNote";
    line.to = nothing;
    line.notes = [note];
    return { ...step, description: why(node, note).replace(/^Not translated: not/, "Not") };
  }

  /** A step, or a group of several, with what every step has. */
  #of(node: SourceNode, translation: Extract<Translation, { steps: unknown }>): Omit<StepInput, "id" | "name"> {
    const limit = node.timeoutSeconds === undefined ? undefined : Math.min(1440, Math.max(1, Math.ceil(node.timeoutSeconds / 60)));
    const of = (one: TranslatedStep) => ({
      type: one.type, ...(one.with !== undefined && { with: one.with }), ...(node.retries > 0 && { retry: { times: node.retries } }), ...(limit !== undefined && { timeLimitMinutes: limit }),
    });
    const disabled = { ...described(node.description), ...(node.disabled && { disabled: true }) };
    const [only] = translation.steps;
    if (translation.steps.length === 1 && only !== undefined && only.when === undefined) return { ...disabled, ...of(only) };
    return { ...disabled, type: "group", steps: translation.steps.map((one) => ({ id: this.#id(`${node.name} ${one.name ?? one.type}`), name: (one.name ?? nameOf(node)).slice(0, 256), ...of(one), ...(one.when !== undefined && { when: one.when }) })) };
  }

  #context(node: SourceNode, groups: readonly SourceNode[], taken: Set<string>, ignored: RegExp[]): TranslationContext {
    const byProperty = (property: string) => node.settings.find((one) => one.property.toLowerCase() === property.toLowerCase()) ?? node.settings.find((one) => one.name.toLowerCase() === property.toLowerCase());
    return {
      node, groups, sequence: this.#source, origin: this.#options.origin, variablesUsed: this.#used, share: this.#options.share ?? { imageIndexes: new Map(), applications: new Map() },
      take(property) {
        const found = byProperty(property);
        if (found !== undefined) taken.add(found.property);
        return found?.value ?? "";
      },
      ignore: (...properties) => void ignored.push(...properties),
      reference: (kind, id) => this.#reference(kind, id),
      folderOfShare: (path) => this.#reference("package", path, true),
      restart: this.#restart,
    };
  }

  #reference(kind: SourceReference["kind"], sourceId: string, folder = false): string {
    const key = sourceId.toLowerCase();
    // An id over there has the form of ours, and may be another object's here.
    const name = this.#options.names?.get(key) ?? (objectId.test(sourceId) ? `configmgr ${sourceId}` : sourceId);
    this.references.set(`${kind} ${key}`, { kind, sourceId, name, ...(folder && { folder: true }) });
    return this.#options.mapping?.get(key) ?? `{${name.replace(/[{}%]/g, "")}}`;
  }

  /** Placeholders that are still in a step's settings. */
  #missing(step: StepInput): string[] {
    const found = [...JSON.stringify([step.with ?? {}, (step.steps ?? []).map((one) => one.with ?? {})]).matchAll(/"\{((?:[^"\\]|\\.)+)\}"/g)].map((match) => match[1] ?? "").filter((name) => !objectId.test(name));
    return found.length === 0 ? [] : [`needs its content: ${[...new Set(found)].join(", ")}`];
  }

  /** Settings with a value that no translator took, by name alone: a value may be a password. */
  #leftOver(node: SourceNode, taken: ReadonlySet<string>, ignored: readonly RegExp[]): string[] {
    const nothing = /^(|false|0)$/i;
    return node.settings.filter((one) => !taken.has(one.property) && !nothing.test(one.value) && !ignored.some((pattern) => pattern.test(one.property) || pattern.test(one.name))).map((one) => (isSecretName(one.property) ? `${one.property} (left out)` : one.property));
  }

  #disable({ node, line, step }: Placed, reason: string): void {
    line.status = "disabled";
    line.to = "disabled step";
    line.notes = [reason];
    step.type = "run-command-line";
    step.with = { command: "false" };
    delete step.steps;
    delete step.retry;
    delete step.timeLimitMinutes;
    step.description = why(node, reason);
    step.disabled = true;
  }

  /** Of steps that are commands of Windows, and of those within a group that one of them has become. */
  windowsCommands(): Set<string> {
    return new Set(this.placed.filter((one) => one.windowsCommand && one.line.status !== "disabled").flatMap(({ step }) => [step.id, ...(step.steps ?? []).map((inner) => inner.id)]));
  }

  /** In their order; where there is no place, the step is kept disabled. */
  layBehindImage(steps: StepInput[]): void {
    let after: string | undefined;
    for (const placed of this.placed.filter((one) => one.behindImage === true && !one.node.disabled && one.line.status !== "disabled" && one.line.enabled)) {
      if (!moveBehindImage(steps, placed.step.id, after)) {
        this.#disable(placed, "it stands before the image, which deletes what it lays: put a step of its kind behind the image");
        continue;
      }
      after = placed.step.id;
      placed.line.status = "withNote";
      placed.line.notes.push("moved behind the image, which deletes what lies on the disk before it");
    }
  }

  /**
   * A step is translated only where it can run: in the boot environment, which is Linux, or in an installed Windows. Refusing a restart moves
   * the steps after it, so this goes on until nothing changes.
   */
  refuseWhereNothingRuns(steps: StepInput[]): void {
    const moved = new Set<string>();
    for (let changed = true; changed; ) {
      changed = false;
      const places = new Map(placeSteps(steps as Parameters<typeof placeSteps>[0]).map((one) => [one.step.id, one.environments]));
      for (const placed of this.placed) {
        const { step, line } = placed;
        if (line.kind !== "step" || line.status === "disabled") continue;
        const all = step.type === "group" && step.steps !== undefined ? step.steps : [step];
        const reason = all.map((one) => this.#cannotRun(one, places.get(one.id), placed.windowsCommand)).find((one) => one !== undefined);
        if (reason === undefined) continue;
        if (placed.inInstalled === true && !placed.node.disabled && !moved.has(step.id) && (moveToInstalled(steps, step.id, moved) || (appendFirstStart(steps) && moveToInstalled(steps, step.id, moved)))) {
          line.status = "withNote";
          line.notes.push("moved behind the first start of the new system: the boot environment is Linux");
          changed = true;
          break;
        }
        changed = true;
        if (all.every((one) => places.get(one.id)?.size === 2 && this.#cannotRun(one, inInstalled, placed.windowsCommand) === undefined)) {
          onlyInInstalled(step);
          line.status = "withNote";
          line.notes.push("in the installed system alone: the sequence may come here in the boot environment as well");
          continue;
        }
        this.#disable(placed, reason);
      }
    }
  }

  #cannotRun(step: StepInput, environments: ReadonlySet<"environment" | "installed"> | undefined, windowsCommand: boolean): string | undefined {
    const definition = stepTypeOf(step.type);
    if (definition === undefined) return `there is no step ${step.type}`;
    const inWindows = windowsCommand || environments === undefined || environments.has("installed");
    if (!definition.platforms.includes("windows") || (inWindows && !definition.environmentsOnWindows.includes("installed"))) return `${step.type} does not run in Windows yet`;
    if (windowsCommand && environments?.has("environment") === true) return "it is a command of Windows, and the boot environment is Linux";
    if (environments !== undefined && ![...environments].every((one) => definition.environments.includes(one as "environment"))) return `${step.type} does not run ${[...environments].map((one) => (one === "installed" ? "in the installed system" : "in the boot environment")).join(" or ")}`;
    return undefined;
  }

  /** Variables of the sequence itself: the engine over there sets them before the first step. */
  globals(): ImportLine[] {
    return this.#source.globals.map((one) => ({ kind: "setting", name: one.name, path: ["globalVarList"], type: "variable", status: "withNote", enabled: true, to: "", notes: ["a setting of the editor's: the steps that need it have it"] }));
  }

  #line(node: SourceNode, kind: "step" | "group", groups: readonly SourceNode[], enabled: boolean): ImportLine {
    const line: ImportLine = { kind, name: redact(node.name).text, path: groups.map((group) => redact(group.name).text), type: kind === "group" ? "group" : node.type, status: "translated", enabled, to: "", notes: [] };
    this.lines.push(line);
    return line;
  }

  #id(name: string): string {
    const base = name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 100) || "step";
    let id = base;
    for (let count = 2; this.#ids.has(id); count++) id = `${base}-${count}`;
    this.#ids.add(id);
    return id;
  }
}
