import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { statusDocumentation, statusKinds, statusMessageSchema } from "@prestage/contract";
import { statusMessagesPage } from "../setup/status-messages-page.mjs";

const root = join(import.meta.dirname, "..");
const ofEvery = ["number", "time", "kind", "environment", "deploymentId"];

test("docs/status-messages.md is what the contract package says", async () => {
  assert.equal(await readFile(join(root, "docs/status-messages.md"), "utf8"), await statusMessagesPage(), "run `node setup/status-messages-page.mjs`");
});

test("each kind's example is a message of that kind with the fields it is said to carry, and the page tells of every field", async () => {
  const page = await readFile(join(root, "docs/status-messages.md"), "utf8");
  for (const field of Object.keys(statusMessageSchema.shape)) assert.match(page, new RegExp(`^\\| \`${field}\` \\|`, "m"));
  for (const kind of statusKinds) {
    const { example, carries, mayCarry = [] } = statusDocumentation[kind];
    assert.deepEqual(statusMessageSchema.parse(example), example, kind);
    const fields = Object.keys(example).filter((name) => !ofEvery.includes(name));
    assert.equal(example.kind, kind);
    assert.deepEqual([carries.filter((name) => !fields.includes(name)), fields.filter((name) => ![...carries, ...mayCarry].some((one) => one === name))], [[], []], kind);
  }
});

test("every kind is sent by the agent, and the console has the word for it that the page says", async () => {
  const source = join(root, "packages/agent/src");
  const files = (await readdir(source, { recursive: true })).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("fixtures/"));
  const texts = await Promise.all(files.map((file) => readFile(join(source, file), "utf8")));
  assert.deepEqual(statusKinds.filter((kind) => !texts.some((text) => new RegExp(`(kind: |#report(State)?\\()"${kind}"`).test(text))), [], "these are sent by nobody");
  const [, words = ""] = /const words = \{(.*?)\};/s.exec(await readFile(join(root, "packages/console/src/page/console.js"), "utf8")) ?? [];
  const found = new Map([...words.matchAll(/"?([a-z-]+)"?: "([^"]+)"/g)].map(([, kind, word]) => [kind, word]));
  assert.deepEqual(Object.fromEntries(found), Object.fromEntries(statusKinds.map((kind) => [kind, statusDocumentation[kind].console])));
});
