import assert from "node:assert/strict";
import { test } from "node:test";
import { contentErrors } from "@prestage/content";
import { mediaErrors } from "@prestage/media";
import { afterError } from "./first-boot/after-error.ts";
import { AgentError, agentErrors } from "./error.ts";
import { makeRunFixture } from "./fixtures/run-fixture.ts";
import { codesText, referenceCode, withReference } from "./reference-codes.ts";
import { runSequence } from "./run/run-sequence.ts";
import { drawView } from "./screens/draw.ts";
import { plainText } from "./screens/line.ts";
import { TerminalScreen } from "./screens/terminals.ts";
import { fr } from "./screens/texts/fr.ts";
import { busy, whileBusy } from "./steps/installer-codes.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("each of the reference's codes stands for what it says there", () => {
  const found = (code: string, more: { message?: string; exitCode?: number } = {}) => referenceCode({ code, message: "", ...more });
  assert.equal(found("PRESTAGE_AGENT_MEDIA_DAMAGED"), "0x80091007");
  assert.equal(found("PRESTAGE_AGENT_NO_MANAGEMENT_POINT"), "0x87d00269");
  assert.equal(found("PRESTAGE_AGENT_NO_MANAGEMENT_POINT", { message: "https://mp: CERT_HAS_EXPIRED certificate has expired" }), "0x80072f8f");
  assert.equal(found("PRESTAGE_AGENT_POLICY_REFUSED"), "0x80004005");
  assert.equal(found("PRESTAGE_CONTENT_FETCH_FAILED"), "0x87d00267");
  assert.equal(found("PRESTAGE_AGENT_NOT_READY", { exitCode: 4316 }), "4316");
  assert.equal(found("PRESTAGE_AGENT_STEP_FAILED"), "0x80004005");
  assert.deepEqual([1603, 1618, 1641, 3010, 5].map((exitCode) => found("PRESTAGE_AGENT_STEP_FAILED", { exitCode })), ["1603", "1618", "1641", "3010", undefined]);
  assert.equal(found("PRESTAGE_MEDIA_EXPIRED"), undefined);
  assert.deepEqual([codesText({ code: "PRESTAGE_AGENT_NOT_READY", message: "x" }), withReference({ code: "PRESTAGE_AGENT_NOT_READY", message: "x" }), withReference({ code: "EIO", message: "x" })], ["PRESTAGE_AGENT_NOT_READY [4316]", "x [4316]", "x"]);
  for (const code of ["PRESTAGE_AGENT_MEDIA_DAMAGED", "PRESTAGE_AGENT_NO_MANAGEMENT_POINT", "PRESTAGE_AGENT_REFUSED", "PRESTAGE_AGENT_REVOKED", "PRESTAGE_AGENT_CANCELLED", "PRESTAGE_AGENT_NOT_READY"]) assert.ok(code in agentErrors, code);
  for (const code of ["PRESTAGE_CONTENT_DAMAGED", "PRESTAGE_CONTENT_FETCH_FAILED"]) assert.ok(code in contentErrors, code);
  assert.ok("PRESTAGE_MEDIA_FILE_DAMAGED" in mediaErrors);
});

test("a failure says both codes and the step's name in the log, at the site and on the screen, after a power cut too", async () => {
  const fixture = await makeRunFixture([{ type: "group", steps: [{ id: "ready", name: "Ready?", type: "check-readiness", with: { memoryMiB: 99_999_999 } }] }]);
  await runSequence(await fixture.context(), { bootId: "1", machine });
  const context = await fixture.context();
  await context.status.flush();
  assert.ok(fixture.logged.some((line) => /^step Ready\? failed after .* PRESTAGE_AGENT_NOT_READY \[4316\]: Expected a computer/.test(line)));
  assert.ok(fixture.logged.includes("group Step 1 failed [0x80004004]"));
  const [step, end] = [fixture.kept.find((message) => message.kind === "step-finished"), fixture.kept.at(-1)];
  assert.deepEqual([step?.step?.name, step?.error?.code, step?.error?.message.endsWith(" [4316]")], ["Ready?", "PRESTAGE_AGENT_NOT_READY", true]);
  assert.match(end?.error?.message ?? "", /^Ready\?: Expected a computer .* \[4316\]$/);
  const event = () => fixture.events.filter((one) => one.startsWith("@@prestage error ")).at(-1) ?? "";
  assert.match(event(), /"code":"PRESTAGE_AGENT_NOT_READY","reference":"4316","step":"Ready\?"/);
  await runSequence(context, { bootId: "2", machine });
  assert.match(event(), /"code":"PRESTAGE_AGENT_NOT_READY","reference":"4316","step":"Ready\?","cause":"The task sequence failed before this start of the computer\./);
});

test("the error screen has both codes, in French too, and so has what stops a computer before any sequence", async () => {
  const drawn = plainText(drawView({ kind: "error", code: "PRESTAGE_AGENT_MEDIA_DAMAGED", reference: "0x80091007", step: "Apply", cause: "x", next: "y" }, { machine: "", site: "" }, 79, 23, fr));
  assert.match(drawn, /Code {4}PRESTAGE_AGENT_MEDIA_DAMAGED {3}0x80091007\n +Étape +Apply/);
  const screen = new TerminalScreen();
  const events: string[] = [];
  screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
  const posted: unknown[] = [];
  await afterError(new AgentError("PRESTAGE_AGENT_MEDIA_DAMAGED", "Expected x; found y.", "z"), { manifest: { unattended: true }, screen, status: { post: (message) => void posted.push(message), flush: async () => true }, signal: new AbortController().signal, pauseSeconds: 0 });
  assert.deepEqual(posted, [{ kind: "error", error: { code: "PRESTAGE_AGENT_MEDIA_DAMAGED", message: "Expected x; found y. [0x80091007]" } }]);
  assert.match(events[0] ?? "", /"reference":"0x80091007"/);
});

test("a busy installer is tried again, ten times at most; another code is an answer", async () => {
  for (const [codes, tries, last] of [[[busy, busy, 0], 3, 0], [[5], 1, 5], [Array.from({ length: 30 }, () => busy), 11, busy]] as const) {
    let tried = 0;
    const said: string[] = [];
    const fixture = await makeRunFixture([{ type: "restart" }]);
    const result = await whileBusy({ context: await fixture.context(), output: (line) => void said.push(line) }, "the installation", async () => ({ exitCode: codes[tried++] ?? 0, outputTail: "", timedOut: false }), 0);
    assert.deepEqual([tried, result.exitCode, said.length], [tries, last, tries - 1]);
  }
});
