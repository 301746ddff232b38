import type { StepInput } from "../../schema.ts";
import { checkSettable } from "../../variables.ts";
import { readIni } from "./read-ini.ts";
import type { IniSection } from "./read-ini.ts";
import { isSecretName, redact } from "../redact.ts";
import type { ImportLine } from "../import-report.ts";
import type { JsonSettings } from "../translation.ts";

/** Settings that mean nothing here, and why. */
const meaningless: readonly [RegExp, string][] = [
  [/^Skip|^PSDWizard|^(Home_page|HideShell|SkipBDDWelcome)$/i, "it is about a page of MDT's wizard; here a computer is unattended, or its screens are the media's"],
  [/^(DeployRoot|PSDDeployRoots|ResourceRoot|UserID|UserDomain|SubSection)$/i, "it says how a computer reaches the deployment share; here content lies on the disk and at distribution points"],
  [/^(TaskSequenceID)$/i, "which sequence runs is said by its deployment, or by SMSTSPreferredAdvertID on the media"],
  [/^(SLShare|SLShareDynamicLogging|EventService|Debug|LogPath)/i, "logs and messages go to the site"],
  [/^(OSInstall|DoNotCreateExtraPartition|FinishAction|DoCapture|ComputerBackupLocation|Backup(Share|Dir|File|Drive)|UserDataLocation)$/i, "it steers MDT's own scripts"],
  [/^KeyboardLocalePE$/i, "the keyboard of the boot environment is an option of the media"],
  [/^(SQLServer|Database|Table|Instance|Netlib|SQLShare|Parameters|ParameterCondition|StoredProcedure|WebService|Method|UserExit)$/i, "values of a database, a web service or a script are not looked up: put them on the devices at the site"],
];

/** What a rule of Set Dynamic Variables asks, for a value of one of MDT's properties. */
const lookups: Readonly<Record<string, (value: string) => JsonSettings | undefined>> = {
  make: (value) => ({ make: value, model: "*" }),
  model: (value) => ({ make: "*", model: value }),
  serialnumber: (value) => ({ computer: { serialNumber: value } }),
  assettag: (value) => ({ computer: { assetTag: value } }),
  uuid: (value) => (/^[0-9a-f-]{36}$/i.test(value) ? { computer: { uuid: value } } : undefined),
  macaddress: (value) => (/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(value) ? { computer: { macAddress: value } } : undefined),
};
/** Holds on every computer. */
const always: JsonSettings = { variable: { name: "_SMSTSPackageID", equals: "*" } };
const gathered: Readonly<Record<string, string>> = { make: "_SMSTSMake", model: "_SMSTSModel", serialnumber: "_SMSTSSerialNumber", assettag: "_SMSTSAssetTag", uuid: "_SMSTSUUID" };

export interface TranslatedRules { steps: StepInput[]; lines: ImportLine[] }

/**
 * The rules of a deployment share as one step that sets variables. MDT keeps the first value it finds, in the order of Priority; here later rules
 * win, so they stand in the opposite order, Bootstrap.ini's last because they were found first.
 */
export function translateRules(customSettings: string, bootstrap: string): TranslatedRules {
  const lines: ImportLine[] = [];
  const rules = [...rulesOf("CustomSettings.ini", readIni(customSettings), lines), ...rulesOf("Bootstrap.ini", readIni(bootstrap), lines)];
  if (rules.length === 0) return { steps: [], lines };
  const step: StepInput = { id: "share-rules", name: "Rules of the deployment share", description: "CustomSettings.ini and Bootstrap.ini; later rules win.", type: "set-dynamic-variables", with: { rules } };
  const needsFacts = Object.values(gathered).some((name) => JSON.stringify(rules).includes(`%${name}%`));
  return { steps: [...(needsFacts ? [{ id: "share-facts", name: "What the computer is", type: "set-dynamic-variables" }] : []), step], lines };
}

function rulesOf(file: string, sections: readonly IniSection[], lines: ImportLine[]): JsonSettings[] {
  const byName = new Map(sections.map((section) => [section.name.toLowerCase(), section]));
  const settings = byName.get("settings");
  const priority = (settings?.entries.find((one) => one.key.toLowerCase() === "priority")?.value ?? "Default").split(",").map((name) => name.trim()).filter((name) => name !== "");
  for (const { key } of settings?.entries ?? []) {
    const known = /^(Priority|Properties)$/i.test(key);
    lines.push(lineOf(file, "Settings", key, known ? "translated" : "disabled", known ? "order of the rules" : "", known ? [] : ["it steers MDT's own scripts"]));
  }
  const gateways = byName.get("defaultgateway");
  const claimed = new Set(["settings", ...priority.map((name) => name.toLowerCase()), ...(gateways?.entries.map((one) => one.value.toLowerCase()) ?? [])]);
  const unclaimed = sections.filter((section) => !claimed.has(section.name.toLowerCase()));
  const reached = new Set<IniSection>(settings === undefined ? [] : [settings]);
  const rules: JsonSettings[] = [];
  /** A section's settings once for each way to it; its lines once. */
  const add = (section: IniSection | undefined, asked: JsonSettings | undefined): void => {
    if (section === undefined || asked === undefined) return;
    const set = valuesOf(file, section, reached.has(section) ? [] : lines);
    reached.add(section);
    if (Object.keys(set).length > 0) rules.push({ ...asked, set });
  };
  for (const name of priority) {
    const key = name.toLowerCase();
    if (key === "defaultgateway") {
      if (gateways !== undefined) reached.add(gateways);
      for (const { key: gateway, value } of gateways?.entries ?? []) {
        lines.push(lineOf(file, "DefaultGateway", gateway, byName.has(value.toLowerCase()) ? "translated" : "disabled", "rule by location", byName.has(value.toLowerCase()) ? [] : [`there is no section [${value}]`]));
        add(byName.get(value.toLowerCase()), { location: gateway });
      }
    } else if (byName.has(key)) add(byName.get(key), always);
    else for (const section of unclaimed) add(section, Object.hasOwn(lookups, key) ? lookups[key]?.(section.name) : /^[a-z][a-z0-9_.-]*$/i.test(name) ? { variable: { name, equals: section.name } } : undefined);
  }
  for (const section of sections) {
    if (reached.has(section)) continue;
    for (const { key } of section.entries) lines.push(lineOf(file, section.name, key, "disabled", "", ["Priority does not lead to its section"]));
  }
  return rules.toReversed();
}

function valuesOf(file: string, section: IniSection, lines: ImportLine[]): Record<string, string> {
  const set: Record<string, string> = {};
  for (const { key, value } of section.entries) {
    const refused = refusal(key, value);
    if (refused !== undefined) {
      lines.push(lineOf(file, section.name, key, "disabled", "", [refused]));
      continue;
    }
    // The first of two of one name counts, as over there.
    if (Object.keys(set).some((name) => name.toLowerCase() === key.toLowerCase())) {
      lines.push(lineOf(file, section.name, key, "disabled", "", ["it stands above already, and the first counts"]));
      continue;
    }
    set[key] = value.replace(/%(\w+)%/g, (whole, name: string) => (Object.hasOwn(gathered, name.toLowerCase()) ? `%${gathered[name.toLowerCase()]}%` : whole));
    const read = /^OSDComputerName$/i.test(key);
    lines.push(lineOf(file, section.name, key, read ? "translated" : "withNote", "variable", read ? [] : ["a variable of the sequence: only steps and conditions that name it read it"]));
  }
  return set;
}

function refusal(key: string, value: string): string | undefined {
  const known = meaningless.find(([pattern]) => pattern.test(key))?.[1];
  if (isSecretName(key) || redact(value).found) return value === "" ? "it is empty" : "its value looks like a password and is left out: keep it at the site (prestage secret) and name it under `secrets`";
  if (known !== undefined) return known;
  if (value === "") return "it is empty";
  if (/#/.test(value) && /^[^#]*#.*#/s.test(value)) return "the value is an expression of VBScript";
  try {
    checkSettable(key, value);
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

function lineOf(file: string, section: string, name: string, status: ImportLine["status"], to: string, notes: string[]): ImportLine {
  return { kind: "setting", name, path: [file, section], type: "setting", status, enabled: true, to, notes };
}
