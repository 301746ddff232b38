import type { RunEnvironment } from "../events.ts";
import type { ReferencedKind } from "../content-references.ts";
import type { Step, TaskSequence } from "../schema.ts";
import type { Platform } from "../steps/index.ts";

/** error: it will fail, or destroy something; warning: it has failed others; note: worth knowing. */
export type LintLevel = "error" | "warning" | "note";

export interface LintFinding {
  /** The rule's id; stable. */
  rule: string;
  level: LintLevel;
  /** Where, if it is about one step: its id, its name, the groups it is in. */
  step?: { id: string; name: string; path: string[] };
  /** What is wrong. */
  message: string;
  /** What to do. */
  fix: string;
}

/** A step on its way through the sequence. */
export interface PlacedStep {
  step: Step;
  /** The groups it is in, outermost first. */
  parents: readonly Step[];
  /** Where it can be run: both, where a restart before it depends on a condition. */
  environments: ReadonlySet<RunEnvironment>;
}

/** What is known besides the text. What is left out is not checked. */
export interface LintKnowledge {
  /** The site's objects by id. */
  objects?: ReadonlyMap<string, { kind: string; name: string; architecture?: string | undefined; /** A package's, by their names. */ programs?: readonly string[] | undefined; /** A driver package's; none: it is for any. */ models?: readonly string[] | undefined }>;
  /** By object: what validation found wrong with its newest version. `nowhere`: it is whole at no distribution point. */
  contentFaults?: ReadonlyMap<string, { kind: "damaged" | "nowhere"; fault: string; /** RFC 3339. */ checked: string }>;
  /** The names of the secrets the site keeps, whoever's they are. */
  secrets?: readonly string[];
  /** Task sequences of the site, for child sequences. */
  platform?: Platform;
  media?: { unattended: boolean; variables: readonly string[]; prestartCommand?: string | undefined; /** Whose files it runs among. */ prestartPackage?: string | undefined; architecture?: string | undefined; /** RFC 3339. */ validTo?: string | undefined; managementPoints?: readonly string[] | undefined };
  /** Variables that the computers it is for may be given by the site and by media; a value left out: nobody knows it. */
  given?: readonly { name: string; value?: string | undefined }[];
  /** The site's own management points, by their addresses. */
  managementPoints?: readonly string[];
  /** Models of the site's computers, as their firmware says. */
  computerModels?: readonly string[];
  /** When it is looked at. */
  now?: Date;
}

export interface LintContext extends LintKnowledge {
  sequence: TaskSequence;
  /** Enabled steps and groups, in order, groups before what is in them. */
  steps: readonly PlacedStep[];
}

export interface LintRule {
  id: string;
  level: LintLevel;
  /** What it looks for, in a few words. */
  title: string;
  /** Why: what happened to others. */
  why: string;
  check(context: LintContext): Iterable<{ at?: PlacedStep; message: string; fix: string }>;
}

export const kindNames: Readonly<Record<ReferencedKind, string>> = { "os-image": "OS image", "boot-image": "boot image", application: "application", package: "package", "driver-package": "driver package" };
