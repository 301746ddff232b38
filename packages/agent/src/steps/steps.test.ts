import assert from "node:assert/strict";
import { test } from "node:test";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { isForModel } from "./apply-driver-package.ts";
import { stepExecutors } from "./index.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("every step has its executor under its own type", () => {
  assert.deepEqual([...stepExecutors.keys()].sort(), ["apply-driver-package", "apply-os-image", "install-application", "install-package", "partition-disk", "restart", "run-command-line", "set-up-operating-system", "set-variable"]);
});

test("the disk that holds /prestage is never partitioned", async () => {
  const fixture = await makeRunFixture([{ type: "partition-disk" }]);
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "1", machine }), { result: "failed" });
  assert.ok(fixture.events.some((event) => event.includes("PRESTAGE_AGENT_DISK_PROTECTED") && event.includes("_SMSTSMediaType notEquals OEMMedia")));
});

test("a package's program runs in the package's folder; one that is not there is named", async () => {
  const content = [contentOf("ABC00007", { kind: "package", programs: [{ name: "Install", command: "pwd; exit 7", successCodes: [7] }] })];
  const fixture = await makeRunFixture([{ type: "install-package", with: { package: "ABC00007", program: "install" } }, { type: "install-package", with: { package: "ABC00007", program: "remove" } }], content);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "failed" });
  assert.ok(fixture.logged.some((line) => line.endsWith("content/ABC00007")));
  assert.ok(fixture.events.some((event) => event.includes("found Install")));
});

test("driver packages are for models, compared without case and with *", () => {
  assert.equal(isForModel("anything", []), true);
  assert.equal(isForModel("Standard PC (Q35 + ICH9, 2009)", ["standard pc*"]), true);
  assert.equal(isForModel("OptiPlex 7090", ["Latitude*", "optiplex 70?0"]), false);
  assert.equal(isForModel("a.b", ["a*b", "x"]), true);
});
