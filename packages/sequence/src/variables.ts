import { SequenceError } from "./error.ts";

/** Later wins (design.md section 9); `system` is what the engine itself says and nobody can change. */
export const variableSources = ["collection", "deployment", "device", "media", "prestart", "task-sequence", "system"] as const;
export type VariableSourceName = (typeof variableSources)[number];
/** `of`: whose it is where a source has several, such as the collection's name. */
export interface Variable { name: string; value: string; source: VariableSourceName; of?: string }

export const maximumValueLength = 4000;
const maximumExpandedLength = 1024 * 1024;

/** An immutable set of variables; names are compared without case. */
export type Variables = ReadonlyMap<string, Variable>;

/** Puts variables of several sources together by precedence; within a source the later wins. An empty value deletes. */
export function makeVariables(given: readonly Variable[]): Variables {
  const result = new Map<string, Variable>();
  for (const source of variableSources) {
    for (const variable of given) if (variable.source === source) put(result, variable);
  }
  return result;
}

/** The same variables with one set; an empty value deletes it. */
export function withVariable(variables: Variables, variable: Variable): Variables {
  const result = new Map(variables);
  put(result, variable);
  return result;
}

function put(variables: Map<string, Variable>, variable: Variable): void {
  checkValue(variable.name, variable.value);
  if (variable.value === "") variables.delete(keyOf(variable.name));
  else variables.set(keyOf(variable.name), variable);
}

export function variableValue(variables: Variables, name: string): string | undefined {
  return variables.get(keyOf(name))?.value;
}

/**
 * What a step may set: a well-formed name that is not read-only, and at most 4,000 characters.
 * @throws SequenceError PRESTAGE_SEQUENCE_VARIABLE_REFUSED
 */
export function checkSettable(name: string, value: string): void {
  if (!/^[A-Za-z][A-Za-z0-9_.-]{0,255}$/.test(name)) {
    const why = name.startsWith("_") ? "it is read-only" : "a name is 1 to 256 letters, digits, _, - and ., beginning with a letter";
    throw new SequenceError("PRESTAGE_SEQUENCE_VARIABLE_REFUSED", `Expected a variable that may be set; found ${JSON.stringify(name.slice(0, 256))}: ${why}.`);
  }
  checkValue(name, value);
}

function checkValue(name: string, value: string): void {
  if (value.length > maximumValueLength) {
    throw new SequenceError("PRESTAGE_SEQUENCE_VARIABLE_REFUSED", `Expected at most ${maximumValueLength} characters in the variable ${name}; found ${value.length}. Put long texts into a package.`);
  }
}

/** Replaces each `%NAME%` by the variable's value, once; what names no variable stays as it is, so `date +%Y%m%d` keeps its meaning. */
export function expandVariables(text: string, variables: Variables): string {
  let length = text.length;
  return text.replace(/%([A-Za-z_][A-Za-z0-9_.-]{0,255})%/g, (whole, name: string) => {
    const value = variableValue(variables, name) ?? whole;
    length += value.length - whole.length;
    if (length > maximumExpandedLength) throw new SequenceError("PRESTAGE_SEQUENCE_VARIABLE_REFUSED", `Expected a text of at most ${maximumExpandedLength} characters after its variables are put in; found more.`);
    return value;
  });
}

/** Expands every string in a step's settings; keys stay as they are. */
export function expandSettings(value: unknown, variables: Variables): unknown {
  if (typeof value === "string") return expandVariables(value, variables);
  if (Array.isArray(value)) return value.map((one) => expandSettings(one, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, expandSettings(one, variables)]));
}

function keyOf(name: string): string {
  return name.toLowerCase();
}
