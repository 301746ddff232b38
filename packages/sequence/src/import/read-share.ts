import { attributeOf, childrenOf, textOf } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";
import type { ShareKnowledge } from "./translation.ts";

/** An object of a deployment share, with where its content lies below the share; `/` between names. */
export interface ShareObject {
  kind: "os-image" | "package" | "driver-package";
  guid: string;
  name: string;
  version: string;
  /** Folders or files below the share; empty where it has none of its own. */
  sources: string[];
  enabled: boolean;
  /** Of an OS image. */
  index?: number;
  /** Of an application: its command line, and the applications before it. */
  command?: string;
  dependencies?: string[];
}
export interface ShareSequence { id: string; guid: string; name: string; enabled: boolean }

/** The Control files of a deployment share that say what there is; each undefined where the share has none. */
export interface ShareFiles { applications?: XmlElement | undefined; operatingSystems?: XmlElement | undefined; drivers?: XmlElement | undefined; driverGroups?: XmlElement | undefined; taskSequences?: XmlElement | undefined }

export function readShareObjects(files: ShareFiles): ShareObject[] {
  const common = (one: XmlElement) => ({ guid: attributeOf(one, "guid").toLowerCase(), name: textOf(one, "Name"), version: textOf(one, "Version").slice(0, 64), enabled: attributeOf(one, "enable").toLowerCase() !== "false" });
  const images = childrenOf(files.operatingSystems, "os").map((one): ShareObject => {
    const image = pathBelow(textOf(one, "ImageFile"));
    const index = Number(textOf(one, "ImageIndex"));
    return { ...common(one), kind: "os-image", sources: image === undefined ? [] : [image], index: Number.isInteger(index) && index > 0 ? index : 1, version: textOf(one, "Build").slice(0, 64) };
  });
  const applications = childrenOf(files.applications, "application").map((one): ShareObject => {
    const folder = pathBelow(textOf(one, "Source"));
    return { ...common(one), kind: "package", sources: folder === undefined ? [] : [folder], command: textOf(one, "CommandLine"), dependencies: childrenOf(one, "Dependency").map((dependency) => dependency.text.trim().toLowerCase()) };
  });
  return [...images, ...applications, ...driverPackages(files, common)];
}

/** A driver group becomes a driver package of its drivers' folders. */
function driverPackages(files: ShareFiles, common: (one: XmlElement) => Pick<ShareObject, "guid" | "name" | "version" | "enabled">): ShareObject[] {
  const folders = new Map<string, string>();
  for (const driver of childrenOf(files.drivers, "driver")) {
    const folder = pathBelow(textOf(driver, "Source"))?.replace(/\/[^/]*$/, "");
    if (folder !== undefined && folder !== "") folders.set(attributeOf(driver, "guid").toLowerCase(), folder);
  }
  return childrenOf(files.driverGroups, "group").flatMap((group): ShareObject[] => {
    const members = childrenOf(group, "Member").map((member) => folders.get(member.text.trim().toLowerCase())).filter((folder) => folder !== undefined);
    return members.length === 0 ? [] : [{ ...common(group), kind: "driver-package", sources: [...new Set(members)] }];
  });
}

export function readShareSequences(taskSequences: XmlElement | undefined): ShareSequence[] {
  return childrenOf(taskSequences, "ts").map((one) => ({ id: textOf(one, "ID"), guid: attributeOf(one, "guid").toLowerCase(), name: textOf(one, "Name"), enabled: attributeOf(one, "enable").toLowerCase() !== "false" })).filter((one) => /^[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}$/.test(one.id) && !one.id.includes(".."));
}

/** A folder of the share that steps name files of, as a package without programs. */
export function folderObject(folder: string): ShareObject {
  return { kind: "package", guid: folder.toLowerCase(), name: folder, version: "", sources: [folder], enabled: true };
}

/** `askMdt`: scripts by path below the share, in lower case. */
export function shareKnowledge(objects: readonly ShareObject[], askMdt: ReadonlySet<string> = new Set()): ShareKnowledge {
  return {
    askMdt,
    driverGroups: objects.filter((one) => one.kind === "driver-package" && one.enabled).map((one) => one.guid),
    imageIndexes: new Map(objects.filter((one) => one.kind === "os-image").map((one) => [one.guid, one.index ?? 1])),
    dependencies: new Map(objects.filter((one) => one.kind === "package").map((one) => [one.guid, one.dependencies ?? []])),
    bundles: new Set(objects.filter((one) => one.kind === "package" && one.command === "").map((one) => one.guid)),
  };
}

/** `.\Folder\file` as a path below the share; undefined for one that leaves it, or lies elsewhere. */
export function pathBelow(path: string): string | undefined {
  const names = path.replaceAll("\\", "/").split("/").filter((name) => name !== "" && name !== ".");
  if (names.length === 0 || names.length > 64 || /^(\\\\|\/\/|[A-Za-z]:|\/)/.test(path.trim()) || names.some((name) => name === ".." || name.includes("\0") || name.length > 255)) return undefined;
  return names.join("/");
}
