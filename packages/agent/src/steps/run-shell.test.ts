import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runShell, shellStepResult } from "./run-shell.ts";

const quiet = { cwd: "/", signal: new AbortController().signal, onLine: () => undefined };

test("output of both streams is streamed by line, and its end kept", async () => {
  const lines: string[] = [];
  const result = await runShell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; printf last >&2; exit 3", { ...quiet, onLine: (line) => void lines.push(line) });
  assert.deepEqual([result.exitCode, result.timedOut, lines.length], [3, false, 2001]);
  assert.ok(result.outputTail.length <= 4000 && result.outputTail.includes("line 1999"));
});

test("a command runs in the C locale with the system's programs and nothing of the agent's environment", async () => {
  process.env["PRESTAGE_TEST_SECRET"] = "x";
  const { outputTail } = await runShell("env", quiet);
  assert.match(outputTail, /^LC_ALL=C$/m);
  assert.match(outputTail, /^PATH=.*\/usr\/sbin/m);
  assert.doesNotMatch(outputTail, /PRESTAGE_TEST_SECRET/);
});

test("when time is over the whole process group ends", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-shell-"));
  try {
    const result = await runShell("sleep 300 & echo $! > child; wait", { ...quiet, cwd: folder, timeoutSeconds: 2 });
    assert.equal(result.timedOut, true);
    const child = Number(await readFile(join(folder, "child"), "utf8"));
    // The child may be a zombie until its new parent has collected it, but it does not run.
    const state = () => readFile(`/proc/${child}/stat`, "utf8").catch(() => `${child} (sleep) Z`);
    const deadline = performance.now() + 20_000;
    while (!/\) [ZX]/.test(await state())) assert.ok(performance.now() < deadline, "the child still runs");
    assert.equal(shellStepResult(result, "it", [0]).failure?.code, "PRESTAGE_AGENT_STEP_FAILED");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a service that keeps the output open does not hold the step", async () => {
  const result = await runShell("sleep 300 & echo $!", quiet);
  assert.equal(result.exitCode, 0);
  process.kill(Number(result.outputTail));
});

test("a stop ends the command and is thrown", async () => {
  const stop = new AbortController();
  const running = runShell("echo started; sleep 300", { ...quiet, signal: stop.signal, onLine: () => stop.abort(new Error("stopped")) });
  await assert.rejects(running, /stopped/);
});

test("0 is always a success; restart codes ask for a restart; all else fails", () => {
  const of = (exitCode: number) => shellStepResult({ exitCode, outputTail: "", timedOut: false }, "it", [4], [194]);
  assert.deepEqual([0, 4, 194, 5].map((code) => [of(code).failure !== undefined, of(code).restartAsked]), [[false, false], [false, false], [false, true], [true, false]]);
});
