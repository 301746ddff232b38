import { textIn, en } from "./texts/en.ts";
import type { Text } from "./texts/en.ts";
import type { View } from "./view.ts";

/** What a console that is not drawn on says of a new screen. */
export function titleOf(view: View): string {
  return view.kind === "message" || view.kind === "wait" ? textIn(en, view.title) : "";
}

/** In words what an event says a step waits for; undefined: nothing. */
export function waitingText(name: string, data: object): Text | undefined {
  const { for: what, source, seconds, round, rounds } = data as Readonly<Record<string, unknown>>;
  if (name === "distribution-point-failed") return (texts) => texts.pointFailed(String(source));
  if (name !== "waiting") return undefined;
  if (what === "secrets") return (texts) => texts.secretsWaiting;
  return what === "distribution-point" ? (texts) => texts.pointsWaiting(Number(seconds), Number(round), Number(rounds)) : undefined;
}
