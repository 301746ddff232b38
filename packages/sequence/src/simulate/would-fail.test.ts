import assert from "node:assert/strict";
import { test } from "node:test";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { deviceDescriptionSchema } from "./device-description.ts";
import { simulate } from "./simulate.ts";

const run = (steps: string, device: object = {}, knowledge: LintKnowledge = {}) => simulate(parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`), deviceDescriptionSchema.parse(device), [], knowledge);
const restart = "  - { name: Restart, type: restart }\n";
const then = "  - { name: Then, type: run-command-line, with: { command: echo } }\n";

test("a step that certainly fails ends the sequence, its group or nothing, as the engine has it; what is not come to is named", () => {
  const broken = (more = "") => `- { name: Apply, type: apply-os-image, with: { osImage: "%Image%" }${more} }`;
  const alone = run(`  ${broken()}\n${then}`);
  assert.deepEqual([alone.outcome, alone.steps.map(({ name, action }) => [name, action]), alone.notReached], ["failed", [["Apply", "fails"]], [{ id: "then", name: "Then" }]]);
  assert.match(alone.steps[0]?.wouldFail ?? "", /^osImage: .*\(Image is not set\)$/);
  const borne = run(`  ${broken(", continueOnError: true")}\n${then}`);
  assert.deepEqual([borne.outcome, borne.steps.map(({ action }) => action), borne.notReached], ["succeeded", ["fails", "runs"], []]);
  const group = (more: string) => run(`  - name: Group\n    type: group\n${more}    steps:\n      ${broken()}\n      - { name: Rest, type: run-command-line, with: { command: echo } }\n${then}`);
  assert.deepEqual([group("").outcome, group("").notReached.map(({ name }) => name)], ["failed", ["Rest", "Then"]]);
  const kept = group("    continueOnError: true\n");
  assert.deepEqual([kept.outcome, kept.steps.map(({ name, action }) => [name, action]), kept.notReached.map(({ name }) => name)], ["succeeded", [["Group", "group"], ["Apply", "fails"], ["Group", "group-ends"], ["Then", "runs"]], ["Rest"]]);
});

test("why it would fail: settings, variables that are not set, content the site does not have, a disk that holds the media, names that are read-only, a step of another system", () => {
  const objects: LintKnowledge["objects"] = new Map([["ABC00005", { kind: "package", name: "Tools", programs: ["Run"] }]]);
  const whys: [string, RegExp, object?, LintKnowledge?][] = [
    [`${restart}  - { name: S, type: join-directory, with: { password: { secret: JOIN } } }\n`, /OSDJoinDomainName/],
    [`${restart}  - { name: S, type: install-package, with: { package: "%Tools%", program: Run } }\n`, /^it names ABC00009; the site has no such object$/, { variables: { device: { Tools: "ABC00009" } } }, { objects }],
    [`${restart}  - { name: S, type: install-application, with: { application: "%Tools%" } }\n`, /of kind package, and not an application$/, { variables: { device: { Tools: "ABC00005" } } }, { objects }],
    [`${restart}  - { name: S, type: install-package, with: { package: ABC00005, program: Walk } }\n`, /only Run/, {}, { objects }],
    ["  - { name: S, type: partition-disk }\n", /prestaged media included/],
    ["  - { name: S, type: partition-disk, with: { disk: /dev/sdb } }\n", /OSDPartitionStyle/, { variables: { device: { OSDPartitions: "1", OSDPartitionStyle: "MBR" } } }],
    ['  - { name: S, type: run-script, with: { script: "true", outputVariable: _Output } }\n', /it is read-only/],
    ["  - { name: S, type: set-dynamic-variables, with: { rules: [{ make: LENOVO, model: '*', set: { _SMSTSMake: desk } }] } }\n", /_SMSTSMake.*read-only/, { hardware: { manufacturer: "LENOVO", model: "T" } }],
    [`${restart}  - { name: S, type: enable-bitlocker }\n`, /for windows/, {}, { platform: "linux" }],
    [`${restart}  - { name: S, type: run-script, with: { script: "true" } }\n`, /no sh on Windows/, { operatingSystem: { name: "Windows" } }],
  ];
  for (const [steps, expected, device, knowledge] of whys) {
    const { steps: seen, outcome } = run(steps, device, knowledge);
    assert.deepEqual([seen.at(-1)?.action, outcome], ["fails", "failed"], steps);
    assert.match(seen.at(-1)?.wouldFail ?? "", expected);
  }
});

test("a disk that a variable says is judged where the variable is known: another one is partitioned, the staged one is not", () => {
  const partition = "  - { name: Partition, type: partition-disk }\n";
  const ends = (steps: string, variables: object = {}) => run(steps, { variables: { device: variables } }).steps.at(-1)?.wouldFail;
  for (const fails of [ends(partition), ends(partition, { OSDDiskIndex: "0" }), ends(partition.replace("disk }", 'disk, with: { disk: "%Disk%" } }'), { Disk: "0" })]) assert.match(fails ?? "", /prestaged media included/);
  const ask = '  - { name: Ask, type: run-script, with: { script: "true", outputVariable: OSDDiskIndex } }\n';
  assert.deepEqual([ends(partition, { OSDDiskIndex: "1" }), ends(ask + partition)], [undefined, undefined]);
});

test("a rule that does not fit sets nothing that could be refused, and a setting that only the run knows is no failure before it", () => {
  assert.equal(run("  - { name: S, type: set-dynamic-variables, with: { rules: [{ make: Dell, model: '*', set: { _SMSTSRole: desk } }] } }\n", { hardware: { manufacturer: "LENOVO", model: "T" } }).outcome, "succeeded");
  const asked = '  - { name: Ask, type: run-script, with: { script: "true", outputVariable: Image } }\n';
  assert.equal(run(`${asked}  - { name: S, type: apply-os-image, with: { osImage: "%Image%" } }\n`).outcome, "succeeded");
});

test("a step that fails only if it runs: the rest of its group, and the sequence, hang on it", () => {
  const asked = '  - { name: Ask, type: run-script, with: { script: "true", outputVariable: Role } }\n';
  const step = (more = "") => `${asked}  - { name: S, type: apply-os-image, with: { osImage: "%Image%" }, when: { variable: Role, equals: desk }${more} }\n${then}`;
  const { steps, outcome } = run(step());
  assert.deepEqual([steps.map(({ action }) => action), outcome, steps[2]?.why], [["runs", "depends", "depends"], "depends", 'where "S" does not fail: it has no condition']);
  assert.match(steps[1]?.wouldFail ?? "", /osImage/);
  assert.deepEqual([run(step(", continueOnError: true")).steps.at(-1)?.action, run(step(", continueOnError: true")).outcome], ["runs", "succeeded"]);
  const inGroup = (more: string) => run(`${asked}  - name: Group\n    type: group\n    when: { variable: Role, equals: desk }\n${more}    steps: [{ name: S, type: apply-os-image, with: { osImage: "%Image%" } }, { name: Rest, type: restart }]\n${then}`);
  assert.deepEqual([inGroup("").outcome, inGroup("").notReached.map(({ name }) => name), inGroup("    continueOnError: true\n").outcome], ["depends", ["Rest"], "succeeded"]);
});
