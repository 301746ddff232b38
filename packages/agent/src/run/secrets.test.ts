import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { SecretsAnswer, SecretsRequest } from "@prestage/contract";
import { generateSealingKey, sealSecret } from "@prestage/trust";
import { defineStepType, secretNames, secretReferenceSchema } from "@prestage/sequence";
import { z } from "zod";
import { AgentError } from "../error.ts";
import { runShell } from "../steps/run-shell.ts";
import { defineStep } from "../steps/step-executor.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { makeRedactor } from "./redact.ts";
import { runSequence } from "./run-sequence.ts";
import { SiteSecrets } from "./secret-access.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const value = "Tr0ub4dor&3 of JOIN";
const key = generateSealingKey();
const binding = { deviceKeyId: "d".repeat(64), deploymentId: "ABC20001", siteCode: "ABC" };

/** Secrets as the site seals them. */
async function siteSecrets(screen: ConstructorParameters<typeof SiteSecrets>[0]["screen"], answer: (request: SecretsRequest) => Promise<SecretsAnswer> = sealAll, signal = new AbortController().signal) {
  return new SiteSecrets({ client: { secrets: answer }, sealingKey: key, ...binding, screen, signal, log: () => undefined });
}
async function sealAll({ names }: SecretsRequest): Promise<SecretsAnswer> {
  return { secrets: await Promise.all(names.map(async (name) => ({ name, sealed: await sealSecret(key.publicKey, value, { ...binding, name }) }))), missing: [] };
}

/** Every byte of every file below a folder. */
async function everything(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  return (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), "latin1")))).join("");
}

test("a secret reaches the process of the step that names it, and no file, status, log, screen or other step", async () => {
  const program = "test \"$JOIN\" = 'Tr0ub4dor&3 of JOIN' || exit 9; tr '\\0' ' ' < /proc/$$/cmdline; echo; echo out $JOIN; printf '%s' \"$JOIN\" | od -An -tx1 | tr -d ' \\n'; echo; printf '%s' \"$JOIN\" | base64; printf %s \"$JOIN\" >&2; exit 4";
  const content = [contentOf("ABC00007", { kind: "package", programs: [{ name: "Install", command: program, successCodes: [4] }] })];
  const fixture = await makeRunFixture([
    { type: "install-package", with: { package: "ABC00007", program: "Install" }, secrets: ["JOIN"] },
    { type: "run-command-line", with: { command: "test -z \"$JOIN\"" } },
    { type: "run-command-line", with: { command: "echo \"refused: $JOIN\"; exit 7" }, secrets: ["JOIN"], continueOnError: true },
    { type: "run-command-line", with: { command: "head -c 5000 /dev/zero | tr '\\0' x; printf %s \"$JOIN\"; head -c 3990 /dev/zero | tr '\\0' x" }, secrets: ["JOIN"] },
  ], content);
  const context = await fixture.context({ environment: "installed" });
  assert.deepEqual(await runSequence({ ...context, secrets: await siteSecrets(context.screen) }, { bootId: "1", machine }), { result: "succeeded" });
  const outcomes = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.deepEqual(outcomes.map((message) => [message.outcome, message.exitCode]), [["succeeded", 4], ["succeeded", 0], ["failed", 7], ["succeeded", 0]]);
  assert.match(outcomes[0]?.outputTail ?? "", /out \[secret\]\n\[secret\]\n\[secret\]=*\n\[secret\]$/);
  assert.match(outcomes[2]?.error?.message ?? "", /refused: \[secret\]/);
  const shown = [JSON.stringify(fixture.kept), ...fixture.events, ...fixture.logged, await everything(fixture.folder)].join("\n");
  for (const form of [value, Buffer.from(value).toString("hex"), Buffer.from(value).toString("base64").replace(/=+$/, ""), "of JOIN", "ub4dor"]) assert.ok(!shown.includes(form), form);
});

test("a secret that a setting names is the step's own: no process finds it in its environment", async () => {
  const definition = defineStepType({ type: "use-password", title: "t", summary: "s", environments: ["installed"], settings: z.strictObject({ password: secretReferenceSchema }), again: "a", example: "e" });
  let seen = "";
  const step = defineStep(definition, async (run, { password }) => {
    seen = run.secrets.value(password);
    await runShell("env; echo $0", { cwd: "/", signal: run.context.signal, secrets: run.secrets, onLine: run.output });
    run.output(`says ${seen}`);
    return { outputTail: seen };
  });
  const fixture = await makeRunFixture([{ type: "use-password", with: { password: { secret: "JOIN" } } }, { type: "use-password", with: { password: "literal" }, continueOnError: true }]);
  const context = await fixture.context({ environment: "installed" });
  assert.deepEqual(secretNames(context.sequence), ["JOIN"]);
  const executors = new Map([[step.type, step]]);
  assert.deepEqual(await runSequence({ ...context, secrets: await siteSecrets(context.screen) }, { bootId: "1", machine, executors }), { result: "succeeded" });
  assert.equal(seen, value);
  const outcomes = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.deepEqual(outcomes.map((message) => [message.outcome, message.outputTail ?? message.error?.code]), [["succeeded", "[secret]"], ["failed", "PRESTAGE_AGENT_STEP_INVALID"]]);
  assert.match(outcomes[1]?.error?.message ?? "", /password: a secret is written \{ secret: NAME \}/);
  const shown = [JSON.stringify(fixture.kept), ...fixture.events, ...fixture.logged, await everything(fixture.folder)].join("\n");
  assert.ok(shown.includes("says [secret]") && !shown.includes("JOIN=") && !shown.includes("ub4dor"));
});

test("a secret the site has no value for, or does not give, fails the step that names it and says why", async () => {
  for (const [answer, why] of [
    [async () => ({ secrets: [], missing: ["JOIN"] }), /value for the secret JOIN at the site/],
    [async () => Promise.reject(new AgentError("PRESTAGE_AGENT_REFUSED", "PRESTAGE_SITE_SECRET_REFUSED: by the media password alone", "")), /PRESTAGE_SITE_SECRET_REFUSED/],
    [async () => ({ secrets: [{ name: "JOIN", sealed: await sealSecret(key.publicKey, value, { ...binding, name: "OTHER" }) }], missing: [] }), /does not open/],
  ] as const) {
    const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "true" }, secrets: ["JOIN"] }]);
    const context = await fixture.context({ environment: "installed" });
    const secrets = await siteSecrets(context.screen, answer as unknown as (request: SecretsRequest) => Promise<SecretsAnswer>);
    assert.deepEqual(await runSequence({ ...context, secrets }, { bootId: "1", machine }), { result: "failed" });
    assert.equal(await context.status.flush(), true);
    assert.match(fixture.kept.find((message) => message.kind === "step-finished")?.error?.message ?? "", why);
  }
});

test("a step that would write a secret into a variable fails: variables lie on the disk", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "x" }, secrets: ["JOIN"] }]);
  const context = await fixture.context();
  const writes = { type: "run-command-line", environments: ["boot"] as const, start: async (run: { setVariable: (name: string, value: string) => void; secrets: { environment: Readonly<Record<string, string>> } }) => (run.setVariable("COPY", `a ${run.secrets.environment["JOIN"] ?? ""}`), {}) };
  assert.deepEqual(await runSequence({ ...context, secrets: await siteSecrets(context.screen) }, { bootId: "1", machine, executors: new Map([["run-command-line", writes]]) }), { result: "failed" });
  assert.ok(!(await everything(fixture.folder)).includes(value));
});

test("without a management point a step waits for its secrets until it is stopped, and asks anew each time", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "true" }, secrets: ["JOIN"] }]);
  const stop = new AbortController();
  const context = await fixture.context({ signal: stop.signal });
  const secrets = await siteSecrets(context.screen, async () => {
    queueMicrotask(() => stop.abort(new Error("stopped")));
    throw new AgentError("PRESTAGE_AGENT_NO_MANAGEMENT_POINT", "none", "");
  }, stop.signal);
  await assert.rejects(runSequence({ ...context, secrets }, { bootId: "1", machine }), (error: Error) => error.name === "AbortError" || error.message === "stopped");
  assert.ok(fixture.events.some((event) => event.includes('"for":"secrets"')));
});

test("the redactor takes out a value, its lines and its encodings, the longest first", () => {
  const redact = makeRedactor(["abcd", "first line\nsecond line\nx", "abcdef"]);
  assert.equal(redact("abcdef abcd! second line / first%20line x"), "[secret] [secret]! [secret] / [secret] x");
  assert.equal(makeRedactor([])("as it is"), "as it is");
});
