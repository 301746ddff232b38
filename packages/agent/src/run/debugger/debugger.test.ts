import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { initialState, reduce, taskSequenceSchema } from "@prestage/sequence";
import { makeRunFixture } from "../../fixtures/run-fixture.ts";
import type { RunFixture } from "../../fixtures/run-fixture.ts";
import { drawView } from "../../screens/draw.ts";
import { plainText } from "../../screens/line.ts";
import type { Line } from "../../screens/line.ts";
import { TerminalScreen } from "../../screens/terminals.ts";
import { en } from "../../screens/texts/en.ts";
import { fr } from "../../screens/texts/fr.ts";
import type { RunContext, VariableSource } from "../run-context.ts";
import { runSequence } from "../run-sequence.ts";
import { debuggerView, holdAt, pressed } from "./debugger-model.ts";
import type { DebuggerCommand, DebuggerModel } from "./debugger-model.ts";

const sequence = taskSequenceSchema.parse({
  name: "Debian for offices",
  steps: [
    { id: "apply", name: "Apply the system", type: "set-variable" },
    { id: "group", name: "In the new system", type: "group", steps: [{ id: "tools", name: "Tools", type: "set-variable" }, { id: "off", name: "Old tools", type: "set-variable", disabled: true }] },
    { id: "end", name: "Report", type: "set-variable" },
  ],
});
let state = initialState(sequence, [{ name: "Role", value: "kiosk", source: "collection" }, { name: "AdminPassword", value: "hunter2", source: "device" }, { name: "_SMSTSMediaType", value: "OEMMedia", source: "system" }]);
state = reduce(state, { kind: "sequence-started", environment: "environment", bootId: "1" });
state = reduce(state, { kind: "step-started", stepId: "apply", name: "Apply the system" });
state = reduce(state, { kind: "step-finished", stepId: "apply", name: "Apply the system", outcome: "succeeded" });
const facts = { sequence, state };
const tools = sequence.steps[1]?.steps?.[0];
assert.ok(tools !== undefined);
const keys = (model: DebuggerModel, typed: readonly string[]) => typed.reduce<{ model: DebuggerModel; command?: DebuggerCommand }>((found, key) => pressed(found.model, key, facts), { model });
const draw = (model: DebuggerModel, texts = en) => plainText(drawView(debuggerView(model, facts), { machine: "PC-0042", site: "ABC" }, 79, 23, texts));

test("the steps with the next one marked, breakpoints, and what the keys do, at 80x25", () => {
  const { model } = keys(holdAt({ kind: "before", step: tools }, facts, new Set()), ["\u001b[B", "\u001b[B", "b", "\u001b[A"]);
  assert.equal(draw(model), `
 Prestage   PC-0042                                                   site ABC



  Debugger: held before "Tools"

      ■ Apply the system
        In the new system
    > ·   Tools
      -   Old tools
  *   · Report

  S step, R run to a breakpoint, B breakpoint, C go on at the chosen step, V
  variables, Q leave the debugger, X fail the sequence








`.slice(1));
});

test("variables with where they come from, in French; what is named like a password is masked, and not put into the entry", () => {
  const { model } = keys(holdAt({ kind: "failed", step: tools, code: "PRESTAGE_AGENT_STEP_FAILED" }, facts, new Set()), ["v"]);
  const shown = draw(model, fr);
  assert.match(shown, /Débogueur : arrêt, « Tools » a échoué par PRESTAGE_AGENT_STEP_FAILED\n/);
  assert.match(shown, /\n +Role +kiosk +collection\n/);
  assert.match(shown, /\n +AdminPassword +\*{8} +device\n/);
  assert.match(shown, /\n +_SMSTSMediaType +OEMMedia +system\n/);
  assert.doesNotMatch(shown, /hunter2/);
  const names = debuggerView(model, facts).variables.map(({ name }) => name);
  const at = (name: string) => ({ ...model, variable: names.indexOf(name) });
  assert.doesNotMatch(draw(keys(at("AdminPassword"), ["\r"]).model), /hunter2/);
  assert.match(draw(keys(at("Role"), ["\r"]).model), /Variable\n +Role\n\n +Value\n +kiosk_+\n/);
  assert.match(draw(keys(at("_SMSTSMediaType"), ["e"]).model), /_SMSTSMediaType is read-only\./);
  assert.deepEqual(keys(at("Role"), ["\r", "\u0015", "d", "\r"]).command, { kind: "set", name: "Role", value: "d" });
  assert.equal(keys(at("Role"), ["\r", "x", "x"]).command, undefined, "letters are text there");
  assert.deepEqual(keys(model, [..."nDesk".split(""), "\r", "7", "\r"]).command, { kind: "set", name: "Desk", value: "7" });
  for (const [typed, said] of [["n_x", /_x is read-only/], ["n1", /A name is letters/], ["n", /A name is letters/]] as const) assert.match(draw(keys(model, [...typed.split(""), "\r"]).model), said);
});

test("whatever is typed, the model stays drawable, and a sequence fails by X twice alone", () => {
  const key = fc.oneof(fc.constantFrom("s", "r", "b", "c", "v", "q", "n", "e", "x", "\r", "\u001b", "\u001b[A", "\u001b[B", "\u001b[5~", "\u001b[H", "\u007f", "\t"), fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }));
  fc.assert(fc.property(fc.array(key, { maxLength: 40 }), fc.integer({ min: 40, max: 120 }), fc.integer({ min: 13, max: 40 }), (typed, width, height) => {
    let model = holdAt({ kind: "before", step: tools }, facts, new Set());
    let before = "";
    for (const one of typed) {
      const next = pressed(model, one, facts);
      if (next.command?.kind === "cancel") assert.ok(before.toLowerCase() === "x");
      if (next.command?.kind === "set") assert.match(next.command.name, /^[A-Za-z]/);
      model = next.model;
      before = one;
      for (const texts of [en, fr]) {
        const lines = drawView(debuggerView(model, facts), { machine: "", site: "" }, width, height, texts);
        assert.ok(lines.length === height && lines.every((drawn) => drawn.reduce((sum, part) => sum + part.text.length, 0) === width));
      }
    }
  }));
});

/** A run with a serial port somebody sits at. */
function seat() {
  const screen = new TerminalScreen();
  const events: { name: string; data: Record<string, unknown> }[] = [];
  let last: Line[] = [];
  let waiting: (() => void) | undefined;
  screen.addTerminal({
    style: "serial", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, print: () => undefined,
    event: (text) => {
      const [, name = "", json = "{}"] = /^@@prestage (\S+) (.*)$/.exec(text) ?? [];
      events.push({ name, data: JSON.parse(json) });
      waiting?.();
    },
  });
  /** The next hold; each is taken once. */
  let taken = 0;
  const held = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = events.filter(({ name }) => name === "debugger")[taken];
      if (found !== undefined) {
        taken++;
        await new Promise(setImmediate);
        return found.data;
      }
      await new Promise<void>((resolve) => (waiting = resolve));
    }
  };
  return { screen, events, shown: () => plainText(last), held };
}

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const runs = (fixture: RunFixture) => readFile(join(fixture.folder, "runs"), "utf8").catch(() => "");
const note = (text: string, more: object = {}) => ({ type: "run-command-line", with: { command: `echo ${text} >> %FOLDER%/runs` }, ...more });
const start = async (fixture: RunFixture, screen: TerminalScreen, more: VariableSource[], change: Partial<RunContext> = {}, bootId = "1") =>
  runSequence(await fixture.context({ environment: "installed", screen, ...change, variables: [{ name: "FOLDER", value: fixture.folder, source: "device" }, ...more] }), { bootId, machine });
const debug: VariableSource = { name: "TSDebugMode", value: "true", source: "collection" };

test("with TSDebugMode each step waits: step, change a variable, run to a breakpoint, leave", async () => {
  const fixture = await makeRunFixture([note("one"), note("%WHO%"), note("three"), note("four"), note("five")]);
  const { screen, held, events } = seat();
  const ended = start(fixture, screen, [debug]);
  assert.deepEqual(await held(), { held: "before", id: "s1", name: "Step 1" });
  assert.equal(await runs(fixture), "");
  screen.typed("s");
  assert.equal((await held())["id"], "s2");
  assert.equal(await runs(fixture), "one\n");
  screen.typed("nWHO\rann\r"); // a new variable, and it is the same step that waits, once
  await new Promise(setImmediate);
  screen.typed("s");
  assert.equal((await held())["id"], "s3");
  assert.equal(await runs(fixture), "one\nann\n");
  screen.typed("\u001b[B\u001b[Bb"); // at the fifth
  screen.typed("r");
  assert.equal((await held())["id"], "s5");
  assert.equal(await runs(fixture), "one\nann\nthree\nfour\n");
  screen.typed("q");
  assert.deepEqual(await ended, { result: "succeeded" });
  assert.deepEqual(events.filter(({ name }) => name === "debugger-over").map(({ data }) => data["by"]), ["step", "step", "run", "detach"]);
  assert.ok((await fixture.context()).journal.events.some((event) => event.kind === "variable-set" && event.name === "WHO" && event.value === "ann"));
  await (await fixture.context()).status.flush();
  const said = fixture.kept.filter((message) => message.kind === "debugger").map((message) => [message.text, message.step?.id]);
  assert.deepEqual(said, [["held before Step 1", "s1"], ["held before Step 2", "s2"], ["WHO is set", undefined], ["held before Step 3", "s3"], ["held before Step 5", "s5"], ["detached", undefined]]);
});

test("at a failure the variable is mended and the step run again; without the variables nothing holds", async () => {
  for (const variables of [[{ name: "TSDebugOnError", value: "true", source: "media" }], []] satisfies VariableSource[][]) {
    const fixture = await makeRunFixture([note("one"), { type: "run-command-line", with: { command: "exit %CODE%" } }, note("three")]);
    const { screen, held } = seat();
    const ended = start(fixture, screen, [{ name: "CODE", value: "5", source: "device" }, ...variables]);
    if (variables.length > 0) {
      assert.deepEqual(await held(), { held: "failed", id: "s2", name: "Step 2", code: "PRESTAGE_AGENT_STEP_FAILED" });
      screen.typed("nCODE\r\u00150\r");
      await new Promise(setImmediate);
      screen.typed("c");
    }
    assert.deepEqual(await ended, { result: variables.length > 0 ? "succeeded" : "failed" });
    assert.equal(await runs(fixture), variables.length > 0 ? "one\nthree\n" : "one\n");
  }
});

test("at a failure that an earlier start of the agent met, its code still stands", async () => {
  const fixture = await makeRunFixture([{ type: "check-readiness", with: { memoryMiB: 99_999_999 } }]);
  for (const bootId of ["1", "2"]) {
    const { screen, held } = seat();
    const stop = new AbortController();
    const ended = start(fixture, screen, [{ name: "TSDebugOnError", value: "true", source: "device" }], { signal: stop.signal }, bootId).catch(() => undefined);
    assert.deepEqual(await held(), { held: "failed", id: "s1", name: "Step 1", code: "PRESTAGE_AGENT_NOT_READY" });
    stop.abort(new Error("cut"));
    await ended;
  }
});

test("a power cut while it holds changes nothing: it holds again, at the same step or failure; a move that was journalled stays", async () => {
  const fixture = await makeRunFixture([note("one"), { type: "run-command-line", with: { command: "exit 5" } }, note("three"), note("four")]);
  const cut = async (at: string, bootId: string, typed: string) => {
    const { screen, held } = seat();
    const stop = new AbortController();
    const ended = start(fixture, screen, [debug], { signal: stop.signal }, bootId).catch(() => undefined);
    for (;;) {
      const found = await held();
      if (`${String(found["held"])} ${String(found["id"])}` === at) break;
      screen.typed("s");
    }
    screen.typed(typed);
    if (typed !== "") await held();
    stop.abort(new Error("cut"));
    await ended;
  };
  await cut("before s1", "1", "");
  await cut("failed s2", "2", "");
  await cut("failed s2", "3", "\u001b[B\u001b[Bc"); // on to the fourth
  const { screen, held } = seat();
  const ended = start(fixture, screen, [debug], {}, "4");
  assert.deepEqual([(await held())["id"], await runs(fixture)], ["s4", "one\n"]);
  screen.typed("q");
  assert.deepEqual(await ended, { result: "succeeded" });
  assert.equal(await runs(fixture), "one\nfour\n");
});

test("a person can fail the sequence; it says so with its code", async () => {
  const fixture = await makeRunFixture([note("one")]);
  const { screen, held, events } = seat();
  const ended = start(fixture, screen, [debug]);
  await held();
  screen.typed("xx");
  assert.deepEqual(await ended, { result: "failed" });
  assert.ok(events.some(({ name, data }) => name === "error" && data["code"] === "PRESTAGE_AGENT_CANCELLED"));
  assert.equal(await runs(fixture), "");
});

test("unattended media holds at no failure, and a console without a keyboard at nothing; who sets it by the prestart command sets nothing", async () => {
  for (const [variables, change, screen] of [
    [[{ name: "TSDebugOnError", value: "true", source: "device" }], { unattended: true }, seat().screen],
    [[debug], {}, undefined],
    [[{ ...debug, source: "prestart" }], {}, seat().screen],
  ] satisfies [VariableSource[], Partial<RunContext>, TerminalScreen | undefined][]) {
    const fixture = await makeRunFixture([note("one"), { type: "run-command-line", with: { command: "exit 5" } }]);
    assert.deepEqual(await start(fixture, screen ?? new TerminalScreen(), variables, change), { result: "failed" });
  }
});
