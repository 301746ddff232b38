import { maySetOthers, variablesSetBy } from "../steps/variables-set.ts";
import { textsIn, variablesIn } from "../text-in-settings.ts";
import type { LintContext, PlacedStep } from "./lint-rule.ts";

/** A variable that a step's settings hold, and no step before it sets by its name. */
export interface NamedAndNotSet {
  at: PlacedStep;
  place: string;
  name: string;
  /** What may set it all the same: a step before it, or the media's prestart command, of which the text does not say the names. */
  unread?: PlacedStep | "prestart";
}

/** Each name once, where it stands first. */
export function* namedAndNotSet({ steps, media }: Pick<LintContext, "steps" | "media">): Generator<NamedAndNotSet> {
  const prestart = media?.prestartCommand === undefined ? undefined : { type: "run-command-line", with: { command: media.prestartCommand, ...(media.prestartPackage !== undefined && { package: media.prestartPackage }) } };
  const set = new Set([...(media?.variables ?? []), ...(prestart === undefined ? [] : variablesSetBy(prestart))].map((name) => name.toLowerCase()));
  let unread: NamedAndNotSet["unread"] = prestart !== undefined && maySetOthers(prestart) ? "prestart" : undefined;
  for (const at of steps) {
    for (const { at: place, text } of textsIn(at.step.with)) {
      for (const name of variablesIn(text)) {
        if (name.startsWith("_") || set.has(name.toLowerCase())) continue;
        set.add(name.toLowerCase());
        yield { at, place, name, ...(unread !== undefined && { unread }) };
      }
    }
    for (const name of variablesSetBy(at.step)) set.add(name.toLowerCase());
    if (unread === undefined && maySetOthers(at.step)) unread = at;
  }
}
