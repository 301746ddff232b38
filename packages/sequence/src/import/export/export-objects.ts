import { applicationsOf, notesOfApplication, readApplication } from "./export-applications.ts";
import { imagesOf } from "./export-images.ts";
import { packagesOf } from "./export-packages.ts";
import { nameOfObject, versionOfObject } from "./exported-object.ts";
import type { ExportedObject, ExportObject } from "./exported-object.ts";
import { nothing } from "../import-report.ts";
import type { ImportLine } from "../import-report.ts";
import { redact } from "../redact.ts";
import type { SourceSequence } from "../source-sequence.ts";

/** Where an object's text lies in an export, alone or below the object it belongs to; an application's id has a slash in it. */
export const exportObjectPath = /^(?:SMS_[A-Za-z]{1,60}\/[^/]{1,100}\/)?(SMS_[A-Za-z]{1,60})\/(.{1,200})\/object\.xml$/i;

/** What an object of each class is here, and how its content is brought here; classes by name in lower case. */
const classes: Readonly<Record<string, { kind: string; how: string }>> = {
  sms_application: { kind: "application", how: "prestage application import, with its commands and a way to tell that it is installed" },
  sms_package: { kind: "package", how: "prestage package import, with its programs" },
  sms_driverpackage: { kind: "driver package", how: "prestage driver-package import" },
  sms_imagepackage: { kind: "OS image", how: "prestage os-image import" },
  sms_operatingsysteminstallpackage: { kind: "setup files of a system", how: "prestage os-image import of the install.wim in its sources: images are applied here" },
  sms_softwareupdatespackage: { kind: "updates", how: "prestage package import of its .msu and .cab files, for install-updates" },
};

/** What can be imported from the folder of content beside the export, where its content lies in it; each after those it needs. */
export function importableObjects(objects: readonly ExportObject[], sequences: readonly SourceSequence[]): ExportedObject[] {
  return [...driverPackagesOf(objects), ...packagesOf(objects), ...imagesOf(objects, sequences), ...applicationsOf(objects)];
}

function driverPackagesOf(objects: readonly ExportObject[]): ExportedObject[] {
  return objects.filter(({ className }) => className.toLowerCase() === "sms_driverpackage").map((object) => ({ kind: "driver-package", guid: object.id, name: nameOfObject(object), version: versionOfObject(object), sources: [], places: [object.id], enabled: true, notes: [] }));
}

/** An application's content has an id of its own. */
function contentFolderOf(object: ExportObject): string {
  const read = /^SMS_Application$/i.test(object.className) ? readApplication(object) : undefined;
  return (read !== undefined && "object" in read ? read.object.places[0] : undefined) ?? object.id.split("/").at(-1) ?? object.id;
}

function notesOfPackage(object: ExportObject): string[] {
  const [read] = packagesOf([object]);
  return [...(read?.programs ?? []).slice(0, 20).map(({ name, command }) => `its program ${name} runs ${command.slice(0, 500)}`), ...(read?.notes ?? [])];
}

/** A line for each object of an export that is no task sequence, as it stands where its content is not found: how to bring it here. Programs stand in their package's line. */
export function linesOfObjects(objects: readonly ExportObject[]): ImportLine[] {
  return objects.map((object): ImportLine => {
    const { className, id, properties } = object;
    const common = { kind: "object" as const, name: nameOfObject(object), path: [id], type: className, enabled: true };
    if (className.toLowerCase() === "sms_bootimagepackage") return { ...common, status: "withNote", to: nothing, notes: ["not needed: the boot environment is built here (prestage boot-image build)"] };
    const known = classes[className.toLowerCase()];
    if (className.toLowerCase() === "sms_program") return { ...common, name: redact(properties.get("programname") || id).text.slice(0, 256), status: "disabled", to: "", notes: [`not translated: its package ${redact(properties.get("packageid") ?? "").text.slice(0, 64)} is not in the export`] };
    if (known === undefined) return { ...common, status: "disabled", to: "", notes: ["not translated: there is nothing of its kind here"] };
    const source = properties.get("pkgsourcepath") ?? "";
    const folder = contentFolderOf(object);
    const notes = [`not translated: import the content of this ${known.kind} (the export's folder NAME_files/${folder}${source === "" ? "" : `, or ${redact(source).text.slice(0, 300)}`}) by ${known.how}, and name its id in import-map.json`];
    return { ...common, status: "disabled", to: "", notes: [...notes, ...(className.toLowerCase() === "sms_application" ? notesOfApplication(object) : []), ...(className.toLowerCase() === "sms_package" ? notesOfPackage(object) : [])] };
  });
}
