import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { debugSettings, moveTo } from "./debugging.ts";
import { initialState, nextAction, reduce } from "./engine.ts";
import type { Action, RunState } from "./engine.ts";
import { runEventSchema } from "./events.ts";
import { allSteps, taskSequenceSchema } from "./schema.ts";
import type { Step, TaskSequence } from "./schema.ts";
import { makeVariables } from "./variables.ts";

test("only true counts, from wherever but the prestart command", () => {
  for (const [value, source, holds] of [["true", "device", true], ["TRUE", "collection", true], ["true", "media", true], ["true", "task-sequence", true], ["1", "device", false], ["yes", "device", false], ["false", "media", false], ["true", "prestart", false]] as const) {
    assert.deepEqual(debugSettings(makeVariables([{ name: "tsdebugmode", value, source }])), { everyStep: holds, onError: false });
    assert.deepEqual(debugSettings(makeVariables([{ name: "TSDebugOnError", value, source }])), { everyStep: false, onError: holds });
  }
});

/** Random trees, some of whose steps fail. */
let number = 0;
const step = fc.record({ fails: fc.boolean(), continueOnError: fc.boolean(), disabled: fc.constantFrom(false, false, false, true) }).map(({ fails, ...rest }): Step => ({ id: `s${++number}`, name: fails ? "fails" : "works", type: "set-variable", ...rest }));
const tree: fc.Arbitrary<Step> = fc.letrec<{ node: Step }>((tie) => ({
  node: fc.oneof({ maxDepth: 3 }, step, fc.tuple(fc.array(tie("node"), { minLength: 1, maxLength: 4 }), fc.boolean()).map(([steps, never]): Step => ({ id: `g${++number}`, name: "group", type: "group", steps, ...(never && { when: { variable: "Nobody", exists: true } }) }))),
})).node;

function act(state: RunState, action: Action): RunState {
  switch (action.kind) {
    case "begin": return reduce(state, { kind: "sequence-started", environment: "environment", bootId: "1" });
    case "skip": return reduce(state, { kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
    case "enter-group": return reduce(state, { kind: "step-started", stepId: action.step.id, name: action.step.name, group: true });
    case "leave-group": return reduce(state, { kind: "step-finished", stepId: action.step.id, name: action.step.name, group: true, outcome: action.outcome });
    case "start": {
      const started = reduce(state, { kind: "step-started", stepId: action.step.id, name: action.step.name });
      return reduce(started, { kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: action.step.name === "fails" ? "failed" : "succeeded" });
    }
    case "done-already": case "ended": case "finish": case "gather": case "give-up": case "restart": throw new Error(action.kind);
  }
}

test("wherever a run is, moved to any step it goes on there, back or forth, in groups that would not be entered, after a failure; and then ends", () => {
  fc.assert(fc.property(fc.array(tree, { minLength: 1, maxLength: 5 }), fc.nat(30), fc.nat(1000), (steps, acts, pick) => {
    const sequence: TaskSequence = taskSequenceSchema.parse({ name: "t", steps });
    const leaves = [...allSteps(sequence.steps)].filter((one) => one.steps === undefined);
    const target = leaves[pick % leaves.length];
    assert.ok(target !== undefined);
    let state = act(initialState(sequence, []), { kind: "begin" });
    for (let i = 0; i < acts; i++) {
      const action = nextAction(state, sequence);
      if (action.kind === "finish") break;
      state = act(state, action);
    }
    const event = moveTo(sequence, state, target.id);
    assert.deepEqual(runEventSchema.parse(event), event);
    state = reduce(state, event);
    const next = nextAction(state, sequence);
    assert.ok((next.kind === "start" || next.kind === "skip") && next.step.id === target.id, JSON.stringify(next));
    assert.equal(next.kind === "skip", target.disabled === true);
    for (let i = 0; i < 200; i++) {
      const action = nextAction(state, sequence);
      if (action.kind === "finish") return;
      state = act(state, action);
    }
    assert.fail("it never ends");
  }));
});

test("to a group, or to what is not there, nothing moves", () => {
  const sequence = taskSequenceSchema.parse({ name: "t", steps: [{ id: "g", name: "g", type: "group", steps: [{ id: "a", name: "a", type: "restart" }] }] });
  for (const id of ["g", "nothing"]) assert.throws(() => moveTo(sequence, initialState(sequence, []), id), { code: "PRESTAGE_SEQUENCE_EVENT_UNEXPECTED" });
});
