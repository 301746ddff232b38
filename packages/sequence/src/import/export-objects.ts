import type { SequenceError } from "../error.ts";
import { attributeOf, childOf, childrenOf, readXmlText, refusedImport } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";
import { nothing } from "./import-report.ts";
import type { ImportLine } from "./import-report.ts";
import type { ShareObject } from "./read-share.ts";
import { redact } from "./redact.ts";

/** An object of a Configuration Manager export beside its task sequences: its class, and its CIM properties by name in lower case. */
export interface ExportObject { className: string; id: string; properties: ReadonlyMap<string, string> }

/** Where an object's text lies in an export; an application's id has a slash in it. */
export const exportObjectPath = /^(SMS_[A-Za-z]{1,60})\/(.{1,200})\/object\.xml$/i;

/** What an object of each class is here, and how its content is brought here; classes by name in lower case. */
const classes: Readonly<Record<string, { kind: string; how: string }>> = {
  sms_application: { kind: "application", how: "prestage application import, with its commands and a way to tell that it is installed" },
  sms_package: { kind: "package", how: "prestage package import, with its programs" },
  sms_driverpackage: { kind: "driver package", how: "prestage driver-package import" },
  sms_imagepackage: { kind: "OS image", how: "prestage os-image import" },
  sms_operatingsysteminstallpackage: { kind: "setup files of a system", how: "prestage os-image import of the install.wim in its sources: images are applied here" },
  sms_softwareupdatespackage: { kind: "updates", how: "prestage package import of its .msu and .cab files, for install-updates" },
};

/** CIM as XML: the properties of an instance. */
export function propertiesOf(instance: XmlElement): Map<string, string> {
  return new Map(childrenOf(instance, "PROPERTY").map((one) => [attributeOf(one, "NAME").toLowerCase(), childOf(one, "VALUE")?.text.trim() ?? ""]));
}

export function nameOfObject({ id, properties }: ExportObject): string {
  return redact(properties.get("localizeddisplayname") || properties.get("name") || id).text.slice(0, 256);
}

/** Driver packages, as what is imported from the folder of content beside the export, where one of their ids lies in it. */
export function driverPackagesOf(objects: readonly ExportObject[]): ShareObject[] {
  return objects.filter(({ className }) => className.toLowerCase() === "sms_driverpackage").map((object) => ({ kind: "driver-package", guid: object.id, name: nameOfObject(object), version: (object.properties.get("version") ?? "").slice(0, 64), sources: [object.id], enabled: true, notes: [] }));
}

/** A line for each object of an export that is no task sequence: an export is no source of content, so how to bring it here. */
export function linesOfObjects(objects: readonly ExportObject[]): ImportLine[] {
  return objects.map((object): ImportLine => {
    const { className, id, properties } = object;
    const common = { kind: "object" as const, name: nameOfObject(object), path: [id], type: className, enabled: true };
    if (className.toLowerCase() === "sms_bootimagepackage") return { ...common, status: "withNote", to: nothing, notes: ["not needed: the boot environment is built here (prestage boot-image build)"] };
    const known = classes[className.toLowerCase()];
    if (known === undefined) return { ...common, status: "disabled", to: "", notes: ["not translated: there is nothing of its kind here"] };
    const source = properties.get("pkgsourcepath") ?? "";
    const folder = id.split("/").at(-1) ?? id;
    const notes = [`not translated: import the content of this ${known.kind} (the export's folder NAME_files/${folder}${source === "" ? "" : `, or ${redact(source).text.slice(0, 300)}`}) by ${known.how}, and name its id in import-map.json`];
    return { ...common, status: "disabled", to: "", notes: [...notes, ...commandsOf(properties.get("sdmpackagexml") ?? "")] };
  });
}

/** Command lines of an application's deployment types, for whoever imports it. Text that is no XML costs its own line a note; what is hostile (document type, depth, size) is refused like any. */
function commandsOf(digest: string): string[] {
  if (!digest.startsWith("<")) return [];
  let document: XmlElement;
  let malformed: SequenceError | undefined;
  try {
    document = readXmlText(digest, refusedImport, (expected, found, cause) => (malformed = refusedImport(expected, found, cause)));
  } catch (cause) {
    if (malformed === undefined || cause !== malformed) throw cause;
    return ["its deployment types could not be read, for they are no well-formed XML: look up its commands in the console"];
  }
  const found: string[] = [];
  const look = (element: XmlElement): void => {
    const [, what] = /^(InstallCommandLine|UninstallCommandLine)$/.exec(attributeOf(element, "Name")) ?? [];
    if (what !== undefined && element.text.trim() !== "") found.push(`${what === "InstallCommandLine" ? "it is installed by" : "it is removed by"} ${redact(element.text.trim()).text.slice(0, 500)}`);
    element.children.forEach(look);
  };
  look(document);
  return [...new Set(found)].slice(0, 10);
}
