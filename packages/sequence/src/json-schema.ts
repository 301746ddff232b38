import { z } from "zod";
import { taskSequenceSchema } from "./schema.ts";
import { stepTypes } from "./steps/index.ts";
import type { StepDefinition } from "./steps/index.ts";

type Json = Record<string, unknown>;

/** Where the schema lives; editors find it by `prestage sequence schema -o FILE` and a comment at the text's head. */
export const sequenceSchemaId = "https://prestage.invalid/task-sequence.schema.json";

/** The JSON Schema (draft 2020-12) of the text form: completion of step types and of each one's settings, and what is wrong while typing. */
export function taskSequenceJsonSchema(): Json {
  const schema: Json = { ...z.toJSONSchema(taskSequenceSchema, { io: "input", unrepresentable: "any" }) };
  const definitions = structuredClone(schema["$defs"]) as Record<string, Json>;
  const step = Object.values(definitions).find((one) => "secrets" in propertiesOf(one)) ?? {};
  // Written without an id a step gets one from its name.
  step["required"] = ["name", "type"];
  propertiesOf(step)["type"] = { description: "What the step does", oneOf: [{ const: "group", description: "Steps that belong together" }, ...stepTypes.map(({ type, title, summary }) => ({ const: type, title, description: summary }))] };
  step["allOf"] = [
    { if: typeIs("group"), then: { required: ["steps"], properties: { with: false, secrets: false, retry: false, once: false, timeLimitMinutes: false } }, else: { properties: { steps: false } } },
    ...stepTypes.map((definition) => ({ if: typeIs(definition.type), then: { properties: { with: settingsJsonSchema(definition) }, ...(needsSettings(definition) && { required: ["with"] }) } })),
  ];
  return { ...schema, $id: sequenceSchemaId, title: "Prestage task sequence", $defs: definitions };
}

/** The JSON Schema of a step type's settings as they are written: any text may come out of a variable. */
export function settingsJsonSchema(definition: StepDefinition): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(definition.settings, { io: "input", unrepresentable: "any" }) as Json;
  const withVariables = orVariable(schema) as Json;
  // What a variable gives where it is left out is not required.
  const required = (Array.isArray(withVariables["required"]) ? (withVariables["required"] as string[]) : []).filter((name) => !Object.hasOwn(definition.variables, name));
  return { ...withVariables, required };
}

function needsSettings(definition: StepDefinition): boolean {
  return (settingsJsonSchema(definition)["required"] as string[]).length > 0;
}

/** A text that must have a form, a choice, or no text at all may be `%NAME%` instead. */
function orVariable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(orVariable);
  if (typeof schema !== "object" || schema === null) return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === "properties" ? eachOf(value as Json) : orVariable(value)]));
  const bound = copy["type"] === "boolean" || copy["type"] === "integer" || copy["type"] === "number" || "enum" in copy || (copy["type"] === "string" && "pattern" in copy);
  if (!bound) return copy;
  const { description, default: fallback, ...form } = copy;
  return { ...(description !== undefined && { description }), ...(fallback !== undefined && { default: fallback }), anyOf: [form, { type: "string", pattern: "%[A-Za-z_][A-Za-z0-9_.-]*%" }] };
}

function eachOf(properties: Json): Json {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, orVariable(value)]));
}

function propertiesOf(schema: Json): Json {
  return (schema["properties"] ?? {}) as Json;
}

function typeIs(type: string): Json {
  return { required: ["type"], properties: { type: { const: type } } };
}
