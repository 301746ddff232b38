import { ruleFits } from "../steps/dynamic-rules.ts";
import type { ComputerFacts } from "../steps/dynamic-rules.ts";
import { setDynamicVariablesStep } from "../steps/set-dynamic-variables.ts";
import { variableValue } from "../variables.ts";
import type { Variables } from "../variables.ts";
import { describedFact } from "./device-description.ts";
import type { DeviceDescription } from "./device-description.ts";
import { notKnownOf } from "./not-known.ts";
import type { NotKnown } from "./not-known.ts";

interface Known { name: string; value: string }

/** What a set-dynamic-variables step says of a described computer; names that are not in it are known only when it runs: a property not described, a rule that asks for one. */
export function dynamicVariables(settings: unknown, device: DeviceDescription, variables: Variables, notKnown: NotKnown): Known[] {
  const parsed = setDynamicVariablesStep.settings.safeParse(settings);
  if (!parsed.success) return [];
  const hardware = (name: string) => describedFact(device, { subject: "hardware", name, property: "" });
  const said = {
    _SMSTSMake: hardware("manufacturer"), _SMSTSModel: hardware("model"), _SMSTSSerialNumber: hardware("serialNumber"), _SMSTSAssetTag: hardware("assetTag"), _SMSTSUUID: hardware("uuid")?.toUpperCase(), _SMSTSMacAddresses: hardware("macAddresses"),
  };
  const facts: ComputerFacts = { make: said._SMSTSMake, model: said._SMSTSModel, serialNumber: said._SMSTSSerialNumber, assetTag: said._SMSTSAssetTag, uuid: said._SMSTSUUID, macAddresses: said._SMSTSMacAddresses?.split(","), gateways: undefined };
  const found = new Map(Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), { name, value }] as const])));
  // What the step finds out and nobody has described is known to no rule of it, either.
  const open = new Set(Object.keys(setDynamicVariablesStep.sets).map((name) => name.toLowerCase()).filter((key) => !found.has(key)));
  // A rule sees what the rules before it have set.
  const valueOf = (name: string) => (open.has(name.toLowerCase()) ? undefined : (found.get(name.toLowerCase())?.value ?? (notKnownOf([name], notKnown, variables) !== undefined ? undefined : (variableValue(variables, name) ?? ""))));
  for (const rule of parsed.data.rules) {
    const fits = ruleFits(rule, facts, valueOf);
    if (fits === false) continue;
    for (const [name, value] of Object.entries(rule.set)) {
      if (fits === true) {
        found.set(name.toLowerCase(), { name, value });
        open.delete(name.toLowerCase());
      } else open.add(name.toLowerCase());
    }
  }
  return [...found].filter(([key]) => !open.has(key)).map(([, known]) => known);
}
