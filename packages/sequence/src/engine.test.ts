import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { allSteps, factKey, factText, initialState, mayRetry, mostInterruptions, mostRestarts, nextAction, reduce, replay, taskSequenceSchema, variableValue } from "./index.ts";
import type { Facts, RunEnvironment, RunEvent, RunState, Step, TaskSequence, Variable } from "./index.ts";

/** How a step ends in these tests. */
interface Ending { outcome: "succeeded" | "failed"; restart?: RunEnvironment; sets?: [string, string]; /** Of the tries that end so; the others succeed. */ tries?: number }

/** Runs a sequence to its end; every restart comes up in the right place. Returns all events and what was started. */
function run(sequence: TaskSequence, endings: Record<string, Ending>, events: RunEvent[] = [], variables: Variable[] = [], known: Record<string, string> = {}): { events: RunEvent[]; state: RunState; started: string[] } {
  let state = replay(initialState(sequence, variables), events);
  const journal = [...events];
  const started: string[] = [];
  let facts: Facts = new Map();
  let boots = journal.length;
  const append = (event: RunEvent) => {
    state = reduce(state, event);
    journal.push(event);
  };
  if (events.length > 0 && state.status === "running") append({ kind: "restarted", environment: state.restart?.to ?? "environment", bootId: `cut${boots}` });
  for (let guard = 0; guard < 10_000; guard++) {
    const action = nextAction(state, sequence, facts);
    if (action.kind === "gather") facts = new Map([...facts, ...action.queries.map((query) => [factKey(query), known[factText(query)]] as const)]);
    if (action.kind === "give-up") append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: "failed" });
    if (action.kind === "ended") return { events: journal, state, started };
    if (action.kind === "begin") append({ kind: "sequence-started", environment: "environment", bootId: "first" });
    if (action.kind === "skip") append({ kind: "step-skipped", stepId: action.step.id, name: action.step.name, reason: action.reason });
    if (action.kind === "enter-group") append({ kind: "step-started", stepId: action.step.id, name: action.step.name, group: true });
    if (action.kind === "leave-group") append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, group: true, outcome: action.outcome });
    if (action.kind === "restart") append({ kind: "restarted", environment: action.to, bootId: `boot${++boots}` });
    if (action.kind === "finish") append({ kind: "sequence-finished", outcome: action.outcome });
    if (action.kind === "start") {
      const given = endings[action.step.id] ?? { outcome: "succeeded" };
      const ending: Ending = given.tries !== undefined && action.attempt > given.tries ? { outcome: "succeeded" } : given;
      facts = new Map();
      append({ kind: "step-started", stepId: action.step.id, name: action.step.name });
      started.push(action.step.id);
      if (ending.sets !== undefined) append({ kind: "variable-set", name: ending.sets[0], value: ending.sets[1] });
      append({ kind: "step-finished", stepId: action.step.id, name: action.step.name, outcome: ending.outcome, ...(ending.outcome === "failed" && mayRetry(state, action.step) && { retry: true as const }), ...(ending.restart && { restart: ending.restart }) });
    }
  }
  throw new Error("the run does not end");
}

const step = (id: string, more: Partial<Step> = {}): Step => ({ id, name: id, type: "x", ...more });
const group = (id: string, steps: Step[], more: Partial<Step> = {}): Step => ({ id, name: id, type: "group", steps, ...more });
const sequenceOf = (...steps: Step[]): TaskSequence => taskSequenceSchema.parse({ name: "t", steps });

test("without continueOnError a failing step fails its group and the sequence", () => {
  const sequence = sequenceOf(group("A", [step("a1"), step("a2"), step("a3")]), group("B", [step("b1")]));
  const { started, state } = run(sequence, { a2: { outcome: "failed" } });
  assert.deepEqual([started, state.status], [["a1", "a2"], "failed"]);
});

test("continueOnError on the group leaves the rest of it and goes on with the next", () => {
  const sequence = sequenceOf(group("A", [step("a1"), step("a2"), step("a3")], { continueOnError: true }), group("B", [step("b1")]));
  const { started, state } = run(sequence, { a2: { outcome: "failed" } });
  assert.deepEqual([started, state.status, state.steps.get("A")?.state], [["a1", "a2", "b1"], "succeeded", "failed"]);
});

test("continueOnError on the step goes on with the next step", () => {
  const { started, state } = run(sequenceOf(group("A", [step("a1", { continueOnError: true }), step("a2")])), { a1: { outcome: "failed" } });
  assert.deepEqual([started, state.status, state.steps.get("A")?.state], [["a1", "a2"], "succeeded", "succeeded"]);
});

test("a group's condition is evaluated once, before its steps", () => {
  const sequence = sequenceOf(group("A", [step("a1"), step("a2")], { when: { variable: "GO", equals: 1 } }), group("B", [step("b1")], { when: { variable: "GO", equals: 1 } }));
  const { started } = run(sequence, { a1: { outcome: "succeeded", sets: ["GO", "2"] } }, [], [{ name: "go", value: "1", source: "device" }]);
  assert.deepEqual(started, ["a1", "a2"]);
});

test("skipped and disabled steps leave _SMSTSLastActionSucceeded as it was", () => {
  const { state } = run(sequenceOf(step("a", { continueOnError: true }), step("b", { disabled: true }), step("c", { when: { variable: "x", exists: true } })), { a: { outcome: "failed" } });
  assert.equal(variableValue(state.variables, "_SMSTSLastActionSucceeded"), "false");
  assert.equal(variableValue(state.variables, "_SMSTSLastActionName"), "a");
});

test("a restart is pending until the machine is where it should be, in another start", () => {
  const sequence = sequenceOf(step("a"), step("b"));
  let state = replay(initialState(sequence, []), [
    { kind: "sequence-started", environment: "environment", bootId: "1" },
    { kind: "step-started", stepId: "a", name: "a" },
    { kind: "step-finished", stepId: "a", name: "a", outcome: "succeeded", restart: "installed" },
  ]);
  assert.deepEqual(nextAction(state, sequence), { kind: "restart", to: "installed" });
  state = reduce(state, { kind: "restarted", environment: "environment", bootId: "2" }); // cut before the switch
  assert.deepEqual(nextAction(state, sequence), { kind: "restart", to: "installed" });
  state = reduce(state, { kind: "restarted", environment: "installed", bootId: "3" });
  assert.equal(nextAction(state, sequence).kind, "start");
  assert.equal(variableValue(state.variables, "_SMSTSInWinPE"), "false");
});

test("the agent starting again in the same start of the machine is no restart", () => {
  const sequence = sequenceOf(step("a"));
  const state = replay(initialState(sequence, []), [
    { kind: "sequence-started", environment: "installed", bootId: "1" },
    { kind: "restart-requested", to: "installed" },
    { kind: "restarted", environment: "installed", bootId: "1" },
  ]);
  assert.equal(nextAction(state, sequence).kind, "restart");
});

test("SMSTSRebootRequested asks for a restart, SMSTSRetryRequested runs the step again after it", () => {
  const sequence = sequenceOf(step("a"), step("b"));
  const start: RunEvent[] = [
    { kind: "sequence-started", environment: "installed", bootId: "1" },
    { kind: "step-started", stepId: "a", name: "a" },
    { kind: "variable-set", name: "SMSTSRebootRequested", value: "HD" },
    { kind: "variable-set", name: "SMSTSRetryRequested", value: "true" },
    { kind: "step-finished", stepId: "a", name: "a", outcome: "succeeded" },
  ];
  let state = replay(initialState(sequence, []), start);
  assert.deepEqual(nextAction(state, sequence), { kind: "restart", to: "installed" });
  state = reduce(state, { kind: "restarted", environment: "installed", bootId: "2" });
  const action = nextAction(state, sequence);
  assert.ok(action.kind === "start" && action.step.id === "a");
  assert.equal(variableValue(state.variables, "SMSTSRebootRequested"), undefined);
});

test("events that do not fit are refused", () => {
  const sequence = sequenceOf(step("a"));
  const started = reduce(initialState(sequence, []), { kind: "sequence-started", environment: "environment", bootId: "1" });
  const bad: RunEvent[] = [
    { kind: "sequence-started", environment: "environment", bootId: "1" },
    { kind: "step-finished", stepId: "a", name: "a", outcome: "succeeded" },
  ];
  for (const event of bad) assert.throws(() => reduce(started, event), { code: "PRESTAGE_SEQUENCE_EVENT_UNEXPECTED" });
  assert.throws(() => reduce(initialState(sequence, []), { kind: "sequence-finished", outcome: "failed" }), { code: "PRESTAGE_SEQUENCE_EVENT_UNEXPECTED" });
});

interface Shape { group: boolean; children: Shape[]; continueOnError: boolean; disabled: boolean; when: number; ending: Ending }

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.record({
    group: fc.boolean(),
    children: fc.oneof({ maxDepth: 3, depthIdentifier: "shape" }, fc.constant<Shape[]>([]), fc.array(tie("shape"), { maxLength: 3 })),
    continueOnError: fc.boolean(),
    disabled: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    when: fc.integer({ min: 0, max: 4 }),
    ending: fc.record(
      {
        outcome: fc.integer({ min: 0, max: 4 }).map((n): "failed" | "succeeded" => (n === 0 ? "failed" : "succeeded")),
        restart: fc.constantFrom<RunEnvironment>("environment", "installed"),
        sets: fc.integer({ min: 1, max: 4 }).map((n): [string, string] => [`V${n}`, "1"]),
      },
      { requiredKeys: ["outcome"] },
    ),
  }),
}));

/** A sequence of a random form, and how each of its steps ends. */
const planned = fc.array(shape, { minLength: 1, maxLength: 4 }).map((shapes) => {
  let count = 0;
  const endings: Record<string, Ending> = {};
  const make = (one: Shape): Step => {
    const id = `s${++count}`;
    endings[id] = one.ending;
    const common = { continueOnError: one.continueOnError, disabled: one.disabled, ...(one.when > 0 && one.when < 3 && { when: { variable: `V${one.when}`, exists: true as const } }) };
    return one.group ? group(id, one.children.map(make), common) : step(id, common);
  };
  return { sequence: sequenceOf(...shapes.map(make)), endings };
});

test("cut at every index and replayed, a run comes to the same end and repeats at most the step it was cut in", () => {
  fc.assert(
    fc.property(planned, ({ sequence, endings }) => {
      const whole = run(sequence, endings);
      for (let cut = 0; cut <= whole.events.length; cut++) {
        const again = run(sequence, endings, whole.events.slice(0, cut));
        assert.equal(again.state.status, whole.state.status);
        for (const one of allSteps(sequence.steps)) assert.equal(again.state.steps.get(one.id)?.state, whole.state.steps.get(one.id)?.state);
        const before = whole.events.slice(0, cut).filter((event) => event.kind === "step-finished").map((event) => event.stepId);
        assert.ok(again.started.every((id) => !before.includes(id)), "a finished step was started again");
        assert.deepEqual([...again.state.variables.values()].filter((v) => v.name !== "_SMSTSInWinPE"), [...whole.state.variables.values()].filter((v) => v.name !== "_SMSTSInWinPE"));
      }
    }),
    { numRuns: 200 },
  );
});

test("a replayed journal gives the state that wrote it", () => {
  fc.assert(
    fc.property(planned, ({ sequence, endings }) => {
      const { events, state } = run(sequence, endings);
      assert.deepEqual(replay(initialState(sequence, []), JSON.parse(JSON.stringify(events))), state);
    }),
  );
});

test("a step that fails is run again as often as it says, then it has failed", () => {
  const sequence = sequenceOf(step("a", { retry: { times: 2, delaySeconds: 0 } }), step("b"));
  const often = run(sequence, { a: { outcome: "failed", tries: 2 } });
  assert.deepEqual([often.started, often.state.status, often.state.steps.get("a")?.starts], [["a", "a", "a", "b"], "succeeded", 3]);
  assert.equal(variableValue(often.state.variables, "_SMSTSLastActionSucceeded"), "true");
  const always = run(sequence, { a: { outcome: "failed" } });
  assert.deepEqual([always.started, always.state.status], [["a", "a", "a"], "failed"]);
});

test("what a condition asks of the computer is asked for once, right before the step, and again after something has run", () => {
  const when = (condition: Step["when"]) => ({ when: condition });
  const sequence = sequenceOf(
    step("laptop", when({ all: [{ hardware: "memoryMiB", greaterOrEqual: 2048 }, { hardware: "model", like: "*BOOK*" }] })),
    step("old", when({ software: "jq", less: "1.7~" })),
    step("new", when({ operatingSystem: "version", greaterOrEqual: "12.5" })),
    step("file", when({ file: "/etc/%WHAT%", exists: true })),
    step("none", when({ none: [{ folder: "/opt", exists: true }] })),
  );
  const known = { "hardware memoryMiB": "4096", "hardware model": "ThinkBook 14", "software jq": "1.7~rc1-1", "operating system version": "12.10", "file /etc/hosts": "/etc/hosts" };
  const { started, events } = run(sequence, {}, [], [{ name: "WHAT", value: "hosts", source: "device" }], known);
  assert.deepEqual(started, ["laptop", "new", "file", "none"]);
  assert.deepEqual(events.filter((event) => event.kind === "step-skipped").map((event) => event.stepId), ["old"]);
  const { state } = run(sequence, {}, [], [], {});
  assert.deepEqual([...state.steps].map(([id, record]) => [id, record.state]), [["laptop", "skipped"], ["old", "skipped"], ["new", "skipped"], ["file", "skipped"], ["none", "succeeded"]]);
});

test("a step that is interrupted each time, or asks for a restart for ever, is given up", () => {
  const sequence = sequenceOf(step("a"));
  let journal: RunEvent[] = [{ kind: "sequence-started", environment: "environment", bootId: "0" }];
  for (let i = 0; i <= mostInterruptions; i++) journal = [...journal, { kind: "step-started", stepId: "a", name: "a" }, { kind: "restarted", environment: "environment", bootId: String(i + 1) }];
  const given = nextAction(replay(initialState(sequence, []), journal), sequence);
  assert.equal(given.kind, "give-up");
  assert.equal(nextAction(replay(initialState(sequence, []), journal.slice(0, -2)), sequence).kind, "start");
  const { started, state } = run(sequence, { a: { outcome: "succeeded", restart: "installed", sets: ["SMSTSRetryRequested", "true"] } });
  assert.deepEqual([started.length, state.status], [mostRestarts + 1, "failed"]);
});
