import assert from "node:assert/strict";
import { test } from "node:test";
import { contentReferences, parseTaskSequenceYaml, secretNames, taskSequenceJsonSchema, taskSequenceSchema } from "./index.ts";

const text = `
name: Debian 12
steps:
  - name: Partition disk
    type: partition-disk
    when: { variable: _SMSTSMediaType, notEquals: OEMMedia }
  - name: Apply operating system
    id: apply
    type: apply-os-image
    with: { osImage: "{ABC00001}", index: 1 }
  - name: Software
    type: group
    continueOnError: true
    steps:
      - { name: Install, type: install-application, with: { applications: [ABC00003, ABC00004] } }
      - { name: Install, type: install-application, disabled: true, with: { application: ABC00005 } }
      - { name: Chosen, type: install-package, with: { package: "%PACKAGE%", program: install } }
`;

test("a sequence is read; steps without an id get one from their names", () => {
  const sequence = parseTaskSequenceYaml(text);
  assert.deepEqual(sequence.steps.map((step) => step.id), ["partition-disk", "apply", "software"]);
  assert.deepEqual(sequence.steps[2]?.steps?.map((step) => step.id), ["install", "install-2", "chosen"]);
  assert.deepEqual(taskSequenceSchema.parse(JSON.parse(JSON.stringify(sequence))), sequence);
  assert.deepEqual(parseTaskSequenceYaml(text), sequence);
});

test("content is found by the keys that name it, without knowing the step; disabled steps and variables name none", () => {
  assert.deepEqual(contentReferences(parseTaskSequenceYaml(text)), [
    { objectId: "ABC00001", kind: "os-image" },
    { objectId: "ABC00003", kind: "application" },
    { objectId: "ABC00004", kind: "application" },
  ]);
});

test("what is wrong is named with its line", () => {
  const cases: [string, RegExp][] = [
    ["name: x\nsteps:\n  - name: a\n    type: Foo Bar\n", /line 4: steps\.0\.type/],
    ["name: x\nsteps:\n  - name: a\n    type: group\n", /line 3: .*a group has `steps`/],
    ["name: x\nsteps:\n  - { id: a, name: a, type: b }\n  - { id: a, name: c, type: d }\n", /two steps have the id a/],
    ["name: x\nsteps:\n  - { name: a, type: b, when: { variable: X } }\n", /exactly one operator/],
    ["name: x\nsteps:\n  - { name: a, type: b, when: { variable: X, equals: 1, like: 2 } }\n", /exactly one operator/],
    ["name: x\nsteps:\n  - { name: a, type: b, with: { a: .nan } }\n", /line 3/],
    ["name: x\nname: y\nsteps: []\n", /line 2/],
    ["name: [", /line 1/],
    ["[".repeat(200_000), /Expected YAML/],
    [`a: &a [1]\nb: &b [${"*a,".repeat(19)}]\nc: [${"*b,".repeat(19)}]\n`, /at most 20 aliases/],
    [`name: x\nsteps: ${"[".repeat(80)}${"]".repeat(80)}\n`, /at most 64 levels/],
  ];
  for (const [yaml, message] of cases) {
    assert.throws(() => parseTaskSequenceYaml(yaml), (error: Error & { code?: string }) => error.code === "PRESTAGE_SEQUENCE_MALFORMED" && message.test(error.message), yaml.slice(0, 80));
  }
  assert.throws(() => parseTaskSequenceYaml("x".repeat(4 * 1024 * 1024 + 1)), { code: "PRESTAGE_SEQUENCE_LARGE", message: /at most 4194304 bytes/ });
});

test("the JSON Schema describes steps within steps", () => {
  const schema = JSON.stringify(taskSequenceJsonSchema());
  for (const word of ["continueOnError", "notExists", "\"steps\"", "$ref"]) assert.ok(schema.includes(word), word);
});

test("a step names the secrets it needs; what cannot be a name in an environment, or would put one on a command line, is refused", () => {
  const one = (step: string) => parseTaskSequenceYaml(`name: x\nsteps:\n  - { name: a, type: run-command-line, ${step} }\n`);
  assert.deepEqual(secretNames(one("secrets: [JOIN_PASSWORD, second], with: { command: 'echo $JOIN_PASSWORD' }")), ["JOIN_PASSWORD", "second"]);
  assert.deepEqual(secretNames(parseTaskSequenceYaml(text)), []);
  for (const [bad, why] of [
    ["secrets: [A-B]", /line 3.*letters, digits and _/], ["secrets: []", /secrets/], ["secrets: [PATH]", /environment of a command/], ["secrets: [ld_preload]", /environment of a command/], ["secrets: [_SMSTSX]", /environment of a command/],
    ["secrets: [A, a]", /named twice/], ["secrets: [JOIN], with: { command: 'net join %Join%' }", /line 3.*command line/],
  ] as const) assert.throws(() => one(bad), why, bad);
  assert.throws(() => parseTaskSequenceYaml("name: x\nsteps:\n  - { name: g, type: group, secrets: [A], steps: [{ name: a, type: restart }] }"), /a group has no `secrets`/);
});
