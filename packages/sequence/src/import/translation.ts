import type { z } from "zod";
import type { ReferencedKind } from "../content-references.ts";
import type { Condition } from "../schema.ts";
import type { ShareApplication } from "./share/share-applications.ts";
import type { SourceNode, SourceSequence } from "./source-sequence.ts";

export type JsonSettings = Record<string, z.core.util.JSONType>;

/** One step of ours that a step of the source becomes. */
export interface TranslatedStep { type: string; name?: string; with?: JsonSettings; when?: Condition }

/** What a translator makes of a step. */
export type Translation =
  /** One step, or several that become a group. `windowsCommand`: it runs a command of Windows, so nowhere but in an installed Windows. `inInstalled`: it may be done after the first start of the new system just as well, where it stands before. `behindImage`: it goes behind the step that applies the image. */
  | { steps: TranslatedStep[]; notes: string[]; windowsCommand?: true; inInstalled?: true; behindImage?: true }
  /** What it does is done here without a step; how, in words. It is kept as a disabled step that says so. */
  | { notNeeded: string }
  /** It is kept as a disabled step; `reason` says why. */
  | { disabled: string };

/** An object of the source that a step names. */
export interface SourceReference { kind: ReferencedKind | "task-sequence"; sourceId: string; name: string; /** It is a folder of the deployment share; `sourceId` is its path. */ folder?: true }

/** What translators may ask. Settings they never took are reported. */
export interface TranslationContext {
  readonly node: SourceNode;
  readonly sequence: SourceSequence;
  readonly origin: "configmgr" | "mdt";
  /** The groups around the step, the innermost last. */
  readonly groups: readonly SourceNode[];
  /** The value of a setting by its property or variable, without case; empty where there is none. It then counts as carried over. */
  take(property: string): string;
  /** Says that these settings mean nothing where the step is translated. */
  ignore(...properties: RegExp[]): void;
  /** The id of the object here, or a placeholder in braces that the report names. */
  reference(kind: SourceReference["kind"], sourceId: string): string;
  /** The same for a folder of the deployment share, by its path with `/`: a package to be. */
  folderOfShare(path: string): string;
  /** What the sequence names as variables, in lower case: in conditions, texts and values. */
  readonly variablesUsed: ReadonlySet<string>;
  /** Of the deployment share the sequence lies in. */
  readonly share: ShareKnowledge;
  /** Where MDT's next restart leads: it depends on what was applied before. */
  readonly restart: { next: "environment" | "installed" };
}

/** What a deployment share says besides its sequences, by GUID in lower case. */
export interface ShareKnowledge { /** GUIDs of the driver groups that hold drivers. */ driverGroups?: readonly string[]; imageIndexes: ReadonlyMap<string, number>; applications: ReadonlyMap<string, ShareApplication & { name: string; enabled: boolean }>; /** Scripts that ask MDT's own objects, by path below the share in lower case. */ askMdt?: ReadonlySet<string>; /** Of an export of Configuration Manager. */ programs?: ProgramKnowledge }

/** What steps of an export ask about the programs of its packages: by package and program, both in lower case. */
export type ProgramKnowledge = ReadonlyMap<string, ReadonlyMap<string, { /** Configuration Manager restarts the computer after it. */ restart: boolean; /** Why it is not among the package's programs here. */ left?: string }>>;

export type Translator = (context: TranslationContext) => Translation;

export function one(type: string, settings: JsonSettings, ...notes: (string | undefined)[]): Translation {
  return { steps: [{ type, ...(Object.keys(settings).length > 0 && { with: settings }) }], notes: notes.filter((note) => note !== undefined) };
}
