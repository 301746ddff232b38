import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { parseTaskSequenceYaml, requireSecretsByName, SequenceError, settingsJsonSchema, stepTypes, taskSequenceJsonSchema } from "./index.ts";

const validate = new Ajv2020({ strict: false, allErrors: true }).compile(taskSequenceJsonSchema());
const check = (steps: string) => ({ good: validate(parse(`name: t\nsteps:\n${steps}`)), errors: validate.errors });

test("the schema takes every step type's example, as the reader does", () => {
  for (const { type, example } of stepTypes) {
    const text = example.split("\n").map((line) => `  ${line}\n`).join("");
    parseTaskSequenceYaml(`name: t\nsteps:\n${text}`);
    assert.deepEqual(check(text), { good: true, errors: null }, type);
  }
});

test("groups, conditions, variables in place of numbers and choices are taken", () => {
  for (const steps of [
    "  - name: G\n    type: group\n    when: { any: [{ hardware: memoryMiB, less: 4096 }, { none: [{ software: jq, exists: true }] }] }\n    steps: [{ name: R, type: restart, with: { to: '%WHERE%' } }]\n",
    "  - { name: A, type: apply-os-image, with: { osImage: '%IMAGE%', index: '%INDEX%' } }\n",
    "  - { name: C, type: run-command-line, with: { command: x, timeoutSeconds: 5 }, retry: { times: 2 }, timeLimitMinutes: 5, secrets: [JOIN] }\n",
    "  - { name: S, type: set-up-operating-system }\n",
  ]) assert.deepEqual(check(steps), { good: true, errors: null }, steps);
});

test("what the reader or lint refuses, the schema refuses while it is typed", () => {
  for (const steps of [
    "  - { name: R, type: restart, with: { too: installed } }\n", "  - { name: R, type: restart, with: { to: somewhere } }\n", "  - { name: X, type: make-coffee }\n", "  - { name: A, type: apply-os-image }\n",
    "  - { name: A, type: apply-os-image, with: { osImage: nothing } }\n", "  - { name: G, type: group }\n", "  - { name: R, type: restart, steps: [] }\n", "  - { type: restart }\n", "  - { name: R, type: restart, colour: red }\n",
    "  - { name: R, type: restart, when: { hardware: smell, exists: true } }\n",
  ]) assert.equal(check(steps).good, false, steps);
});

/** Each step type with a setting that is a secret, and what stands in that setting's place. */
const withSecret = (secret: string) => [
  `name: A, type: join-directory, with: { domain: ad.example.org, account: joiner, password: ${secret} }`,
  `name: A, type: connect-network-folder, with: { path: //files.example.org/a, variable: Share, account: reader, password: ${secret} }`,
  `name: A, type: encrypt-disk, with: { disk: /dev/sdb, partition: 1, passphrase: ${secret}, mountPoint: /srv/a }`,
  `name: A, type: enable-bitlocker, with: { protector: tpmAndPin, pin: ${secret} }`,
  `name: A, type: run-command-line, with: { command: whoami, account: { name: svc, password: ${secret} } }`,
  `name: A, type: run-script, with: { script: whoami, account: { name: svc, password: ${secret} } }`,
];

test("a secret in clear is refused: by the schema while it is typed, and before a text is kept wherever its step stands, without its being repeated", () => {
  const found = stepTypes.filter((type) => JSON.stringify(settingsJsonSchema(type)).includes('"secret":')).map(({ type }) => type);
  for (const type of found) assert.ok(withSecret("x").some((step) => step.includes(`type: ${type},`)) || ["install-package", "install-application"].includes(type), type);
  for (const step of withSecret("{ secret: NAME }")) {
    assert.deepEqual(check(`  - { ${step} }\n`), { good: true, errors: null }, step);
    requireSecretsByName(parseTaskSequenceYaml(`name: t\nsteps:\n  - { ${step} }\n`));
  }
  for (const literal of ["hunter2", "4711471147", "[hunter2]", "{ value: hunter2 }", "{ secret: NAME, value: hunter2 }", "{ secret: 'hunter2!' }"]) {
    for (const step of withSecret(literal)) {
      assert.equal(check(`  - { ${step} }\n`).good, false, step);
      for (const steps of [`  - { ${step} }\n`, `  - { ${step}, disabled: true }\n`, `  - { ${step}, continueOnError: true, when: { variable: A, exists: true } }\n`, `  - { name: G, type: group, disabled: true, steps: [{ ${step} }] }\n`]) {
        assert.throws(() => requireSecretsByName(parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`)), (error) => error instanceof SequenceError && error.code === "PRESTAGE_SEQUENCE_MALFORMED" && /(password|passphrase|pin) of the step "A"/.test(error.message) && !/hunter2|4711/.test(error.message), steps);
      }
    }
  }
});
