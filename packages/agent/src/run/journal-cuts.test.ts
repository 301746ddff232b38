import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { allSteps, initialState, replay } from "@prestage/sequence";
import type { Step } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import type { RunFixture } from "../fixtures/run-fixture.ts";
import { stepExecutors } from "../steps/index.ts";
import type { StepExecutor } from "../steps/step-executor.ts";
import { runSequence } from "./run-sequence.ts";

class PowerCut extends Error {}

// Thousands of flushes: in memory, where it is there. What a real disk loses is the lab's business.
if (existsSync("/dev/shm")) process.env["TMPDIR"] = "/dev/shm";

const work = (id: string, more: Partial<Step> = {}): Step => ({ id, name: id, type: "work", ...more });
const group = (id: string, steps: Step[], more: Partial<Step> = {}): Step => ({ id, name: id, type: "group", steps, ...more });
const set = (id: string, name: string, value: string, more: Partial<Step> = {}): Step => ({ id, name: id, type: "set-variable", with: { name, value }, ...more });

/** Thirty steps and eight groups: conditions, failures with and without a way on, retries, restarts there and back, restarts with another try. */
const steps: Step[] = [
  work("a1"), set("a2", "Role", "kiosk"), work("a3", { when: { variable: "_SMSTSMediaType", notEquals: "OEMMedia" } }), work("a4", { disabled: true }),
  group("b", [work("b1"), group("b2", [work("b21"), set("b22", "Count", "1"), work("b23", { when: { variable: "Count", equals: 1 } })]), work("b3", { when: { file: "/nothing", exists: true } })]),
  group("c", [work("c1"), work("fail-c2"), work("c3"), work("c4")], { continueOnError: true }),
  work("fail-d", { continueOnError: true }), work("d2", { when: { variable: "_SMSTSLastActionSucceeded", equals: false } }),
  work("twice-e", { retry: { times: 2, delaySeconds: 0 } }),
  { id: "r1", name: "r1", type: "restart", with: { to: "installed" } },
  group("f", [work("f1", { when: { variable: "_SMSTSInWinPE", equals: false } }), set("f2", "SMSTSRebootRequested", "HD"), work("f3"), work("again-f4"), work("f5")]),
  group("g", [work("g1"), group("h", [work("h1"), work("fail-h2"), work("h3")], { continueOnError: true }), set("g2", "Role", "%Role%-done")], { when: { any: [{ variable: "Role", like: "kiosk*" }, { hardware: "cores", less: 1 }] } }),
  group("i", [work("i1")], { when: { variable: "Role", equals: "nothing" } }),
  work("last"), set("end", "Role", "over"),
];

/** Leaves a line in a file each time it is done; fails, asks for a restart, or both, as its id says. */
const executor = (folder: string): StepExecutor => ({
  type: "work", environments: ["boot", "installed"],
  async start(run) {
    const { id } = run.step;
    const done = (await readFile(join(folder, "work"), "utf8").catch(() => "")).split("\n").filter((line) => line === id).length;
    await appendFile(join(folder, "work"), `${id}\n`);
    if (id.startsWith("fail-")) return { exitCode: 5, failure: { code: "PRESTAGE_AGENT_STEP_FAILED", message: "it fails", next: "" } };
    if (id.startsWith("twice-") && done < 2) return { exitCode: 6, failure: { code: "PRESTAGE_AGENT_STEP_FAILED", message: "it fails twice", next: "" } };
    if (id.startsWith("again-") && run.variables().get("tried") === undefined) {
      run.setVariable("Tried", "1");
      run.setVariable("SMSTSRetryRequested", "true");
      return { restart: "installed" };
    }
    return {};
  },
});

interface End { /** What the site has at the end, starts of the computer aside. */ told: string[]; variables: [string, string][]; work: string[]; states: [string, string | undefined][]; boundaries: number }

const count = (texts: readonly string[]) => texts.reduce((counts, text) => counts.set(text, (counts.get(text) ?? 0) + 1), new Map<string, number>());
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1);

/** Runs to the end on one folder, through every restart; the power goes once, before or after the journal's entry `cut` is on the disk. */
async function runThrough(fixture: RunFixture, cut: number | undefined, lost: boolean): Promise<End> {
  const executors = new Map([...stepExecutors, ["work", executor(fixture.folder)]]);
  let environment: "boot" | "installed" = "boot";
  let boundaries = 0;
  let off = false;
  for (let boot = 0; boot < 100; boot++) {
    const context = await fixture.context({ environment });
    const { journal } = context;
    const append = journal.append.bind(journal);
    journal.append = (event) => {
      if (off) throw new PowerCut();
      const here = boundaries++ === cut;
      if (here) off = true;
      if (!here || !lost) append(event);
      if (here) throw new PowerCut();
    };
    const machine = { restart: async (_: unknown, to: string) => void (environment = to === "installed" ? "installed" : "boot"), cleanUp: async () => undefined };
    try {
      const { result } = await runSequence(context, { bootId: `boot ${boot}`, machine, executors });
      if (result === "restart") continue;
      assert.equal(result, "succeeded");
      const { variables } = replay(initialState(context.sequence, []), journal.events);
      const states = new Map<string, string | undefined>();
      for (const event of journal.events) {
        if (event.kind === "step-finished") states.set(event.stepId, event.outcome);
        if (event.kind === "step-skipped") states.set(event.stepId, "skipped");
      }
      assert.equal(await context.status.flush(), true);
      const told = fixture.kept.filter(({ kind }) => kind !== "restarted" && kind !== "restart").map(({ kind, step, group, outcome }) => `${kind} ${(step ?? group)?.id ?? ""} ${outcome ?? ""}`);
      return { told, variables: [...variables.values()].map(({ name, value }): [string, string] => [name, value]).sort(byName), work: (await readFile(join(fixture.folder, "work"), "utf8")).trim().split("\n"), states: [...states].sort(byName), boundaries };
    } catch (cause) {
      if (!(cause instanceof PowerCut) && !off) throw cause;
      off = false;
      cut = undefined;
      context.status.stop();
    }
  }
  throw new Error("the run does not end");
}

test("the power goes at every boundary of the journal of thirty steps: the run ends as if it had not, and only the step it fell into is done twice", async (t) => {
  assert.equal([...allSteps(steps)].filter((step) => step.steps === undefined).length, 30);
  const whole = await runThrough(await makeRunFixture(steps), undefined, false);
  t.diagnostic(`${whole.boundaries} boundaries, each before and after its entry is on the disk`);
  assert.ok(whole.boundaries >= 80);
  const cuts = Array.from({ length: whole.boundaries * 2 }, (_, i) => ({ cut: i >> 1, lost: i % 2 === 0 }));
  const lane = async () => {
    for (let next = cuts.shift(); next !== undefined; next = cuts.shift()) {
      const { cut, lost } = next;
      const again = await runThrough(await makeRunFixture(steps), cut, lost);
      const what = `cut ${cut}, ${lost ? "before" : "after"} it is on the disk`;
      assert.deepEqual(again.states, whole.states, what);
      assert.deepEqual(again.variables, whole.variables, what);
      const times = (work: readonly string[], id: string) => work.filter((one) => one === id).length;
      const more = [...new Set(whole.work)].filter((id) => times(again.work, id) !== times(whole.work, id));
      assert.ok(more.length <= 1 && more.every((id) => times(again.work, id) === times(whole.work, id) + 1), `${what}: ${more.join()} was done another number of times`);
      assert.deepEqual([...new Set(again.work)], [...new Set(whole.work)], `${what}: in the same order`);
      const [got, meant] = [count(again.told), count(whole.told)];
      const differing = [...new Set([...got.keys(), ...meant.keys()])].filter((told) => got.get(told) !== meant.get(told));
      assert.deepEqual(differing.filter((told) => !/^step-(started|finished) /.test(told) || Math.abs((got.get(told) ?? 0) - (meant.get(told) ?? 0)) > 1), [], `${what}: told another number of times`);
      assert.ok(new Set(differing.map((told) => told.split(" ")[1])).size <= 1, `${what}: of more than one step: ${differing.join()}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane)); // each waits for the disk most of the time
});
