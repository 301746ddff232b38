import assert from "node:assert/strict";
import { test } from "node:test";
import { connectNetworkFolderStep, setVariableStep, variableValue } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { Journal } from "../journal/journal.ts";
import { stepExecutors } from "../steps/index.ts";
import type { StepExecutor } from "../steps/step-executor.ts";
import { runSequence } from "./run-sequence.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("what a start of the computer undoes is done again before the run goes on, once a start, with the variables it had; a failure is only logged", async () => {
  const done: string[] = [];
  let reachable = true;
  const mount = (everyStart: boolean): StepExecutor => ({
    type: everyStart ? "mount" : "other", environments: ["installed"], everyStart,
    start: async (run) => {
      done.push(`${run.step.id} ${variableValue(run.variables(), "SHARE") ?? ""}`);
      if (!reachable || run.step.id === "s3") return { failure: { code: "PRESTAGE_AGENT_FOLDER_UNREACHABLE", message: "the server is away", next: "" } };
      run.setVariable("PLACE", `/place/of/${run.step.id}`);
      return {};
    },
  });
  const executors = new Map([...stepExecutors, ["mount", mount(true)], ["other", mount(false)]]);
  const fixture = await makeRunFixture([
    { type: "set-variable", with: { name: "SHARE", value: "one" } }, { type: "mount" }, { type: "mount", continueOnError: true }, { type: "other" },
    { type: "set-variable", with: { name: "SHARE", value: "two" } }, { type: "set-variable", with: { name: "PLACE", value: "%PLACE%/below" } },
    { type: "restart", with: { to: "installed" } }, { type: "set-variable", with: { name: "END", value: "%PLACE%" } }, { type: "restart", with: { to: "installed" } }, { type: "set-variable", with: { name: "END", value: "%END%" } },
  ]);
  const start = async (bootId: string) => {
    done.length = 0;
    const { result } = await runSequence(await fixture.context({ environment: "installed" }), { bootId, machine, executors });
    return [result, ...done];
  };
  assert.deepEqual(await start("1"), ["restart", "s2 one", "s3 one", "s4 one"]);
  assert.deepEqual(await start("2"), ["restart", "s2 one"]);
  assert.deepEqual(await start("2"), ["restart"], "the agent alone was started again");
  reachable = false;
  assert.deepEqual(await start("3"), ["succeeded", "s2 one"]);
  assert.ok(fixture.logged.some((line) => line.includes("Step 2 failed after a start") && line.includes("the server is away")));
  const { events } = await Journal.open(`${fixture.folder}/prestage/state/journal`);
  assert.equal(events.filter((event) => event.kind === "step-started" && event.stepId === "s2").length, 1);
  assert.deepEqual(events.flatMap((event) => (event.kind === "variable-set" && event.name === "END" ? [event.value] : [])), ["/place/of/s4/below", "/place/of/s4/below"]);
  assert.equal(fixture.kept.filter((message) => message.step?.id === "s2").length, 2);
  assert.equal(stepExecutors.get(connectNetworkFolderStep.type)?.everyStart, true);
  assert.notEqual(stepExecutors.get(setVariableStep.type)?.everyStart, true);
});
