import { setTimeout as delay } from "node:timers/promises";
import type { Manifest } from "@prestage/media";
import { AgentError } from "../error.ts";
import type { Screen } from "../screens/screen.ts";
import { en, textIn } from "../screens/texts/en.ts";
import type { Text } from "../screens/texts/en.ts";

export interface Patience { manifest: Pick<Manifest, "unattended">; screen: Screen; signal: AbortSignal; log: (line: string) => void }

/** Seconds between attempts where something outside must change first. */
const retrySeconds = 5;
const unattendedRetrySeconds = 30;

/** Shows why nothing goes on; tries again on a key, or by itself on unattended media. */
export async function askAgain(options: Patience, text: { title: Text; lines: Text[] }, name: string): Promise<void> {
  const { screen, manifest, signal } = options;
  screen.event(name, { title: textIn(en, text.title), lines: text.lines.map((one) => textIn(en, one)) });
  if (manifest.unattended) {
    screen.message({ screen: name, title: text.title, lines: [...text.lines, "", (texts) => texts.againEvery(unattendedRetrySeconds)] });
    await delay(unattendedRetrySeconds * 1000, undefined, { signal });
  } else await screen.waitForKey({ title: text.title, lines: [...text.lines, "", (texts) => texts.againKey] }, signal);
}

/** Repeats what depends on the network until it works; a refusal or a bad signature is final. */
export async function untilDone<T>(options: Omit<Patience, "manifest">, what: string, attempt: () => Promise<T>): Promise<T> {
  const { screen, log, signal } = options;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (cause) {
      if (!(cause instanceof AgentError) || (cause.code !== "PRESTAGE_AGENT_NO_NETWORK" && cause.code !== "PRESTAGE_AGENT_NO_MANAGEMENT_POINT")) throw cause;
      log(`${what}: ${cause.message}`);
      screen.event("waiting", { for: what, code: cause.code, failures: failures + 1 });
      screen.message({ screen: "waiting", title: (texts) => texts.waiting, lines: [(texts) => [texts.error(cause.code)?.cause, cause.message].filter(Boolean).join("\n"), "", (texts) => texts.error(cause.code)?.next ?? cause.next, (texts) => texts.networkKeyHint] });
      await delay(retrySeconds * 1000, undefined, { signal });
    }
  }
}
