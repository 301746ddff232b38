import { setTimeout as delay } from "node:timers/promises";
import type { Manifest } from "@prestage/media";
import { referenceCode, withReference } from "../reference-codes.ts";
import type { Text } from "../screens/texts/en.ts";
import type { Screen } from "../screens/screen.ts";
import type { StatusSpool } from "../status/status-spool.ts";

export interface AfterError {
  manifest: Pick<Manifest, "unattended" | "unattendedError">;
  screen: Pick<Screen, "error" | "anyKey" | "event">;
  /** Absent before there is a folder to keep messages in. */
  status?: Pick<StatusSpool, "post" | "flush">;
  signal: AbortSignal;
  /** How long an unattended computer shows its error; tests are impatient. */
  pauseSeconds?: number;
}

/** How long the error's report is waited for; what was not sent is kept on the disk and sent after the next contact. */
const flushMs = 30_000;
const pauseSeconds = 60;

/**
 * What a computer does once an error stopped it in the boot environment: shows and reports it; then it waits for a key, or, unattended,
 * restarts or switches off as the media says and never waits for a key. Resolves to the exit code init understands: 0 restart, 7 power off.
 */
export async function afterError(cause: unknown, options: AfterError): Promise<0 | 7> {
  const { manifest, screen, status, signal } = options;
  const { code, message, next } = describeError(cause);
  status?.post({ kind: "error", error: { code, message: withReference({ code, message }).slice(0, 2000) } });
  const reference = referenceCode({ code, message });
  const shown = { code, ...(reference !== undefined && { reference }), cause: message, next };
  if (!manifest.unattended) {
    screen.error({ ...shown, then: (texts) => texts.keyPowerOff });
    const sent = status?.flush(flushMs);
    await screen.anyKey(signal);
    await Promise.race([sent, delay(2000, undefined, { signal })]);
    return 7;
  }
  const seconds = options.pauseSeconds ?? pauseSeconds;
  const powerOff = manifest.unattendedError === "power-off";
  screen.error({ ...shown, then: (texts) => (powerOff ? texts.unattendedPowerOff(seconds) : texts.unattendedRetry(seconds)) });
  screen.event("unattended-error", { code, then: powerOff ? "power-off" : "retry", seconds });
  await Promise.all([status?.flush(flushMs), delay(seconds * 1000, undefined, { signal })]);
  return powerOff ? 7 : 0;
}

/** Any error as the screens and the site know errors. */
export function describeError(cause: unknown): { code: string; message: string; next: Text } {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  return {
    code: "code" in error && typeof error.code === "string" ? error.code.slice(0, 128) : "PRESTAGE_AGENT_UNEXPECTED",
    message: error.message,
    next: "next" in error && typeof error.next === "string" ? error.next : (texts) => texts.errorNext,
  };
}
