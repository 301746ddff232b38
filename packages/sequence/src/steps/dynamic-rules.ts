import { isLike } from "../conditions.ts";
import type { setDynamicVariablesStep } from "./set-dynamic-variables.ts";

export type DynamicRule = ReturnType<typeof setDynamicVariablesStep.settings.parse>["rules"][number];

/** What rules ask a computer for; undefined is not known, empty is not there. */
export interface ComputerFacts {
  make: string | undefined;
  model: string | undefined;
  serialNumber: string | undefined;
  assetTag: string | undefined;
  uuid: string | undefined;
  macAddresses: readonly string[] | undefined;
  gateways: readonly string[] | undefined;
}

/** Whether a rule of set-dynamic-variables fits a computer; undefined: that is known only there. `valueOf`: a variable as it stands when the rule's turn comes. Upper and lower case are one. */
export function ruleFits({ computer, make, model, variable, location }: DynamicRule, facts: ComputerFacts, valueOf: (name: string) => string | undefined): boolean | undefined {
  if (computer !== undefined) {
    return any([
      ...([[facts.serialNumber, computer.serialNumber], [facts.assetTag, computer.assetTag], [facts.uuid, computer.uuid]] as const).map(([value, pattern]) => like(value, pattern)),
      likeOne(facts.macAddresses, computer.macAddress?.replaceAll("-", ":")),
    ]);
  }
  if (location !== undefined) return likeOne(facts.gateways, location);
  if (variable !== undefined) return like(valueOf(variable.name), variable.equals);
  const both = [like(facts.make, make), like(facts.model, model)];
  return both.includes(false) ? false : both.includes(undefined) ? undefined : true;
}

function any(answers: readonly (boolean | undefined)[]): boolean | undefined {
  return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false;
}

function likeOne(values: readonly string[] | undefined, pattern: string | undefined): boolean | undefined {
  return pattern === undefined ? false : values === undefined ? undefined : values.some((value) => like(value, pattern) === true);
}

function like(value: string | undefined, pattern: string | undefined): boolean | undefined {
  if (pattern === undefined) return false;
  return value === undefined ? undefined : value !== "" && isLike(value.toLowerCase(), pattern.toLowerCase());
}
