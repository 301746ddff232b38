import type { Offer } from "@prestage/contract";
import type { Screen } from "../screens/screen.ts";
import type { Text } from "../screens/texts/en.ts";

/** Long enough to read four texts, or to switch the computer off; nobody has to be there. */
export const highImpactSeconds = 60;

/**
 * Shows what an administrator wants to have read before an operating system is deployed (features.md F149), and goes on by itself or when a key is
 * pressed. Nothing was chosen or changed yet: whoever does not want it switches the computer off.
 */
export async function showHighImpact(screen: Screen, offer: Offer, signal: AbortSignal): Promise<void> {
  const { highImpact } = offer;
  if (highImpact === undefined) return;
  const { headline, texts } = highImpact;
  const left = (seconds: number): Text => (words) => words.highImpactLeft(offer.name, seconds);
  const by = await screen.countdown({
    screen: "high-impact", title: headline, lines: (seconds) => [...texts, left(seconds)], seconds: highImpactSeconds,
    view: (seconds) => ({ kind: "high-impact", headline, texts: [...texts], left: left(seconds) }),
  }, signal);
  screen.event("high-impact-over", { by });
}
