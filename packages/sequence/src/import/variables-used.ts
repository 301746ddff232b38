import { attributeOf, childrenOf } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";
import { variablesIn } from "../text-in-settings.ts";
import type { SourceNode, SourceSequence } from "./source-sequence.ts";

/** Every variable a sequence names: between percent signs, and in conditions. */
export function variablesUsed(source: SourceSequence): Set<string> {
  const used = new Set<string>();
  const conditions = (element: XmlElement | undefined): void => {
    if (element === undefined) return;
    for (const name of variablesIn(element.text)) used.add(name.toLowerCase());
    if (element.name === "expression" && /VariableCondition/.test(attributeOf(element, "type"))) for (const one of childrenOf(element, "variable")) if (attributeOf(one, "name") === "Variable") used.add(one.text.trim().toLowerCase());
    element.children.forEach(conditions);
  };
  const walk = (nodes: readonly SourceNode[]): void => {
    for (const node of nodes) {
      if (node.disabled) continue;
      conditions(node.condition);
      for (const text of [node.action, ...node.settings.map((one) => one.value)]) for (const name of variablesIn(text)) used.add(name.toLowerCase());
      walk(node.children);
    }
  };
  walk(source.nodes);
  return used;
}
