import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { taskSequenceSchema } from "../schema.ts";
import { deviceDescriptionSchema } from "./device-description.ts";
import { simulate } from "./simulate.ts";

const sequence = parseTaskSequenceYaml(`
name: Branch
steps:
  - { name: Partition, type: partition-disk, when: { variable: _SMSTSMediaType, notEquals: OEMMedia } }
  - { name: Apply, type: apply-os-image, with: { osImage: "%Image%" } }
  - { name: Set up, type: set-up-operating-system, with: { computerName: "%OSDComputerName%" } }
  - { name: Restart, type: restart }
  - name: Tools
    type: group
    continueOnError: true
    steps:
      - { name: Role, type: set-variable, with: { name: Role, value: "%Where%-desktop" }, when: { hardware: memoryMiB, greaterOrEqual: 4096 } }
      - { name: Tool, type: install-application, with: { application: ABC00004 }, retry: { times: 1 } }
      - { name: After, type: run-command-line, with: { command: "echo %Role%" } }
  - { name: Kiosk, type: run-command-line, with: { command: "echo kiosk" }, when: { all: [{ variable: Role, like: "*kiosk" }, { software: jq, exists: true }] } }
`);
const device = (more: object = {}) => deviceDescriptionSchema.parse({ hardware: { memoryMiB: 8192 }, variables: { collection: { Where: "branch", OSDComputerName: "FROM-COLLECTION" }, device: { OSDComputerName: "BRANCH-07" }, media: { Image: "ABC00003" } }, ...more });

test("what runs and why, where values come from and what they took the place of, what content is used", () => {
  const { steps, outcome, notDescribed } = simulate(sequence, device());
  assert.equal(outcome, "succeeded");
  assert.deepEqual(steps.map((one) => [one.name, one.action, one.environment, one.why]), [
    ["Partition", "skipped", "environment", '_SMSTSMediaType is "OEMMedia"'], ["Apply", "runs", "environment", "it has no condition"], ["Set up", "runs", "environment", "it has no condition"], ["Restart", "runs", "environment", "it has no condition"],
    ["Tools", "group", "installed", "it has no condition"], ["Role", "runs", "installed", 'hardware memoryMiB is "8192"'], ["Tool", "runs", "installed", "it has no condition"], ["After", "runs", "installed", "it has no condition"], ["Tools", "group-ends", "installed", "succeeded"],
    ["Kiosk", "skipped", "installed", 'Role is "branch-desktop"'],
  ]);
  const named = (name: string) => steps.find((one) => one.name === name);
  assert.deepEqual(named("Set up")?.variables, [{ name: "OSDComputerName", value: "BRANCH-07", source: "device", insteadOf: [{ value: "FROM-COLLECTION", source: "collection" }] }]);
  assert.deepEqual([named("Apply")?.content, named("Tool")?.content, named("Partition")?.content], [[{ objectId: "ABC00003", kind: "os-image" }], [{ objectId: "ABC00004", kind: "application" }], []]);
  assert.deepEqual([named("Role")?.sets, named("After")?.settings], [[{ name: "Role", value: "branch-desktop" }], { command: "echo branch-desktop" }]);
  assert.deepEqual(named("Restart")?.restart, "installed");
  assert.deepEqual(notDescribed, ["software jq"]);
});

test("a step described to fail is tried again, fails its group, and the run goes on by the rule", () => {
  const { steps, outcome } = simulate(sequence, device({ outcomes: { tool: "failed" } }));
  assert.deepEqual(steps.slice(-4).map((one) => [one.name, one.action]), [["Tool", "fails"], ["Tool", "fails"], ["Tools", "group-ends"], ["Kiosk", "skipped"]]);
  assert.equal(outcome, "succeeded");
});

test("a sequence of more than ten thousand steps is gone through to its end", () => {
  const inside = (group: number) => Array.from({ length: 500 }, (_, i) => ({ id: `s${group * 500 + i}`, name: `S${group * 500 + i}`, type: "set-variable", with: { name: "Last", value: group * 500 + i } }));
  const steps = Array.from({ length: 21 }, (_, group) => ({ id: `g${group}`, name: `G${group}`, type: "group", steps: inside(group) }));
  const { steps: seen, outcome, variables, notReached } = simulate(taskSequenceSchema.parse({ name: "t", steps }), device());
  assert.deepEqual([seen.length, outcome, variables.find(({ name }) => name === "Last")?.value, notReached], [10_542, "succeeded", "10499", []]);
});

test("a step that asks to be run again after every restart ends as the engine has it", () => {
  const again = parseTaskSequenceYaml("name: t\nsteps:\n  - name: Again\n    type: set-dynamic-variables\n    with: { rules: [{ make: '*', model: '*', set: { SMSTSRebootRequested: HD, SMSTSRetryRequested: true } }] }\n");
  const { steps, outcome } = simulate(again, device({ hardware: { manufacturer: "A", model: "B" } }));
  assert.deepEqual([steps.length, outcome], [21, "failed"]);
});

test("a variable that a condition names is explained as one that a setting holds is, with what it took the place of", () => {
  const one = parseTaskSequenceYaml('name: t\nsteps:\n  - { name: A, type: run-command-line, with: { command: "echo %role%" }, when: { any: [{ variable: Role, equals: "%Wanted%" }, { none: [{ file: "/etc/%Place%", exists: true }] }] } }\n');
  const { steps } = simulate(one, device({ variables: { device: { Role: "kiosk", Wanted: "kiosk" }, collection: { Role: "desk" } } }));
  assert.deepEqual([steps[0]?.why, steps[0]?.variables], ['Role is "kiosk"', [
    { name: "Role", value: "kiosk", source: "device", insteadOf: [{ value: "desk", source: "collection" }] }, { name: "Wanted", value: "kiosk", source: "device", insteadOf: [] }, { name: "Place", value: undefined, insteadOf: [] },
  ]]);
});

test("a step that cannot run where it comes fails", () => {
  const { steps, outcome } = simulate(parseTaskSequenceYaml("name: t\nsteps:\n  - { name: Tool, type: install-application, with: { application: ABC00004 } }\n"), device());
  assert.deepEqual([steps[0]?.action, steps[0]?.why, outcome], ["fails", "it cannot run in the boot environment", "failed"]);
});

test("software named by a pattern of many stars is looked for at once", () => {
  const one = parseTaskSequenceYaml(`name: t\nsteps:\n  - { name: A, type: restart, when: { software: "${"a*".repeat(8)}b", exists: true } }\n`);
  const started = performance.now();
  assert.equal(simulate(one, device({ software: { ["a".repeat(60)]: "1" } })).steps[0]?.action, "skipped");
  assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
});

test("a variable that a run would not set is not set in thought, either", () => {
  const text = (name: string, value: string) => `name: t\nsteps:\n  - { name: Set, type: set-variable, with: { name: ${name}, value: "${value}" }, continueOnError: true }\n`;
  for (const [name, value] of [["_SMSTSMediaType", "x"], ["Long", "%Text%".repeat(2)]] as const) {
    const { steps, outcome, variables } = simulate(parseTaskSequenceYaml(text(name, value)), device({ variables: { device: { Text: "x".repeat(4000) } } }));
    assert.deepEqual([steps[0]?.action, steps[0]?.sets, outcome], ["fails", [], "succeeded"]);
    assert.equal(variables.find((one) => one.name === "_SMSTSMediaType")?.value, "OEMMedia");
  }
});

test("the content of a dynamic list is what its variables name, to the first that is not set; on Windows each step shows what it would run", () => {
  const listed = parseTaskSequenceYaml(`
name: Lists
steps:
  - { name: Restart, type: restart }
  - { name: Apps, type: install-application, with: { baseVariable: APP } }
  - { name: Packages, type: install-package, with: { baseVariable: PKG } }
  - { name: Command, type: run-command-line, with: { command: "msiexec /i \\"a b.msi\\"" } }
`);
  const variables = { device: { app01: "ABC00004", APP02: "{ABC00005}", APP04: "ABC00006", PKG001: "ABC00007:Apply" } };
  const { steps } = simulate(listed, deviceDescriptionSchema.parse({ variables, operatingSystem: { name: "Windows" } }));
  assert.deepEqual(steps.map((one) => one.content), [[], [{ objectId: "ABC00004", kind: "application" }, { objectId: "ABC00005", kind: "application" }], [{ objectId: "ABC00007", kind: "package" }], []]);
  assert.deepEqual(steps.at(-1)?.windows?.commands?.map((one) => [one.program, one.arguments.at(-1)]), [["cmd.exe", '"msiexec /i "a b.msi""']]);
});
