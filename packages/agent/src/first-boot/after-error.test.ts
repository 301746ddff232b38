import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaError } from "@prestage/media";
import { TerminalScreen } from "../screens/terminals.ts";
import type { NewStatusMessage } from "../status/status-spool.ts";
import { afterError } from "./after-error.ts";

const cause = new MediaError("PRESTAGE_MEDIA_EXPIRED", "This media was valid to 2020.");

function computer() {
  const screen = new TerminalScreen();
  const events: string[] = [];
  screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
  const posted: NewStatusMessage[] = [];
  const flushed: number[] = [];
  const status = { post: (message: NewStatusMessage) => void posted.push(message), flush: async (timeout?: number) => flushed.push(timeout ?? 0) > 0 };
  return { screen, events, posted, flushed, status, signal: new AbortController().signal };
}

test("an unattended computer reports its error and restarts, or switches off, as the media says; nobody presses a key", async () => {
  for (const [unattendedError, exit] of [[undefined, 0], ["retry", 0], ["power-off", 7]] as const) {
    const { screen, events, posted, flushed, status, signal } = computer();
    assert.equal(await afterError(cause, { manifest: { unattended: true, ...(unattendedError && { unattendedError }) }, screen, status, signal, pauseSeconds: 0 }), exit);
    assert.deepEqual(posted, [{ kind: "error", error: { code: "PRESTAGE_MEDIA_EXPIRED", message: "This media was valid to 2020." } }]);
    assert.equal(flushed.length, 1);
    assert.ok(events.some((text) => text.startsWith('@@prestage unattended-error {"code":"PRESTAGE_MEDIA_EXPIRED"')));
  }
});

test("elsewhere the error is reported too, and stands until a key is pressed; a function key is none", async () => {
  const { screen, events, posted, status, signal } = computer();
  const ended = afterError(cause, { manifest: { unattended: false }, screen, status, signal });
  let done = false;
  void ended.then(() => (done = true));
  screen.typed("\u001b[[B");
  await new Promise(setImmediate);
  assert.equal(done, false);
  screen.typed("x");
  assert.equal(await ended, 7);
  assert.equal(posted.length, 1);
  assert.ok(events.includes('@@prestage screen {"screen":"error","code":"PRESTAGE_MEDIA_EXPIRED"}'));
});

test("an unattended computer that is asked to stop does not sit out its pause", async () => {
  const { screen, status } = computer();
  const stop = new AbortController();
  const ended = afterError(cause, { manifest: { unattended: true }, screen, status, signal: stop.signal });
  stop.abort(new Error("asked to stop"));
  await assert.rejects(ended);
});
