import { textOf, childOf } from "../../read-xml.ts";
import { argumentOf, readDigest } from "./application-digest.ts";
import type { DeploymentType } from "./application-digest.ts";
import { translateDeploymentType, uninstallCommandOf } from "./deployment-type.ts";
import { nameOfObject, versionOfObject } from "./exported-object.ts";
import type { ExportedObject, ExportObject } from "./exported-object.ts";
import { redact } from "../redact.ts";

/** An application of an export as what is imported, or why it cannot be. */
export type ReadApplicationOfExport = { object: ExportedObject } | { refused: string };

const isApplication = ({ className }: ExportObject): boolean => /^SMS_Application$/i.test(className);

/**
 * Of several deployment types the one that comes first among those that can be said here: over there the first whose requirements the computer meets is installed. One
 * for 32-bit systems alone comes after the others.
 */
export function readApplication(object: ExportObject): ReadApplicationOfExport {
  const digest = readDigest(object.properties.get("sdmpackagexml") ?? "");
  if (digest === undefined) return { refused: "its deployment types could not be read, for they are no well-formed XML: look up its commands in the console" };
  const translated = digest.deploymentTypes.map((one) => ({ one, result: translateDeploymentType(one) }));
  const possible = translated.flatMap(({ one, result }) => ("refused" in result ? [] : [{ one, result }]));
  const chosen = possible.find(({ result }) => !result.only32Bit) ?? possible[0];
  if (chosen === undefined) return { refused: translated.length === 0 ? "it has no deployment type" : translated.map(({ one, result }) => `${translated.length > 1 ? `${titleOf(one)}: ` : ""}${"refused" in result ? result.refused : ""}`).join("; ").slice(0, 1000) };
  const { result } = chosen;
  if (result.content.length === 0) return { refused: "it has no content of its own: import a folder with what it needs, its commands and its detection" };
  const left = translated.filter(({ one }) => one !== chosen.one);
  const notes = [...result.notes, ...(left.length === 0 ? [] : [`of its deployment types ${titleOf(chosen.one)} is imported; left out: ${left.map(({ one, result: why }) => `${titleOf(one)}${"refused" in why ? ` (${why.refused})` : ""}`).join(", ").slice(0, 1000)}`])];
  const version = versionOfObject(object) || redact(textOf(childOf(digest.root, "Application"), "SoftwareVersion")).text.slice(0, 64);
  return { object: { kind: "application", guid: object.id, name: nameOfObject(object), version, sources: [], places: placesOf(result.content, object), enabled: true, notes, exported: result.application } };
}

/** Under the id of its content; and, as packages lie, under its own, alone or with that of the content below it. */
function placesOf(content: readonly string[], { id, properties }: ExportObject): string[] {
  const own = [id.split("/").at(-1) ?? id, properties.get("packageid") ?? ""].filter((name) => /^[A-Za-z0-9_-]{1,100}$/.test(name));
  return [...content, ...own.flatMap((name) => content.map((one) => `${name}/${one}`)), ...own];
}

/** Each after those it depends on and those it removes; a circle stays as it stands, and costs the one that closes it its import. */
export function applicationsOf(objects: readonly ExportObject[]): ExportedObject[] {
  const all = new Map(objects.filter(isApplication).flatMap((one) => {
    const read = readApplication(one);
    return "refused" in read ? [] : [[one.id.toLowerCase(), read.object] as const];
  }));
  const ordered = new Set<ExportedObject>();
  const seen = new Set<string>();
  for (const start of all.keys()) {
    // Without recursion: a chain may be as long as the export.
    const open: { id: string; after: boolean }[] = [{ id: start, after: false }];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const object = all.get(at.id);
      if (object === undefined) continue;
      if (at.after) ordered.add(object);
      else if (!seen.has(at.id)) {
        seen.add(at.id);
        open.push({ id: at.id, after: true }, ...[...(object.exported?.dependencies.flat() ?? []), ...(object.exported?.supersedes ?? [])].map((id) => ({ id, after: false })));
      }
    }
  }
  return [...ordered];
}

/** Why it is not imported, and its command lines, for whoever imports it. */
export function notesOfApplication(object: ExportObject): string[] {
  const read = readApplication(object);
  const digest = readDigest(object.properties.get("sdmpackagexml") ?? "");
  return [...("refused" in read ? [`--import-content leaves it out: ${read.refused}`] : []), ...new Set((digest?.deploymentTypes ?? []).flatMap(commandsOf))].slice(0, 12);
}

function commandsOf({ installer }: DeploymentType): string[] {
  const install = argumentOf(childOf(installer, "InstallAction"), "InstallCommandLine") || textOf(childOf(installer, "CustomData"), "InstallCommandLine");
  const remove = uninstallCommandOf(installer);
  const said = (what: string, command: string) => (command === "" ? [] : [`it is ${what} by ${redact(command).text.slice(0, 500)}`]);
  return [...said("installed", install), ...said("removed", remove)];
}

function titleOf({ name }: DeploymentType): string {
  return redact(name).text.slice(0, 100) || "one without a name";
}
