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

/** Whether a command line that is no step, such as a media's prestart command, may set a variable: it says so, or its text does not say what it sets. */
export function mayCommandSet({ command, package: id }: { command: string; package?: string | undefined }, name: string): boolean {
  const step = { type: "run-command-line", with: { command, ...(id !== undefined && { package: id }) } };
  return maySetOthers(step) || variablesSetBy(step).some((one) => one.toLowerCase() === name.toLowerCase());
}

/** Those that its settings name: a run refuses the read-only ones of them. What a type sets by itself may be read-only. */
export function variablesNamedBy({ type, with: settings = {} }: Pick<Step, "type" | "with">): string[] {
  return stepTypeOf(type)?.setsNamed?.(settings) ?? [];
}
