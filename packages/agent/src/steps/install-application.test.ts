import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ApplicationDefinition } from "@prestage/contract";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { installOrder } from "./install-order.ts";

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

test("a list of variables to the first gap; retries; what a failure leaves of a list that goes on", async () => {
  const content = [contentOf("ABC00001", application({}))];
  const fixture = await makeRunFixture([
    { type: "install-application", with: { baseVariable: "APP", retries: 2, retryMilliseconds: 1 } },
    { type: "run-command-line", with: { command: "echo %_TSAppInstallStatus%", outputVariable: "First" } },
    { type: "install-application", with: { applications: ["ABC00003", "ABC00004", "ABC00005"], continueOnInstallError: "true" } },
    { type: "run-command-line", with: { command: "echo %_TSAppInstallStatus%", outputVariable: "Second" } },
    { type: "install-application", with: { baseVariable: "None" } },
    { type: "run-command-line", with: { command: "echo %_TSAppInstallStatus% %First% %Second% > out; test -f installed", workingFolder: "/tmp" }, continueOnError: true },
    { type: "run-command-line", with: { command: "echo %_TSAppInstallStatus% %First% %Second%", outputVariable: "All" } },
  ], content);
  const { folder } = fixture;
  content.splice(0, 1, writing(folder, "ABC00001"), writing(folder, "ABC00002", { installCommand: `echo x >> ${folder}/tries; test $(wc -l < ${folder}/tries) -ge 3 && echo ABC00002 >> ${folder}/installed` }),
    writing(folder, "ABC00003"), writing(folder, "ABC00004", { installCommand: "exit 7" }), writing(folder, "ABC00005", { dependencies: ["ABC00004"] }), writing(folder, "ABC00009"));
  const variables = [["APP01", "ABC00001"], ["app02", "{ABC00002}"], ["APP04", "ABC00009"]].map(([name = "", value = ""]) => ({ name, value, source: "device" as const }));
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables }), { bootId: "1", machine }), { result: "succeeded" });
  assert.equal(await readFile(join(folder, "installed"), "utf8"), "ABC00001\nABC00002\nABC00003\n", "what depends on one that failed is left out, and nothing after the gap is installed");
  assert.equal(await readFile(join(folder, "tries"), "utf8"), "x\nx\nx\n");
  assert.equal(fixture.kept.findLast((message) => message.kind === "step-finished")?.outputTail, "Undefined Success Error");
});

test("a requirement that is not met is a warning, and a failure where asked; what is superseded goes first, where it is", async () => {
  const content = [contentOf("ABC00001", application({}))];
  const fixture = await makeRunFixture([
    { type: "install-application", with: { application: "ABC00001" } },
    { type: "run-command-line", with: { command: "echo %_TSAppInstallStatus%" } },
    { type: "install-application", with: { application: "ABC00002" } },
    { type: "install-application", with: { application: "ABC00001" } },
  ], content);
  const { folder } = fixture;
  const context = async (bootId: string, variables: { name: string; value: string; source: "device" }[] = []) => runSequence(await fixture.context({ environment: "installed", variables }), { bootId, machine });
  content.splice(0, 1, writing(folder, "ABC00001", { requirement: { variable: "Role", equals: "desk" } }),
    writing(folder, "ABC00002", { supersedes: ["ABC00003", "ABC00004"] }),
    contentOf("ABC00003", application({ detection: [{ type: "file", path: `${folder}/old` }], uninstallCommand: `rm ${folder}/old; echo removed >> ${folder}/installed` })),
    contentOf("ABC00004", application({ detection: [{ type: "file", path: `${folder}/never` }], uninstallCommand: "exit 9" })));
  await writeFile(join(folder, "old"), "");
  assert.deepEqual(await context("1", [{ name: "TSErrorOnWarning", value: "", source: "device" }]), { result: "succeeded" });
  assert.equal(await readFile(join(folder, "installed"), "utf8"), "removed\nABC00002\n");
  assert.ok(fixture.kept.some((message) => message.outputTail === "Warning"));
  assert.ok(fixture.logged.some((line) => line.includes("is not for this computer: variable Role does not exist") || /not for this computer: .*Role does not exist/.test(line)));
  const strict = await makeRunFixture([{ type: "install-application", with: { application: "ABC00001", errorOnWarning: true } }], content);
  assert.deepEqual(await runSequence(await strict.context({ environment: "installed" }), { bootId: "1", machine }), { result: "failed" });
});

test("one that asked for a restart and is there after it may be installed again once it was removed", async () => {
  const content = [contentOf("ABC00001", application({}))];
  const fixture = await makeRunFixture([
    { type: "install-application", with: { application: "ABC00001" } },
    { type: "run-command-line", with: { command: "true" } },
    { type: "install-application", with: { application: "ABC00001" } },
  ], content);
  const { folder } = fixture;
  content.splice(0, 1, writing(folder, "ABC00001", { installCommand: `echo ABC00001 >> ${folder}/installed; test -e ${folder}/second || exit 194`, restartCodes: [194] }));
  const start = async (bootId: string) => runSequence(await fixture.context({ environment: "installed" }), { bootId, machine });
  assert.deepEqual(await start("1"), { result: "restart", to: "installed" });
  content.splice(0, 1, { ...content[0]!, definition: { ...application({}), installCommand: `echo ABC00001 >> ${folder}/installed`, detection: [{ type: "command", command: `test -e ${folder}/gone && test $(wc -l < ${folder}/installed) -lt 2 && exit 1; touch ${folder}/gone; test -s ${folder}/installed` }] } });
  assert.deepEqual(await start("2"), { result: "succeeded" });
  assert.equal(await readFile(join(folder, "installed"), "utf8"), "ABC00001\nABC00001\n");
});
