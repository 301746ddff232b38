import assert from "node:assert/strict";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { variableValue } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "./run-sequence.ts";

/** The machine itself is the lab's business (it is started in QEMU there); here it only takes note. */
function machine() {
  const done: string[] = [];
  return { done, machine: { restart: async (_: unknown, to: string) => void done.push(`restart ${to}`), cleanUp: async () => void done.push("clean up") } };
}

test("a run restarts into the installed system, goes on there, reports everything and cleans up", async () => {
  const fixture = await makeRunFixture([
    { type: "partition-disk", when: { variable: "_SMSTSMediaType", notEquals: "OEMMedia" } },
    { type: "set-variable", with: { name: "GREETING", value: "hello %_SMSTSAdvertID%" } },
    { type: "restart", with: { to: "installed" } },
    { type: "run-command-line", with: { command: `printf '%s' "%GREETING%" > out.txt`, package: "ABC00009" }, when: { variable: "_SMSTSInWinPE", equals: false } },
  ], [{ objectId: "ABC00009", kind: "package", name: "p", softwareVersion: "", revision: 1, contentId: "0".repeat(64), storageSha256: "0".repeat(64), storedBytes: 0, earlierContentIds: [], definition: { kind: "package", programs: [] } }]);
  const { done, machine: hooks } = machine();
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "1", machine: hooks }), { result: "restart", to: "installed" });
  // The power failed before the switch: the boot environment starts once more and only restarts.
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "2", machine: hooks }), { result: "restart", to: "installed" });
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "3", machine: hooks }), { result: "succeeded" });
  assert.deepEqual(done, ["restart installed", "restart installed", "clean up"]);
  assert.equal(await readFile(join(fixture.folder, "content/ABC00009/out.txt"), "utf8"), "hello ABC20001");
  assert.deepEqual(fixture.kept.map((message) => [message.kind, message.step?.id, message.environment]), [
    ["sequence-started", undefined, "boot"], ["step-skipped", "s1", "boot"], ["step-started", "s2", "boot"], ["step-finished", "s2", "boot"], ["step-started", "s3", "boot"], ["step-finished", "s3", "boot"],
    ["restart", undefined, "boot"], ["restarted", undefined, "boot"], ["restart", undefined, "boot"], ["restarted", undefined, "installed"], ["step-started", "s4", "installed"], ["step-finished", "s4", "installed"], ["sequence-finished", undefined, "installed"],
  ]);
  assert.match(fixture.kept[1]?.text ?? "", /_SMSTSMediaType is "OEMMedia"/);
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "restarted").map((message) => message.text), ["in the boot environment, and nothing had asked for it: the power went, or somebody restarted this computer", "in the installed system"]);
  assert.ok(fixture.events.some((event) => event.startsWith('@@prestage step {"id":"s4","name":"Step 4","type":"run-command-line","number":4,"of":4,"state":"succeeded"')));
});

test("a failing step fails the run, with its exit code and output at the site and the reason on the screen", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "echo one; echo two >&2; exit 5" } }, { type: "set-variable", with: { name: "A", value: 1 } }]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine: machine().machine }), { result: "failed" });
  const context = await fixture.context();
  assert.equal(await context.status.flush(), true);
  const finished = fixture.kept.find((message) => message.kind === "step-finished");
  assert.deepEqual([finished?.outcome, finished?.exitCode, finished?.outputTail?.split("\n").sort(), finished?.error?.code], ["failed", 5, ["one", "two"], "PRESTAGE_AGENT_STEP_FAILED"]);
  assert.deepEqual(fixture.kept.filter((message) => message.step?.id === "s2"), []);
  assert.match(fixture.kept.at(-1)?.error?.message ?? "", /Step 1: Expected the command to end with 0; it ended with 5/);
  assert.ok(fixture.events.some((event) => event.startsWith('@@prestage error {"code":"PRESTAGE_AGENT_STEP_FAILED","step":"Step 1"')));
});

test("groups are reported like steps: where they stand, and how they ended", async () => {
  const fixture = await makeRunFixture([
    { id: "outer", name: "Outer", type: "group", continueOnError: true, steps: [
      { id: "inner", name: "Inner", type: "group", steps: [{ id: "bad", name: "Bad", type: "run-command-line", with: { command: "exit 4" } }] },
      { id: "never", name: "Never", type: "set-variable", with: { name: "A", value: 1 } },
    ] },
    { id: "left-out", name: "Left out", type: "group", disabled: true, steps: [{ id: "in-it", name: "In it", type: "set-variable", with: { name: "B", value: 1 } }] },
  ]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine: machine().machine }), { result: "succeeded" });
  assert.deepEqual(fixture.kept.map(({ kind, step, group, outcome }) => [kind, (step ?? group)?.id, (step ?? group)?.path, outcome]), [
    ["sequence-started", undefined, undefined, undefined],
    ["group-started", "outer", [], undefined], ["group-started", "inner", ["Outer"], undefined],
    ["step-started", "bad", ["Outer", "Inner"], undefined], ["step-finished", "bad", ["Outer", "Inner"], "failed"],
    ["group-finished", "inner", ["Outer"], "failed"], ["group-finished", "outer", [], "failed"],
    ["step-skipped", "left-out", [], "skipped"], ["sequence-finished", undefined, undefined, "succeeded"],
  ]);
});

test("what cannot run here or is not known fails the step, not the agent", async () => {
  const fixture = await makeRunFixture([
    { type: "install-application", with: { application: "ABC00001" }, continueOnError: true },
    { type: "make-coffee", continueOnError: true },
    { type: "set-variable", with: { name: "_SMSTSMediaType", value: "x" }, continueOnError: true },
    { type: "run-command-line", with: { comand: "x" } },
  ]);
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "1", machine: machine().machine }), { result: "failed" });
  await (await fixture.context()).status.flush();
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "step-finished").map((message) => message.error?.code), ["PRESTAGE_AGENT_STEP_ENVIRONMENT", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED", "PRESTAGE_AGENT_STEP_INVALID"]);
});

test("stopped in a step, the run goes on with that step", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "echo first >> %FOLDER%/runs" } }, { type: "run-command-line", with: { command: "echo second >> %FOLDER%/runs; test -e %FOLDER%/go || sleep 60" } }]);
  const variables = [{ name: "FOLDER", value: fixture.folder, source: "device" as const }];
  const stop = new AbortController();
  const running = runSequence(await fixture.context({ environment: "installed", variables, signal: stop.signal }), { bootId: "1", machine: machine().machine });
  await until(async () => (await readFile(join(fixture.folder, "runs"), "utf8").catch(() => "")).includes("second"));
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  await writeFile(join(fixture.folder, "go"), "");
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables }), { bootId: "2", machine: machine().machine }), { result: "succeeded" });
  assert.equal(await readFile(join(fixture.folder, "runs"), "utf8"), "first\nsecond\nsecond\n");
  assert.ok(fixture.kept.some((message) => message.kind === "step-started" && message.text === "again after an interruption"));
});

test("cut at any entry of its journal, a run still ends, and no finished step runs twice", async () => {
  const steps = [1, 2, 3].map((n) => ({ type: "run-command-line", with: { command: `echo ${n} >> %FOLDER%/runs` } }));
  for (let cut = 0; ; cut++) {
    const fixture = await makeRunFixture(steps);
    await mkdir(fixture.folder, { recursive: true });
    const variables = [{ name: "FOLDER", value: fixture.folder, source: "device" as const }];
    const first = await fixture.context({ environment: "installed", variables });
    await runSequence(first, { bootId: "1", machine: machine().machine });
    const lines = (await readFile(first.journal.path, "utf8")).split("\n").filter((line) => line !== "");
    if (cut > lines.length) break;
    const finished = first.journal.events.slice(0, cut).filter((event) => event.kind === "step-finished").length;
    await truncate(first.journal.path, Buffer.byteLength(lines.slice(0, cut).map((line) => `${line}\n`).join("")));
    await writeFile(join(fixture.folder, "runs"), "");
    assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables }), { bootId: "2", machine: machine().machine }), { result: "succeeded" });
    assert.equal(await readFile(join(fixture.folder, "runs"), "utf8"), [1, 2, 3].slice(finished).map((n) => `${n}\n`).join(""));
  }
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (await holds()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a step that fails is tried again as its sequence says; every try is reported", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "test -e second || { touch second; exit 7; }", package: "ABC00009" }, retry: { times: 3, delaySeconds: 0 } }], [{ objectId: "ABC00009", kind: "package", name: "p", softwareVersion: "", revision: 1, contentId: "0".repeat(64), storageSha256: "0".repeat(64), storedBytes: 0, earlierContentIds: [], definition: { kind: "package", programs: [] } }]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine: machine().machine }), { result: "succeeded" });
  assert.deepEqual(fixture.kept.filter((message) => message.step !== undefined).map((message) => [message.kind, message.outcome, message.exitCode, message.text]), [["step-started", undefined, undefined, undefined], ["step-finished", "failed", 7, undefined], ["step-started", undefined, undefined, "attempt 2 of 4"], ["step-finished", "succeeded", 0, undefined]]);
});

test("a step over its time limit is ended and has failed; the run goes on by its rule", async (t) => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  t.mock.method(AbortSignal, "timeout", (milliseconds: number) => timeout(milliseconds / 600)); // a minute in a tenth of a second
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "sleep 600" }, timeLimitMinutes: 1, continueOnError: true }, { type: "set-variable", with: { name: "A", value: 1 } }]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine: machine().machine }), { result: "succeeded" });
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "step-finished").map((message) => [message.outcome, message.error?.code]), [["failed", "PRESTAGE_AGENT_STEP_TIME_LIMIT"], ["succeeded", undefined]]);
});

test("a step's time counts while its content is fetched, too", async (t) => {
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  t.mock.method(AbortSignal, "timeout", (milliseconds: number) => timeout(milliseconds / 600));
  const fixture = await makeRunFixture([{ type: "download-package-content", with: { packages: ["ABC00009"] }, timeLimitMinutes: 1, continueOnError: true }]);
  const context = await fixture.context({ environment: "installed" });
  // A distribution point that never answers. It gives up by itself in the end, so that this test ends whatever the run does.
  const ensure = (_id: string, signal?: AbortSignal) => new Promise<never>((_resolve, reject) => {
    const patience = setTimeout(() => reject(new Error("nobody ended it")), 3000);
    signal?.addEventListener("abort", () => {
      clearTimeout(patience);
      reject(signal.reason as Error);
    });
  });
  const started = performance.now();
  await runSequence({ ...context, content: { ...context.content, ensure } }, { bootId: "1", machine: machine().machine });
  assert.ok(performance.now() - started < 2500, "the fetch was ended");
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "step-finished").map((message) => message.error?.code), ["PRESTAGE_AGENT_STEP_TIME_LIMIT"]);
});

test("conditions on the computer are asked when their step comes, and what was found is in the message", async () => {
  const fixture = await makeRunFixture([
    { type: "set-variable", with: { name: "A", value: 1 }, when: { hardware: "memoryMiB", greater: 1 } },
    { type: "set-variable", with: { name: "B", value: 1 }, when: { file: "/etc/made-by-a-step", exists: true } },
    { type: "set-variable", with: { name: "SMSTSPostAction", value: "true" } },
  ]);
  const commands: (string | undefined)[] = [];
  const hooks = { ...machine().machine, postAction: async (variables: Parameters<typeof variableValue>[0]) => void commands.push(variableValue(variables, "SMSTSPostAction")) };
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine: hooks }), { result: "succeeded" });
  assert.deepEqual(fixture.kept.filter((message) => message.step !== undefined).map((message) => [message.kind, message.step?.id, message.text]), [["step-started", "s1", undefined], ["step-finished", "s1", undefined], ["step-skipped", "s2", "file /etc/made-by-a-step does not exist"], ["step-started", "s3", undefined], ["step-finished", "s3", undefined]]);
  assert.deepEqual(commands, ["true"]);
});

test("a step that must be done once is not done again after a cut in it, where its probe says that it was done", async () => {
  for (const [before, lines] of [["done\n", "done\n"], ["", "done\n"]] as const) {
    const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: "echo done >> %FOLDER%/once" }, once: { file: "/once", property: "size", greater: 0 } }]);
    const variables = [{ name: "FOLDER", value: fixture.folder, source: "device" as const }];
    // The power went in the step: started, perhaps done, not finished.
    const cut = await fixture.context({ environment: "installed", variables });
    cut.journal.append({ kind: "sequence-started", environment: "installed", bootId: "1" });
    cut.journal.append({ kind: "step-started", stepId: "s1", name: "Step 1" });
    await writeFile(join(fixture.folder, "once"), before);
    assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables }), { bootId: "2", machine: machine().machine }), { result: "succeeded" });
    assert.equal(await readFile(join(fixture.folder, "once"), "utf8"), lines);
    assert.equal(fixture.kept.some((message) => message.text?.startsWith("done before the interruption: file /once (size) is")), before !== "");
  }
  const fresh = await makeRunFixture([{ type: "run-command-line", with: { command: "echo again >> %FOLDER%/once" }, once: { file: "/once", exists: true } }]);
  await writeFile(join(fresh.folder, "once"), "there before\n");
  assert.deepEqual(await runSequence(await fresh.context({ environment: "installed", variables: [{ name: "FOLDER", value: fresh.folder, source: "device" }] }), { bootId: "1", machine: machine().machine }), { result: "succeeded" });
  assert.equal(await readFile(join(fresh.folder, "once"), "utf8"), "there before\nagain\n", "not interrupted, the probe is not asked");
});

test("a restart into a system that is not there fails the sequence, whatever its steps say of errors; with one it restarts", async () => {
  const { startsInstalled, done, machine: hooks } = { startsInstalled: async () => false, ...machine() };
  const fixture = await makeRunFixture([{ type: "group", continueOnError: true, steps: [{ id: "r", name: "Restart", type: "restart", continueOnError: true }] }, { type: "set-variable", with: { name: "A", value: 1 } }]);
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "1", machine: { ...hooks, startsInstalled } }), { result: "failed" });
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "2", machine: { ...hooks, startsInstalled } }), { result: "failed" });
  assert.deepEqual(done, []);
  assert.ok(fixture.events.some((event) => event.startsWith('@@prestage error {"code":"PRESTAGE_AGENT_NO_SYSTEM","reference":"0x80004005","step":"Restart"')));
  const other = await makeRunFixture([{ type: "restart" }]);
  assert.deepEqual(await runSequence(await other.context(), { bootId: "1", machine: { ...hooks, startsInstalled: async () => true } }), { result: "restart", to: "installed" });
});

test("where content, users' files and what is protected lie is said by the reference's names, for the system the step runs in", async () => {
  const fixture = await makeRunFixture([{ type: "run-command-line", with: { command: 'test "%_SMSTSClientCache%|%_SMSTSProtectedPaths%|%_SMSTSUserStatePath%" = "%FOLDER%/prestage/content|%FOLDER%/prestage|%FOLDER%/prestage/user-state"' } }]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables: [{ name: "FOLDER", value: fixture.folder, source: "device" }] }), { bootId: "1", machine: machine().machine }), { result: "succeeded" });
});
