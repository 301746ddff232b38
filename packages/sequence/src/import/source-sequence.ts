import { SequenceError } from "../error.ts";
import { attributeOf, childOf, childrenOf } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";

/** A setting of a step: the variable it goes by, and the property of the step's class. */
export interface SourceSetting { name: string; property: string; value: string }

/** A step or group as Configuration Manager or MDT wrote it. */
export interface SourceNode {
  kind: "step" | "group";
  /** SMS_TaskSequence_RebootAction and the like; empty for most of MDT's own. */
  type: string;
  name: string;
  description: string;
  disabled: boolean;
  continueOnError: boolean;
  /** The command line the engine over there runs. */
  action: string;
  startIn: string;
  timeoutSeconds: number | undefined;
  retries: number;
  successCodes: number[];
  settings: SourceSetting[];
  condition: XmlElement | undefined;
  children: SourceNode[];
}

export interface SourceSequence { name: string; description: string; version: string; globals: SourceSetting[]; nodes: SourceNode[] }

/**
 * Takes a `<sequence>` apart: MDT's ts.xml (version 3.00) and Configuration Manager's (3.00, 3.10) have one form.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN
 */
export function readSourceSequence(root: XmlElement): SourceSequence {
  if (root.name !== "sequence") throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected a <sequence>; found <${root.name.slice(0, 100)}>. ${root.name === "PolicyXML" || root.name === "Policy" ? "This is a policy, compressed or encrypted: export the task sequence from the console." : "Export the task sequence from the console, or name MDT's ts.xml or deployment share."}`);
  return { name: attributeOf(root, "name"), description: attributeOf(root, "description"), version: attributeOf(root, "version"), globals: settingsIn(childOf(root, "globalVarList")), nodes: nodesIn(root) };
}

function nodesIn(parent: XmlElement): SourceNode[] {
  return parent.children.flatMap((one): SourceNode[] => {
    if (one.name !== "step" && one.name !== "group") return [];
    const seconds = Number(attributeOf(one, "timeout"));
    const retries = Number(attributeOf(one, "retryCount"));
    return [{
      kind: one.name, type: attributeOf(one, "type"), name: attributeOf(one, "name"), description: attributeOf(one, "description"),
      disabled: isTrue(attributeOf(one, "disable")), continueOnError: isTrue(attributeOf(one, "continueOnError")),
      action: childOf(one, "action")?.text.trim() ?? "", startIn: attributeOf(one, "startIn"),
      timeoutSeconds: Number.isInteger(seconds) && seconds > 0 ? seconds : undefined, retries: Number.isInteger(retries) && retries > 0 ? Math.min(retries, 5) : 0,
      successCodes: attributeOf(one, "successCodeList").split(/[\s,]+/).filter((code) => /^-?\d{1,10}$/.test(code)).map(Number),
      settings: settingsIn(childOf(one, "defaultVarList")), condition: childOf(one, "condition"), children: one.name === "group" ? nodesIn(one) : [],
    }];
  });
}

function settingsIn(list: XmlElement | undefined): SourceSetting[] {
  return childrenOf(list, "variable").map((one) => ({ name: attributeOf(one, "name"), property: attributeOf(one, "property") || attributeOf(one, "name"), value: one.text.trim() }));
}

export function isTrue(text: string): boolean {
  return text.trim().toLowerCase() === "true";
}

/** Every step of a source, without groups. */
export function* sourceSteps(nodes: readonly SourceNode[]): Generator<SourceNode> {
  for (const node of nodes) {
    if (node.kind === "step") yield node;
    yield* sourceSteps(node.children);
  }
}
