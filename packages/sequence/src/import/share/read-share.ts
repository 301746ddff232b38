import { attributeOf, childrenOf, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { pathBelow, readShareApplications } from "./share-applications.ts";
import type { ShareApplication } from "./share-applications.ts";
import { isTrue } from "../source-sequence.ts";
import type { ShareKnowledge } from "../translation.ts";

/** An object of a deployment share, with where its content lies below the share; `/` between names. */
export interface ShareObject {
  kind: "os-image" | "application" | "package" | "driver-package";
  guid: string;
  name: string;
  version: string;
  /** Folders or files below the share; empty where it has none of its own. */
  sources: string[];
  enabled: boolean;
  /** What the report says of it besides what it became. */
  notes: string[];
  /** Of an OS image. */
  index?: number;
  /** Of an application, whether it is imported as one or as a package. */
  application?: ShareApplication;
}
export interface ShareSequence { id: string; guid: string; name: string; enabled: boolean }

/** The Control files of a deployment share that say what there is; each undefined where the share has none. */
export interface ShareFiles { applications?: XmlElement | undefined; operatingSystems?: XmlElement | undefined; drivers?: XmlElement | undefined; driverGroups?: XmlElement | undefined; packages?: XmlElement | undefined; selectionProfiles?: XmlElement | undefined; taskSequences?: XmlElement | undefined }

export function readShareObjects(files: ShareFiles): ShareObject[] {
  const images = childrenOf(files.operatingSystems, "os").map((one): ShareObject => {
    const image = pathBelow(textOf(one, "ImageFile"));
    const index = Number(textOf(one, "ImageIndex"));
    const notes = isTrue(textOf(one, "IncludesSetup")) ? ["the image alone: what lies beside it, such as sources\\sxs, is left in the share"] : [];
    return { ...commonOf(one), kind: "os-image", sources: image === undefined ? [] : [image], index: Number.isInteger(index) && index > 0 ? index : 1, version: textOf(one, "Build").slice(0, 64), notes };
  });
  const applications = readShareApplications(childrenOf(files.applications, "application")).map(({ element, application, notes }): ShareObject => {
    const folder = pathBelow(textOf(element, "Source"));
    return { ...commonOf(element), kind: application.detection === undefined ? "package" : "application", sources: folder === undefined ? [] : [folder], application, notes };
  });
  return [...images, ...applications, ...driverPackages(files)];
}

function commonOf(one: XmlElement): Pick<ShareObject, "guid" | "name" | "version" | "enabled"> {
  return { guid: attributeOf(one, "guid").toLowerCase(), name: textOf(one, "Name"), version: textOf(one, "Version").slice(0, 64), enabled: isEnabled(one) };
}

/** A driver group becomes a driver package of its drivers' folders; one without becomes nothing (other-share-objects.ts says so). */
function driverPackages(files: ShareFiles): ShareObject[] {
  const drivers = new Map(childrenOf(files.drivers, "driver").map((driver) => [attributeOf(driver, "guid").toLowerCase(), driver]));
  return childrenOf(files.driverGroups, "group").flatMap((group): ShareObject[] => {
    const members = membersOf(group).flatMap((guid) => drivers.get(guid) ?? []);
    const folders = members.filter(isEnabled).map(driverFolder).filter((folder) => folder !== undefined);
    const off = members.filter((driver) => !isEnabled(driver)).map((driver) => textOf(driver, "Name"));
    return folders.length === 0 ? [] : [{ ...commonOf(group), kind: "driver-package", sources: [...new Set(folders)], notes: off.length === 0 ? [] : [`left out, for they are off in the share: ${off.slice(0, 20).join(", ")}`] }];
  });
}

export function isEnabled(one: XmlElement): boolean {
  return attributeOf(one, "enable").toLowerCase() !== "false";
}

/** GUIDs of a group, in lower case. */
export function membersOf(group: XmlElement): string[] {
  return childrenOf(group, "Member").map((member) => member.text.trim().toLowerCase());
}

/** The folder a driver's .inf lies in, below the share. */
export function driverFolder(driver: XmlElement): string | undefined {
  const folder = pathBelow(textOf(driver, "Source"))?.replace(/(^|\/)[^/]*$/, "");
  return folder === "" ? undefined : folder;
}

export function readShareSequences(taskSequences: XmlElement | undefined): ShareSequence[] {
  return childrenOf(taskSequences, "ts").map((one) => ({ id: textOf(one, "ID"), guid: attributeOf(one, "guid").toLowerCase(), name: textOf(one, "Name"), enabled: isEnabled(one) })).filter((one) => /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}$/.test(one.id) && !one.id.includes(".."));
}

/** A folder of the share that steps name files of, as a package without programs. */
export function folderObject(folder: string): ShareObject {
  return { kind: "package", guid: folder.toLowerCase(), name: folder, version: "", sources: [folder], enabled: true, notes: [] };
}

/** `askMdt`: scripts by path below the share, in lower case. */
export function shareKnowledge(objects: readonly ShareObject[], askMdt: ReadonlySet<string> = new Set()): ShareKnowledge {
  return {
    askMdt,
    driverGroups: objects.filter((one) => one.kind === "driver-package" && one.enabled).map((one) => one.guid),
    imageIndexes: new Map(objects.filter((one) => one.kind === "os-image").map((one) => [one.guid, one.index ?? 1])),
    applications: new Map(objects.flatMap((one) => (one.application === undefined ? [] : [[one.guid, { ...one.application, name: one.name, enabled: one.enabled }] as const]))),
  };
}
