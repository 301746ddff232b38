import { z } from "zod";
import { defineStepType } from "./step-definition.ts";

const pattern = z.string().min(1).max(256);
const rule = z
  .strictObject({
    computer: z.strictObject({ serialNumber: pattern.optional(), assetTag: pattern.optional(), uuid: pattern.optional(), macAddress: pattern.optional() }).optional().describe("Any of these fits"),
    location: pattern.optional().describe("A default gateway fits"),
    make: pattern.optional(),
    model: pattern.optional().describe("Make and model both fit"),
    variable: z.strictObject({ name: z.string().max(256), equals: pattern }).optional(),
    set: z.record(z.string().max(256), z.union([z.string(), z.number(), z.boolean()]).transform(String)),
  })
  .refine((value) => [value.computer, value.location, value.make ?? value.model, value.variable].filter((one) => one !== undefined).length === 1, "a rule asks for one thing: computer, location, make and model, or a variable")
  .refine((value) => (value.make === undefined) === (value.model === undefined), "make and model go together");

/** Set Dynamic Variables (features.md F207, F208). */
export const setDynamicVariablesStep = defineStepType({
  type: "set-dynamic-variables",
  title: "Set dynamic variables",
  reference: ["Set Dynamic Variables", "MDT Gather"],
  summary: "Finds out make, model, serial number, addresses and gateways of the computer, and sets variables by the rules that fit: `*` any text, `?` one character; later rules win.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ rules: z.array(rule).max(500).default([]).describe("Rules, in their order") }),
  sets: {
    _SMSTSMake: "manufacturer", _SMSTSModel: "model", _SMSTSSerialNumber: "serial number", _SMSTSAssetTag: "asset tag", _SMSTSUUID: "SMBIOS UUID", _SMSTSMacAddresses: "MAC addresses", _SMSTSIPAddresses: "IP addresses", _SMSTSDefaultGateways: "default gateways",
  },
  setsNamed: ({ rules }) => (Array.isArray(rules) ? rules.flatMap(namesOfRule) : []),
  again: "It finds the same.",
  errors: ["PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  example: `- name: By model and place
  type: set-dynamic-variables
  with:
    rules:
      - { make: "LENOVO", model: "ThinkCentre*", set: { Role: desk } }
      - { location: 10.17.0.1, set: { Branch: Lyon } }`,
});

function namesOfRule(rule: unknown): string[] {
  const set: unknown = typeof rule === "object" && rule !== null && "set" in rule ? rule.set : undefined;
  return typeof set === "object" && set !== null ? Object.keys(set) : [];
}
