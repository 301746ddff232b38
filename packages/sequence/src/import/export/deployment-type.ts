import { attributeOf, childOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { argumentOf, codesOf, readDigest, wholeArgument, within } from "./application-digest.ts";
import type { DeploymentType } from "./application-digest.ts";
import { detectionScriptCommand } from "./detection-script.ts";
import type { ScriptLanguage } from "./detection-script.ts";
import { productCodeDetection, translateEnhancedDetection } from "./enhanced-detection.ts";
import { withoutVersion } from "./exported-object.ts";
import type { ExportedApplication, SourceDetection } from "./exported-object.ts";
import { redact } from "../redact.ts";
import { requirementsOf } from "./required-systems.ts";
import { pathBelow } from "../share/share-applications.ts";

/** What a deployment type is here; `content`: the ids of its content. */
export type TranslatedDeploymentType = { application: ExportedApplication; content: string[]; notes: string[]; only32Bit: boolean } | { refused: string };

/** Windows Installer's codes, which the agent knows by itself: a restart is wanted, has begun; another installation is in progress. */
const [restartRequired, restartBegun, busy] = [3010, 1641, 1618];
const longestCommand = 3500;

export function translateDeploymentType({ element, installer, technology }: DeploymentType): TranslatedDeploymentType {
  const install = childOf(installer, "InstallAction");
  const custom = childOf(installer, "CustomData");
  const asSystem = !/^User$/i.test(argumentOf(install, "ExecutionContext") || textOf(installer, "ExecutionContext"));
  if (!/^(Script|MSI)$/i.test(technology)) return { refused: `it is of the kind ${technology.slice(0, 60) || "that it does not say"}, and only scripts and MSI files are installed here` };
  if (!asSystem) return { refused: "it is installed for a user, and the steps of a sequence run as the system" };
  const command = argumentOf(install, "InstallCommandLine") || textOf(custom, "InstallCommandLine");
  if (command === "") return { refused: "it has no command that installs it" };
  const remove = uninstallCommandOf(installer);
  if (redact(command).found || redact(remove).found) return { refused: "a password stands in its command line: import it by hand (prestage application import) without" };
  if (command.length > longestCommand || remove.length > longestCommand) return { refused: "its command line is too long" };
  const detection = detectionOf(installer);
  if ("refused" in detection) return detection;
  const notes: string[] = [...detection.notes];
  const codes = exitCodesOf(install, custom, notes);
  const requirements = requirementsOf(element);
  const narrow = isTrue(argumentOf(install, "RunAs32Bit"));
  if (narrow && [command, remove].some((line) => /"[^"]*[&|<>^][^"]*"/.test(line))) return { refused: "its command runs as a 32-bit program, with signs between quotation marks that a shell within a shell would read" };
  if (narrow) notes.push("its commands run as 32-bit programs, as there");
  const at = (line: string, place: string) => as32Bit(inFolder(line, place, notes), narrow);
  const installCommand = at(command, argumentOf(install, "WorkingDirectory") || textOf(custom, "InstallFolder"));
  const uninstallCommand = remove === "" ? undefined : at(remove, argumentOf(childOf(installer, "UninstallAction"), "WorkingDirectory") || textOf(custom, "UninstallFolder"));
  const relations = relationsOf(element, notes);
  const content = contentsOf(installer, install);
  if (content.length > 1) notes.push("its other content is left out: an application has one folder here");
  if (isTrue(argumentOf(install, "RequiresLogOn"))) notes.push("there it is installed while a user is logged on; here nobody is");
  if (/^Any$/i.test(argumentOf(install, "ExecutionContext"))) notes.push("installed for the system; for users there, where it is deployed to users");
  if (isTrue(argumentOf(install, "RequiresUserInteraction"))) notes.push("it lets the user see and answer its installation, and nobody can here: have its command ask nothing");
  const minutes = Number(argumentOf(install, "MaxExecuteTime") || textOf(custom, "MaxExecuteTime"));
  if (minutes > 0 && minutes !== 120) notes.push(`there it has ${minutes} minutes; here a step's timeoutSeconds says so`);
  return {
    content: content.slice(0, 1), notes: [...notes, ...requirements.notes], only32Bit: requirements.only32Bit,
    application: {
      installCommand, ...(uninstallCommand !== undefined && { uninstallCommand }),
      detection: detection.rules, ...codes, ...(requirements.condition !== undefined && { requirement: requirements.condition }), ...relations,
    },
  };
}

function isTrue(text: string): boolean {
  return text.toLowerCase() === "true";
}

export function uninstallCommandOf(installer: XmlElement | undefined): string {
  return argumentOf(childOf(installer, "UninstallAction"), "InstallCommandLine") || textOf(childOf(installer, "CustomData"), "UninstallCommandLine");
}

/** "Installation start in": a folder of its files is gone to. */
function inFolder(command: string, place: string, notes: string[]): string {
  if (place === "" || /^\.?[\\/]?$/.test(place)) return command;
  const folder = pathBelow(place);
  if (folder !== undefined && !/["%]/.test(folder)) return `cd /d "${folder.replaceAll("/", "\\")}" && ${command}`;
  notes.push(`it runs in the folder of its files, not in ${redact(place).text.slice(0, 200)}`);
  return command;
}

/** What a 32-bit shell starts from the system's folder is the 32-bit program; `/s` takes the outer quotation marks off and leaves the rest. */
function as32Bit(command: string, narrow: boolean): string {
  return narrow ? `%SystemRoot%\\SysWOW64\\cmd.exe /d /s /c "${command}"` : command;
}

/** The folder of content that its installation takes, and others it names. */
function contentsOf(installer: XmlElement | undefined, install: XmlElement | undefined): string[] {
  const ids = (element: XmlElement | undefined) => childrenOf(childOf(element, "Contents"), "Content").map((one) => attributeOf(one, "ContentId")).filter((id) => /^[A-Za-z0-9_-]{1,100}$/.test(id));
  return [...new Set([...ids(install), ...ids(installer)])];
}

/** How it is found to be installed: by the rules of an enhanced detection method, a script, or the product code of its MSI. */
function detectionOf(installer: XmlElement | undefined): { rules: SourceDetection[]; notes: string[] } | { refused: string } {
  const custom = childOf(installer, "CustomData");
  const detect = childOf(installer, "DetectAction");
  const provider = textOf(custom, "DetectionMethod") || textOf(detect, "Provider");
  const found = (rules: SourceDetection[] | { refused: string }, ...notes: string[]) => ("refused" in rules ? rules : { rules, notes });
  switch (provider.toLowerCase()) {
    case "enhanced":
    case "local": {
      const method = childOf(custom, "EnhancedDetectionMethod") ?? readDigest(wholeArgument(detect, "MethodBody"))?.root;
      return method === undefined ? { refused: "how it is detected cannot be read" } : found(translateEnhancedDetection(method, true));
    }
    case "productcode":
    case "msi":
      return found(productCodeDetection(textOf(custom, "ProductCode") || argumentOf(detect, "ProductCode")), "found by its MSI's product code, among 64-bit and 32-bit programs");
    case "script":
      return scriptDetection(custom, detect);
    default:
      return { refused: `how it is detected cannot be said here: by ${provider.slice(0, 60) || "nothing"}` };
  }
}

const languages: Readonly<Record<string, ScriptLanguage>> = { powershell: "PowerShell", vbscript: "VBScript", jscript: "JScript", "0": "PowerShell", "1": "VBScript", "2": "JScript" };

function scriptDetection(custom: XmlElement | undefined, detect: XmlElement | undefined): { rules: SourceDetection[]; notes: string[] } | { refused: string } {
  const own = childOf(custom, "DetectionScript");
  const script = (own?.text ?? wholeArgument(detect, "ScriptBody")).trim();
  const language = languages[(own === undefined ? argumentOf(detect, "ScriptType") : attributeOf(own, "Language")).toLowerCase()];
  if (script === "" || language === undefined) return { refused: "its detection script is none of PowerShell, VBScript or JScript" };
  if (redact(script).found) return { refused: "a password stands in its detection script" };
  const command = detectionScriptCommand(script, language, isTrue(argumentOf(detect, "RunAs32Bit")));
  if (command === undefined) return { refused: "its detection script is too long for a rule: have a shorter one, or rules" };
  return { rules: [{ type: "command", command }], notes: [`found by its own ${language} script, as there where it ends with 0 and prints something; the rule holds it compressed${language === "PowerShell" ? "" : ", and Windows has to have its script host"}`] };
}

/** Classes of exit codes; where the list of them is missing, the installer's own four lists. */
function exitCodesOf(install: XmlElement | undefined, custom: XmlElement | undefined, notes: string[]): { successCodes: number[]; restartCodes: number[] } {
  const listed = childrenOf(childOf(custom, "ExitCodes"), "ExitCode").map((one) => ({ code: Number(attributeOf(one, "Code")), kind: attributeOf(one, "Class").toLowerCase() })).filter(({ code }) => Number.isInteger(code));
  const of = (kind: string, argument: string) => (listed.length > 0 ? listed.filter((one) => one.kind === kind).map((one) => one.code) : codesOf(install, argument));
  const success = of("success", "SuccessExitCodes");
  const restart = [...of("softreboot", "RebootExitCodes"), ...of("hardreboot", "HardRebootExitCodes")];
  const again = of("fastretry", "FastRetryExitCodes").filter((code) => code !== busy);
  if (again.length > 0) notes.push(`not carried over: it is tried again after ${again.slice(0, 10).join(", ")}; here after ${busy}, and as often as the step says (retries)`);
  const zero = success.includes(0) || success.length + restart.length === 0 || restart.includes(0);
  if (!zero) notes.push("0 is a success here, whatever its list says");
  const behavior = argumentOf(install, "PostInstallBehavior").toLowerCase();
  const bounded = (codes: readonly number[]) => [...new Set(codes)].slice(0, 64);
  if (behavior === "forcereboot") notes.push("the computer is restarted after it, as there");
  if (behavior === "programreboot") notes.push("its installation may restart the computer itself; here it is looked for, and installed again if need be, after such a restart");
  if (behavior === "forcereboot") return { successCodes: [], restartCodes: bounded([0, ...success, ...restart]) };
  if (behavior === "noaction") return { successCodes: bounded([0, ...success, ...restart, restartRequired, restartBegun]), restartCodes: [] };
  return { successCodes: bounded([0, ...success]), restartCodes: bounded(restart) };
}

/** What it depends on and what it supersedes, by ids of applications. */
function relationsOf(element: XmlElement, notes: string[]): { dependencies: string[][]; supersedes: string[] } {
  const intents = (rule: XmlElement) => within(rule, "DeploymentTypeIntentExpression").flatMap((one) => {
    const reference = childOf(one, "DeploymentTypeApplicationReference");
    const id = reference === undefined ? "" : withoutVersion(`${attributeOf(reference, "AuthoringScopeId")}/${attributeOf(reference, "LogicalName")}`).toLowerCase();
    return id.length < 3 ? [] : [{ id, enforced: !/^false$/i.test(attributeOf(one, "EnforceDesiredState")), unwanted: !/^Required$/i.test(attributeOf(one, "DesiredState")) }];
  });
  const rules = (name: string) => childrenOf(childOf(element, name), "DeploymentTypeRule");
  const groups = rules("Dependencies").map(intents).filter((group) => group.length > 0);
  if (groups.some((group) => group.length > 1)) notes.push("where it depends on one of several applications, the first that is imported is installed before it");
  if (groups.some((group) => group.some((one) => !one.enforced))) notes.push("what it depends on is installed before it, also where it only has to be there already");
  const superseded = rules("Supersedes").flatMap(intents);
  const kept = superseded.filter((one) => !one.enforced);
  if (kept.length > 0) notes.push("it supersedes others without removing them, and is installed beside or over them, as there");
  const byAnd = (rule: XmlElement) => /^And$/i.test(textOf(childOf(rule, "DeploymentTypeExpression"), "Operator"));
  const dependencies = rules("Dependencies").flatMap((rule) => (byAnd(rule) ? intents(rule).map((one) => [one]) : [intents(rule)])).filter((group) => group.length > 0).map((group) => [...new Set(group.map((one) => one.id))]);
  return { dependencies, supersedes: [...new Set(superseded.filter((one) => one.enforced && one.unwanted).map((one) => one.id))] };
}
