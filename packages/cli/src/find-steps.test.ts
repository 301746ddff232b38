import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskSequenceYaml } from "@prestage/sequence";
import { findScopes, findSteps } from "./find-steps.ts";
import type { FindFilter, FindScope } from "./find-steps.ts";

const sequence = parseTaskSequenceYaml(`name: Deploy
steps:
  - { id: apply, name: Apply the system, description: From the disk, type: apply-os-image, with: { osImage: ABC00003 } }
  - id: office
    name: Office machines
    description: Branches only
    type: group
    when: { all: [{ variable: Role, equals: office }, { hardware: model, like: "OptiPlex*" }] }
    steps:
      - { id: tool, name: Tools, type: install-application, with: { application: ABC00004 }, continueOnError: true, disabled: true }
      - { id: say, name: Say, type: run-command-line, with: { command: "echo %Greeting%", outputVariable: Said } }
`);
const found = (text: string, scopes: readonly FindScope[] = findScopes, filter: FindFilter = {}) => findSteps(sequence, text, scopes, filter).map((one) => one.id);

test("a text is found where it stands, in any letter case", () => {
  assert.deepEqual(found("OFFICE"), ["office"]);
  assert.deepEqual(findSteps(sequence, "office")[0]?.scopes, ["group-name", "condition"]);
  for (const [text, scope, ids] of [
    ["apply", "step-name", ["apply"]], ["disk", "step-description", ["apply"]], ["install", "step-type", ["tool"]], ["office", "group-name", ["office"]], ["branches", "group-description", ["office"]],
    ["greeting", "variable", ["say"]], ["said", "variable", ["say"]], ["role", "variable", ["office"]], ["echo", "variable", []], ["optiplex", "condition", ["office"]], ["ABC00004", "content", ["tool"]], ["echo", "settings", ["say"]], ["apply", "group-name", []],
  ] as const) assert.deepEqual(found(text, [scope]), ids, `${text} in ${scope}`);
});

test("the filters narrow it, also without a text", () => {
  assert.deepEqual(found("", findScopes, { continueOnError: true }), ["tool"]);
  assert.deepEqual(found("", findScopes, { withConditions: true }), ["office"]);
  assert.deepEqual(found("tools", findScopes, { withConditions: true }), []);
  assert.deepEqual(findSteps(sequence, "Say")[0]?.path, ["Office machines"]);
});
