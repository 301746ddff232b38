import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ApplicationDefinition } from "@prestage/contract";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { installOrder } from "./install-application.ts";

const application = (change: Partial<ApplicationDefinition>): ApplicationDefinition => ({ kind: "application", installCommand: "true", detection: [{ type: "command", command: "false" }], successCodes: [0], restartCodes: [], dependencies: [], ...change });
const machine = { restart: async () => undefined, cleanUp: async () => undefined };

/** Applications that write a line into `installed` and are detected by it. */
function writing(folder: string, id: string, change: Partial<ApplicationDefinition> = {}) {
  return contentOf(id, application({ installCommand: `echo ${id} >> ${folder}/installed`, detection: [{ type: "command", command: `cat ${folder}/installed 2>/dev/null; true`, outputIncludes: id }], ...change }));
}

test("dependencies come first, each once", () => {
  const contents = [contentOf("ABC00001", application({ dependencies: ["ABC00002", "ABC00003"] })), contentOf("ABC00002", application({ dependencies: ["ABC00003"] })), contentOf("ABC00003", application({}))];
  assert.deepEqual(installOrder(["ABC00001", "ABC00002"], contents).map((one) => one.content.objectId), ["ABC00003", "ABC00002", "ABC00001"]);
  assert.throws(() => installOrder(["ABC00004"], contents), { code: "PRESTAGE_AGENT_CONTENT_UNKNOWN" });
  assert.throws(() => installOrder(["ABC00001"], [contentOf("ABC00001", application({ dependencies: ["ABC00001"] }))]), /ABC00001 needs ABC00001/);
});

test("an application is installed once, and again not at all when it is detected", async () => {
  const content = [contentOf("ABC00001", application({}))];
  const fixture = await makeRunFixture([{ type: "install-application", with: { applications: ["ABC00002", "{ABC00001}"] } }, { type: "install-application", with: { application: "ABC00001" } }], content);
  content.splice(0, 1, writing(fixture.folder, "ABC00001", { dependencies: ["ABC00003"] }), writing(fixture.folder, "ABC00002"), writing(fixture.folder, "ABC00003"));
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" });
  assert.equal(await readFile(join(fixture.folder, "installed"), "utf8"), "ABC00002\nABC00003\nABC00001\n");
  assert.ok(fixture.logged.some((line) => line.includes("content ABC00001 is installed already")));
});

test("an installation that says 0 but is not detected has failed", async () => {
  const fixture = await makeRunFixture([{ type: "install-application", with: { application: "ABC00001" } }], [contentOf("ABC00001", application({ detection: [{ type: "file", path: "/nowhere/at/all" }] }))]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "failed" });
  assert.ok(fixture.events.some((event) => event.includes("/nowhere/at/all is not there")));
});

test("a restart code restarts and looks again; one that never is detected does not restart for ever", async () => {
  const content = [contentOf("ABC00001", application({}))];
  const fixture = await makeRunFixture([{ type: "install-application", with: { applications: ["ABC00001", "ABC00002"] } }], content);
  content.splice(0, 1, contentOf("ABC00001", application({ installCommand: `echo x >> ${fixture.folder}/tries; exit 194`, restartCodes: [194], detection: [{ type: "file", path: `${fixture.folder}/detected` }] })), writing(fixture.folder, "ABC00002"));
  const start = async (bootId: string) => runSequence(await fixture.context({ environment: "installed" }), { bootId, machine });
  assert.deepEqual(await start("1"), { result: "restart", to: "installed" });
  assert.deepEqual(await start("2"), { result: "failed" });
  assert.equal(await readFile(join(fixture.folder, "tries"), "utf8"), "x\n");
});
