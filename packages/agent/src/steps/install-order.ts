import type { ApplicationDefinition, PolicyContent } from "@prestage/contract";
import { AgentError } from "../error.ts";

export interface PlannedApplication { content: PolicyContent; definition: ApplicationDefinition }

/**
 * The applications and all they depend on, dependencies before what needs them, each once.
 * @throws AgentError PRESTAGE_AGENT_CONTENT_UNKNOWN, PRESTAGE_AGENT_STEP_INVALID
 */
export function installOrder(ids: readonly string[], contents: readonly PolicyContent[]): PlannedApplication[] {
  const order: PlannedApplication[] = [];
  const state = new Map<string, "open" | "done">();
  const visit = (id: string, chain: readonly string[]): void => {
    if (state.get(id) === "done") return;
    if (state.get(id) === "open") throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected dependencies without a circle; found ${[...chain, id].join(" needs ")}.`, "Correct the applications' dependencies.");
    state.set(id, "open");
    const content = contents.find((one) => one.objectId === id);
    if (content?.definition.kind !== "application") throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected the policy to name application ${id}; it does not.`, "Ask the administrator to check the task sequence.");
    for (const dependency of content.definition.dependencies) visit(dependency, [...chain, id]);
    state.set(id, "done");
    order.push({ content, definition: content.definition });
  };
  for (const id of ids) visit(id, []);
  return order;
}
