import { nameOfObject, versionOfObject } from "./exported-object.ts";
import type { ExportedObject, ExportObject } from "./exported-object.ts";
import { sourceSteps } from "../source-sequence.ts";
import type { SourceNode, SourceSequence } from "../source-sequence.ts";

/** OS images, and the install.wim of setup files, as what is imported from the content beside the export. Boot images are not needed. */
export function imagesOf(objects: readonly ExportObject[], sequences: readonly SourceSequence[]): ExportedObject[] {
  return objects.flatMap((object): ExportedObject[] => {
    const setup = /^SMS_OperatingSystemInstallPackage$/i.test(object.className);
    if (!setup && !/^SMS_ImagePackage$/i.test(object.className)) return [];
    const file = (object.properties.get("pkgsourcepath") ?? "").split(/[\\/]/).at(-1) ?? "";
    const images = setup ? ["sources/install.wim", "sources/install.esd"] : /^[^\0:*?"<>|]{1,250}\.(wim|esd)$/i.test(file) ? [file] : [];
    const notes = setup ? ["the install.wim of its sources alone: nothing of its setup is run here"] : [];
    return [{ kind: "os-image", guid: object.id, name: nameOfObject(object), version: versionOfObject(object), sources: [], places: [object.id], images, index: indexOf(object.id, sequences), enabled: true, notes }];
  });
}

/** The image that the steps apply; the whole .wim is kept, and a step may name another of it. */
function indexOf(id: string, sequences: readonly SourceSequence[]): number {
  for (const { nodes } of sequences) {
    for (const step of sourceSteps(nodes)) {
      const setting = (name: string) => settingOf(step, name);
      if (setting("ImagePackageID").toLowerCase() === id.toLowerCase() && /^[1-9]\d{0,3}$/.test(setting("ImageIndex"))) return Number(setting("ImageIndex"));
      if (setting("InstallPackageID").toLowerCase() === id.toLowerCase() && /^[1-9]\d{0,3}$/.test(setting("InstallEditionIndex"))) return Number(setting("InstallEditionIndex"));
    }
  }
  return 1;
}

function settingOf(step: SourceNode, name: string): string {
  return step.settings.find((one) => one.property.toLowerCase() === name.toLowerCase())?.value ?? "";
}
