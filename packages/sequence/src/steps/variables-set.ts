import type { Step } from "../schema.ts";
import { stepTypeOf } from "./index.ts";

/** The variables a step sets, by its type and by its settings: the one list that lint, simulation and the documentation have. */
export function variablesSetBy({ type, with: settings = {} }: Pick<Step, "type" | "with">): string[] {
  const definition = stepTypeOf(type);
  return [...(definition?.setsWith?.(settings) ?? Object.keys(definition?.sets ?? {})), ...(definition?.setsNamed?.(settings) ?? [])];
}

/** Whether it may set variables besides those, which its settings do not say. */
export function maySetOthers({ type, with: settings = {} }: Pick<Step, "type" | "with">): boolean {
  return stepTypeOf(type)?.setsOthers?.(settings) ?? false;
}

/** Those that its settings name: a run refuses the read-only ones of them. What a type sets by itself may be read-only. */
export function variablesNamedBy({ type, with: settings = {} }: Pick<Step, "type" | "with">): string[] {
  return stepTypeOf(type)?.setsNamed?.(settings) ?? [];
}
