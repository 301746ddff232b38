import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Condition, StepInput } from "../schema.ts";
import { taskSequenceSchema } from "../schema.ts";
import { deviceDescriptionSchema } from "./device-description.ts";
import { simulate } from "./simulate.ts";
import type { SimulatedStep, Simulation } from "./simulation.ts";

type Shape = { kind: "set" | "drive" | "run" | "fails" | "tool" | "restart" | "back" | "group"; name: string; value: string; when: Condition | undefined; continueOnError: boolean; inside: Shape[] };

const variable = fc.constantFrom("X", "A", "B");
const test_ = fc.record({ variable, equals: fc.constantFrom("1", "2", "%X%", "%A%") });
const condition: fc.Arbitrary<Condition | undefined> = fc.option(
  fc.oneof(test_, fc.record({ variable, exists: fc.constant(true as const) }), fc.record({ all: fc.array(test_, { minLength: 1, maxLength: 2 }) }), fc.record({ any: fc.array(test_, { minLength: 1, maxLength: 2 }) }), fc.record({ none: fc.array(test_, { minLength: 1, maxLength: 2 }) }), fc.constant<Condition>({ variable: "_SMSTSLastActionName", like: "*3*" }), fc.constant<Condition>({ variable: "_SMSTSInWinPE", equals: "true" }), fc.constant<Condition>({ variable: "_SMSTSClientCache", like: "/mnt/*" }), fc.constant<Condition>({ variable: "OSDTargetSystemDrive", equals: "/" })),
  { nil: undefined },
);
const { steps: shapes } = fc.letrec<{ steps: Shape[] }>((tie) => ({
  steps: fc.array(
    fc.record({
      kind: fc.constantFrom("set", "set", "drive", "run", "fails", "tool", "restart", "back", "group", "group"), name: fc.constantFrom("A", "B"), value: fc.constantFrom("1", "2", "%X%", "%B%", ""), when: condition, continueOnError: fc.boolean(),
      inside: fc.oneof({ depthSize: "small", withCrossShrink: true }, fc.constant<Shape[]>([]), tie("steps")),
    }),
    { minLength: 1, maxLength: 5 },
  ),
}));

/** The shapes as steps; in a world in which X is known a step sets it, else a script finds it out. */
function sequenceOf(inside: readonly Shape[], x: string | undefined) {
  let count = 0;
  const outcomes: Record<string, "failed"> = {};
  const one = (shape: Shape): StepInput => {
    const id = `s${count++}`;
    const common = { id, name: id, ...(shape.when && { when: shape.when }), ...(shape.continueOnError && { continueOnError: true }) };
    if (shape.kind === "fails") outcomes[id] = "failed";
    if (shape.kind === "group" && shape.inside.length > 0) return { ...common, type: "group", steps: shape.inside.map(one) };
    if (shape.kind === "set") return { ...common, type: "set-variable", with: { name: shape.name, value: shape.value } };
    if (shape.kind === "drive") return { ...common, type: "set-variable", with: { name: "OSDTargetSystemDrive", value: "/mnt/data" } };
    if (shape.kind === "tool") return { ...common, type: "install-package", with: { package: "ABC00005", program: "Run" } };
    if (shape.kind === "restart" || shape.kind === "back") return { ...common, type: "restart", with: { to: shape.kind === "restart" ? "installed" : "environment" } };
    return { ...common, type: "run-command-line", with: { command: "echo" } };
  };
  const steps = inside.map(one);
  const ask: StepInput = { id: "ask", name: "ask", ...(x === undefined ? { type: "run-script", with: { script: "hostname", outputVariable: "X" } } : { type: "set-variable", with: { name: "X", value: x } }) };
  return { sequence: taskSequenceSchema.parse({ name: "t", steps: [ask, ...steps] }), device: deviceDescriptionSchema.parse({ outcomes }) };
}

const leaves = ({ steps }: Simulation) => new Map(steps.filter(({ type }) => type !== "group").map((one): [string, SimulatedStep] => [one.id, one]));

test("what is said before the run is so in every world: what runs, runs; what is skipped or not come to, does not; what depends is all that differs", () => {
  let open = 0;
  fc.assert(
    fc.property(shapes, (inside) => {
      const before = sequenceOf(inside, undefined);
      const said = simulate(before.sequence, before.device, [], { platform: "linux" });
      if (said.outcome === "depends") open++;
      const foreseen = leaves(said);
      for (const x of ["1", "2", "3", ""]) {
        const world = sequenceOf(inside, x);
        const was = simulate(world.sequence, world.device, [], { platform: "linux" });
        const happened = leaves(was);
        assert.notEqual(was.outcome, "depends");
        if (said.outcome !== "depends") assert.equal(was.outcome, said.outcome, `X is ${x}`);
        for (const { id } of inside.length === 0 ? [] : [...allIds(before.sequence.steps)]) {
          if (id === "ask") continue;
          const [a, b] = [foreseen.get(id), happened.get(id)];
          const ran = b?.action === "runs" || b?.action === "fails";
          if (a === undefined || a.action === "skipped") assert.equal(ran, false, `${id} is ${a?.action ?? "not come to"}, and with X ${x} it ${b?.action ?? ""}`);
          else if (a.action === "runs" || a.action === "fails") assert.equal(b?.action, a.action, `${id} ${a.action}, and with X ${x} it is ${b?.action ?? "not come to"}`);
          else if (a.wouldFail !== undefined) assert.notEqual(b?.action, "runs", `${id} would fail if it ran, and with X ${x} it runs`);
        }
        for (const { name, value, setBy } of said.variables) {
          if (setBy === undefined && name !== "X") assert.equal(was.variables.find((one) => one.name.toLowerCase() === name.toLowerCase())?.value, value, `${name} with X ${x}`);
        }
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(open > 10, `${open} sequences of which the end is open`);
});

function* allIds(steps: readonly { id: string; steps?: readonly { id: string }[] | undefined }[]): Generator<{ id: string }> {
  for (const step of steps) {
    if (step.steps === undefined) yield step;
    else yield* allIds(step.steps);
  }
}
