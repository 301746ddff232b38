import { SequenceError } from "./error.ts";
import { settingsJsonSchema } from "./json-schema.ts";
import { allSteps, secretReferenceSchema } from "./schema.ts";
import type { Step } from "./schema.ts";
import { stepTypeOf } from "./steps/index.ts";

type Json = Record<string, unknown>;

/**
 * Nothing stands in clear where a secret's name belongs, wherever the step stands and whether it would run or not: what is kept is signed, shown and
 * sent to computers. The message never repeats what stands there.
 * @throws SequenceError PRESTAGE_SEQUENCE_MALFORMED
 */
export function requireSecretsByName(sequence: { steps: readonly Step[] }): void {
  for (const step of allSteps(sequence.steps)) {
    const type = stepTypeOf(step.type);
    const [place] = type === undefined || step.with === undefined ? [] : placesInClear(step.with, settingsJsonSchema(type), "with");
    if (place === undefined) continue;
    throw new SequenceError("PRESTAGE_SEQUENCE_MALFORMED", `Expected the name of a secret, { secret: NAME }, in ${place} of the step ${JSON.stringify(step.name)}; found something else, which is not repeated here. Keep the value at the site (\`prestage secret set\`) and name it.`);
  }
}

function* placesInClear(value: unknown, schema: unknown, place: string): Generator<string> {
  if (!isRecord(schema) || value === undefined || value === null) return;
  if (isSecret(schema)) {
    if (!secretReferenceSchema.safeParse(value).success) yield place;
    return;
  }
  for (const key of ["anyOf", "oneOf", "allOf"]) if (Array.isArray(schema[key])) for (const form of schema[key]) yield* placesInClear(value, form, place);
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) yield* placesInClear(one, schema["items"], `${place}.${i}`);
  } else if (isRecord(value)) {
    const properties = isRecord(schema["properties"]) ? schema["properties"] : {};
    for (const [key, one] of Object.entries(value)) yield* placesInClear(one, Object.hasOwn(properties, key) ? properties[key] : schema["additionalProperties"], `${place}.${key}`);
  }
}

/** The form of secretReferenceSchema: an object whose one key is `secret`. */
function isSecret(schema: Json): boolean {
  return isRecord(schema["properties"]) && Object.keys(schema["properties"]).join() === "secret" && schema["additionalProperties"] === false;
}

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
