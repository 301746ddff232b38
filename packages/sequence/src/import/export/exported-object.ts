import type { XmlElement } from "../../read-xml.ts";
import type { Condition } from "../../schema.ts";
import type { ShareObject } from "../share/read-share.ts";
import { redact } from "../redact.ts";

/** An object of a Configuration Manager export beside its task sequences: its class, its CIM properties by name in lower case, and all that its text holds. */
export interface ExportObject { className: string; id: string; properties: ReadonlyMap<string, string>; root: XmlElement; /** Of a package: its programs that lie in files of their own, and lists of the console's beside its text. */ beside?: readonly XmlElement[] }

/** A detection rule of an application; its form is the contract's. */
export type SourceDetection = { type: "file"; path: string } | { type: "registry"; key: string; value?: string; equals?: string } | { type: "command"; command: string };

export interface PackageProgram { name: string; command: string; successCodes: number[] }

/** What an application of an export is here, but for the ids of others. */
export interface ExportedApplication {
  installCommand: string;
  uninstallCommand?: string;
  detection: SourceDetection[];
  successCodes: number[];
  restartCodes: number[];
  requirement?: Condition;
  /** Each one of these applications, by id in lower case, is installed before it: of several the first that is imported. */
  dependencies: string[][];
  /** Removed before it is installed, by id in lower case. */
  supersedes: string[];
}

/** What of an export is imported where its content lies in the folder beside it. */
export interface ExportedObject extends ShareObject {
  /** Where the content may lie in that folder, the likeliest first. */
  places: string[];
  /** Of an image: where its .wim lies in its content, the likeliest first; where none is there, the only .wim of the folder. */
  images?: string[];
  programs?: PackageProgram[];
  exported?: ExportedApplication;
}

export function nameOfObject({ id, properties }: Pick<ExportObject, "id" | "properties">): string {
  return redact(properties.get("localizeddisplayname") || properties.get("name") || id).text.slice(0, 256);
}

export function versionOfObject({ properties }: ExportObject): string {
  return redact(properties.get("softwareversion") || properties.get("version") || "").text.slice(0, 64);
}

/** An application's id without its version: `ScopeId_A/Application_B/3` names the same one as `ScopeId_A/Application_B`. */
export function withoutVersion(id: string): string {
  return id.replace(/^([^/]{1,100}\/[^/]{1,100})\/\d{1,9}$/, "$1");
}
