import { isLike } from "../conditions.ts";
import { setDynamicVariablesStep } from "../steps/set-dynamic-variables.ts";
import { variableValue } from "../variables.ts";
import type { Variables } from "../variables.ts";
import { describedFact } from "./device-description.ts";
import type { DeviceDescription } from "./device-description.ts";
import type { NotKnown } from "./not-known.ts";

type Rule = ReturnType<typeof setDynamicVariablesStep.settings.parse>["rules"][number];
interface Known { name: string; value: string }

/** What a set-dynamic-variables step says of a described computer; names that are not in it are known only when it runs: a property not described, a rule that asks for one. */
export function dynamicVariables(settings: unknown, device: DeviceDescription, variables: Variables, notKnown: NotKnown): Known[] {
  const parsed = setDynamicVariablesStep.settings.safeParse(settings);
  if (!parsed.success) return [];
  const hardware = (name: string) => describedFact(device, { subject: "hardware", name, property: "" });
  const said: Record<string, string | undefined> = {
    _SMSTSMake: hardware("manufacturer"), _SMSTSModel: hardware("model"), _SMSTSSerialNumber: hardware("serialNumber"), _SMSTSAssetTag: hardware("assetTag"), _SMSTSUUID: hardware("uuid")?.toUpperCase(), _SMSTSMacAddresses: hardware("macAddresses"),
  };
  const found = new Map(Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [[name.toLowerCase(), { name, value }] as const])));
  const open = new Set<string>();
  // A rule sees what the rules before it have set.
  const valueOf = (name: string) => (open.has(name.toLowerCase()) ? undefined : (found.get(name.toLowerCase())?.value ?? (notKnown.has(name.toLowerCase()) ? undefined : (variableValue(variables, name) ?? ""))));
  for (const rule of parsed.data.rules) {
    const fits = ruleFits(rule, said, valueOf);
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

/** Undefined: that is known only at the computer. A gateway always is. */
function ruleFits({ computer, make, model, variable, location }: Rule, said: Readonly<Record<string, string | undefined>>, valueOf: (name: string) => string | undefined): boolean | undefined {
  if (location !== undefined) return undefined;
  if (variable !== undefined) return like(valueOf(variable.name), variable.equals);
  if (computer !== undefined) {
    const asked = [[said["_SMSTSSerialNumber"], computer.serialNumber], [said["_SMSTSAssetTag"], computer.assetTag], [said["_SMSTSUUID"], computer.uuid]].flatMap(([value, pattern]) => (pattern === undefined ? [] : [like(value, pattern)]));
    const addresses = said["_SMSTSMacAddresses"]?.split(",");
    if (computer.macAddress !== undefined) asked.push(addresses === undefined ? undefined : addresses.some((one) => like(one, computer.macAddress?.replaceAll("-", ":") ?? "") === true));
    return asked.includes(true) ? true : asked.includes(undefined) ? undefined : false;
  }
  const both = [like(said["_SMSTSMake"], make ?? ""), like(said["_SMSTSModel"], model ?? "")];
  return both.includes(false) ? false : both.includes(undefined) ? undefined : true;
}

function like(value: string | undefined, pattern: string): boolean | undefined {
  return value === undefined ? undefined : value !== "" && isLike(value.toLowerCase(), pattern.toLowerCase());
}
