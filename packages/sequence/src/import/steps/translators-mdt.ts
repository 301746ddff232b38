import type { Condition } from "../../schema.ts";
import type { XmlElement } from "../../read-xml.ts";
import type { SourceNode } from "../source-sequence.ts";
import { noticeOf } from "./restart-notice.ts";
import { one } from "../translation.ts";
import type { TranslatedStep, Translation, TranslationContext, Translator } from "../translation.ts";

const phases: Readonly<Record<string, string>> = { VALIDATION: "STATECAPTURE", STATECAPTURE: "PREINSTALL", PREINSTALL: "INSTALL", INSTALL: "POSTINSTALL", POSTINSTALL: "STATERESTORE", STATERESTORE: "" };

/** ZTINextPhase: sets PHASE to what follows the phase of the group it stands in. */
export const nextPhase: Translator = (context) => {
  const now = context.groups.flatMap((group) => phasesOf(group.condition)).at(-1);
  if (now === undefined && !context.variablesUsed.has("phase")) return { notNeeded: "nothing in the sequence asks for the phase" };
  const next = now === undefined ? undefined : phases[now];
  if (next === undefined) return { disabled: "the phase it goes on from is not said by a group around it" };
  return one("set-variable", { name: "PHASE", value: next });
};

/** Where MDT is in a phase, whether in Windows PE: there from PREINSTALL until the new system starts; it captures in the system that is replaced. Validation may be in either. */
const places: Readonly<Record<string, boolean>> = { STATECAPTURE: false, PREINSTALL: true, INSTALL: true, POSTINSTALL: true, STATERESTORE: false };

/** A group of one phase runs in one place, which its condition does not say. */
export function placeOfPhase(condition: XmlElement | undefined, translated: Condition | undefined): Condition | undefined {
  const inBootEnvironment = places[phasesOf(condition).at(-1) ?? ""];
  if (inBootEnvironment === undefined || translated === undefined) return translated;
  return { all: [...("all" in translated ? translated.all : [translated]), { variable: "_SMSTSInWinPE", equals: String(inBootEnvironment) }] };
}

/** Whether a step stands where MDT captures what a computer has before it is replaced or set up anew. */
export function isInStateCapture(groups: TranslationContext["groups"]): boolean {
  return groups.flatMap((group) => phasesOf(group.condition)).at(-1) === "STATECAPTURE";
}

/** Whether a step stands where MDT runs in Windows PE for certain. */
export function isInWindowsPe(context: Pick<TranslationContext, "groups">): boolean {
  return places[context.groups.flatMap((group) => phasesOf(group.condition)).at(-1) ?? ""] === true;
}

/** The first phase that an enabled group asks for. */
export function firstPhase(nodes: readonly SourceNode[]): string | undefined {
  for (const node of nodes) {
    const found = node.disabled ? undefined : (phasesOf(node.condition)[0] ?? firstPhase(node.children));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The phases a condition asks for. */
function phasesOf(element: XmlElement | undefined): string[] {
  if (element === undefined) return [];
  if (element.name !== "expression") return element.children.flatMap(phasesOf);
  const texts = element.children.map((variable) => variable.text.trim().toUpperCase());
  const phase = texts.find((text) => Object.hasOwn(phases, text));
  return texts.includes("PHASE") && texts.includes("EQUALS") && phase !== undefined ? [phase] : [];
}

/** What ZTIGather finds out; named so that a sequence which uses one we do not set is told so. */
const gathered = /^(HostName|Make|Model|Product|SerialNumber|AssetTag|UUID|Memory|Architecture|ProcessorSpeed|CapableArchitecture|Is(Laptop|Desktop|Server|UEFI|VM|OnBattery|HypervisorRunning|ServerOS|ServerCoreOS)|VMPlatform|Supports(X86|X64|64Bit|NX|SSE2|VT|SLAT|HyperVRole)|OSVersion|OSCurrentVersion|OSCurrentBuild|OSSKU|DefaultGateway\d*|IPAddress\d*|MacAddress\d*|HALName|OSArchitecture)$/i;
const set = new Map<string, string>([["make", "_SMSTSMake"], ["model", "_SMSTSModel"], ["serialnumber", "_SMSTSSerialNumber"], ["assettag", "_SMSTSAssetTag"], ["uuid", "_SMSTSUUID"]]);
/** Those with two values, and what the first of them asks for. */
const yesNo: readonly [string, Condition][] = [["IsUEFI", { hardware: "firmware", equals: "uefi" }], ["IsVM", { hardware: "virtual", equals: "true" }]];

/** ZTIGather, local: finds the computer out and sets MDT's names for it, those that the sequence uses. */
export const gather: Translator = (context) => {
  if (!/^(true|yes|1)$/i.test(context.take("GatherLocalOnly") || "true") && context.take("RulesFile") !== "" && !/^CustomSettings\.ini$/i.test(context.take("RulesFile"))) {
    return { disabled: `it processes the rules of ${context.take("RulesFile")}` };
  }
  context.ignore(/^RulesFile$/i);
  const used = [...context.variablesUsed].filter((name) => gathered.test(name));
  const unknown = used.filter((name) => !set.has(name) && !yesNo.some(([known]) => known.toLowerCase() === name));
  if (unknown.length > 0) return { disabled: `the sequence uses what is not found out here: ${unknown.join(", ")}` };
  const steps: TranslatedStep[] = [{ type: "set-dynamic-variables", name: "What the computer is" }];
  for (const name of used) {
    const ours = set.get(name);
    if (ours !== undefined) steps.push({ type: "set-variable", name, with: { name, value: `%${ours}%` }, when: { variable: ours, exists: true } });
  }
  for (const [name, condition] of yesNo) {
    if (!used.includes(name.toLowerCase())) continue;
    steps.push({ type: "set-variable", name: `${name}: yes`, with: { name, value: "True" }, when: condition }, { type: "set-variable", name: `${name}: no`, with: { name, value: "False" }, when: { none: [condition] } });
  }
  return { steps, notes: [used.length === 0 ? "the sequence uses none of the variables it sets" : `of the variables it sets, those the sequence uses: ${used.join(", ")}`] };
};

/** ZTIValidate: memory, speed and room for the image. The kind of system is asked only where one is there already. */
export const validate: Translator = (context) => {
  const number = (property: string) => (/^\d{1,9}$/.test(context.take(property)) ? Number(context.take(property)) : 0);
  const disk = number("ImageSize");
  context.ignore(/^VerifyOS$/i);
  return one("check-readiness", { memoryMiB: number("ImageMemory"), processorMHz: number("ImageProcessorSpeed"), ...(disk > 0 && { diskMiB: disk }) }, context.take("VerifyOS") === "" ? undefined : `VerifyOS ${context.take("VerifyOS")} concerns a system that is replaced, not a new computer`);
};

/** LTIApply: the image of the step's OSGUID, or of the sequence's. */
export const installOs: Translator = (context) => {
  context.restart.next = "installed";
  const guid = context.take("OSGUID") || context.sequence.globals.find((one) => one.name === "OSGUID")?.value || "";
  context.ignore(/^Destination/i);
  return guid === "" ? { disabled: "no operating system is named" } : one("apply-os-image", { osImage: context.reference("os-image", guid), index: context.share.imageIndexes.get(guid.toLowerCase()) ?? 1 }, "it goes onto the staged disk's data volume; the answer file is a matter of the Configure step");
};

/** MDT restarts into Windows PE where it has put that onto the disk, else into what is installed; the target it writes is always WinPE. */
export const restartOfMdt: Translator = (context) => {
  const notice = noticeOf(context.take("Message"), context.take("MessageTimeout"));
  context.ignore(/^Target$/i);
  const to = context.restart.next;
  context.restart.next = "installed";
  return one("restart", { to, ...notice }, `into ${to === "installed" ? "the installed system" : "the boot environment"}: MDT itself decides so by what it has applied`);
};

/** LTIApply /PE puts Windows PE onto the disk; here the boot environment lies there already. */
export const applyPe: Translator = (context) => {
  context.restart.next = "environment";
  return { notNeeded: "the boot environment stays on the disk" };
};

/** ZTIApplications with one application; without, it installs what the wizard or the rules chose. */
export const installApplicationOfMdt: Translator = (context): Translation => {
  const guid = context.take("ApplicationGUID");
  const codes = context.take("ApplicationSuccessCodes").split(/[\s,]+/).filter((code) => !["", "0", "3010"].includes(code));
  if (guid === "") return listOfMdt(context);
  const { applications } = context.share;
  const { found, left } = inOrder(guid, applications);
  const off = found.filter((id) => applications.get(id.toLowerCase())?.enabled === false);
  const all = found.filter((id) => !off.includes(id) && applications.get(id.toLowerCase())?.command !== "");
  if (off.includes(guid)) return { disabled: "the application is off in the share, where it is not installed either" };
  if (all.length === 0) return { disabled: "the application has no command of its own" };
  const packages = all.some((id) => applications.get(id.toLowerCase())?.detection === undefined);
  return {
    steps: all.map((id) => installStep(context, id)),
    notes: [
      ...(packages ? ["what has no uninstall key is imported as a package, and is run each time"] : []),
      ...(off.length > 0 ? [`left out, for it is off in the share: ${off.map((id) => applications.get(id.toLowerCase())?.name ?? id).join(", ")}`] : []),
      ...(left.length > 0 ? [`left out, for it depends on more than ${mostDependencies} others: ${left.slice(0, 10).map((id) => applications.get(id.toLowerCase())?.name ?? id).join(", ")}${left.length > 10 ? ` and ${left.length - 10} more` : ""}, with what these depend on; install them in a step before it`] : []),
      ...(codes.length > 0 ? [`not carried over: the success codes ${codes.join(", ").slice(0, 100)}, which belong to the application or program itself`] : []),
    ],
    windowsCommand: true,
  };
};

/** One with an uninstall key is an application, which is left alone where it is there; else a package's program. */
function installStep(context: TranslationContext, id: string): TranslatedStep {
  const known = context.share.applications.get(id.toLowerCase());
  if (known?.detection !== undefined) return { type: "install-application", ...(known.name !== "" && { name: known.name }), with: { application: context.reference("application", id) } };
  return { type: "install-package", ...(known !== undefined && known.name !== "" && { name: known.name }), with: { package: context.reference("package", id), program: "Install", ...(known?.restart === true && { restartCodes: [0, 3010] }) }, ...(known?.platform !== undefined && { when: known.platform }) };
}

/** Those that the wizard or the rules chose: MandatoryApplications001 and so on, then Applications001. */
function listOfMdt({ share }: TranslationContext): Translation {
  const list = (baseVariable: string) => ({ type: "install-package", name: baseVariable, with: { baseVariable }, when: { variable: `${baseVariable}001`, exists: true as const } });
  return { steps: [list("MandatoryApplications"), list("Applications")], notes: ["applications are imported as packages: where a rule or a device names one by its GUID, write ID:Install, such as ABC00005:Install; nobody is asked to choose", ...([...share.applications.values()].some((one) => one.detection !== undefined) ? ["those with an uninstall key are applications: name them in an install-application step instead"] : [])], windowsCommand: true };
}

const mostDependencies = 200;

/** What an application depends on, first, each once, and what was left because it is too much; a circle is left where it closes. */
function inOrder(guid: string, applications: TranslationContext["share"]["applications"]): { found: string[]; left: string[] } {
  const seen = new Set<string>();
  const found: string[] = [];
  const left = new Map<string, string>();
  const add = (id: string): void => {
    const key = id.toLowerCase();
    if (seen.has(key)) return;
    if (seen.size > mostDependencies) return void left.set(key, id);
    seen.add(key);
    applications.get(key)?.dependencies.forEach(add);
    found.push(id);
  };
  add(guid);
  return { found, left: [...left.values()] };
}
