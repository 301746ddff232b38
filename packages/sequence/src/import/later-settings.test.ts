import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, parseTaskSequenceYaml } from "../index.ts";
import { importSequence, readSourceSequence, readXml } from "./index.ts";

const settings = (given: Readonly<Record<string, string>>) => `<defaultVarList>${Object.entries(given).map(([name, value]) => `<variable name="${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList>`;
const step = (type: string, name: string, inside = "") => `<step type="SMS_TaskSequence_${type}Action" name="${name}">${inside}</step>`;
const imported = (body: string, origin: "configmgr" | "mdt" = "configmgr") => importSequence(readSourceSequence(readXml(Buffer.from(`<sequence version="3.10" name="Small">${body}</sequence>`))), { origin });
const stepsOf = (body: string, origin: "configmgr" | "mdt" = "configmgr") => [...allSteps(parseTaskSequenceYaml(imported(body, origin).yaml).steps)];

test("a restart keeps its message and how long that stands; without a message it restarts at once; a password in it is left out", () => {
  const restart = (given: Record<string, string>) => stepsOf(step("Reboot", "Restart", settings({ Target: "HD", ...given })))[0]?.with;
  assert.deepEqual(restart({ Message: "The new system starts.", MessageTimeout: "30" }), { to: "installed", message: "The new system starts.", delaySeconds: 30 });
  assert.deepEqual(restart({ Message: "The new system starts." }), { to: "installed", message: "The new system starts." });
  assert.deepEqual(restart({ Message: "", MessageTimeout: "60" }), { to: "installed" });
  assert.deepEqual(restart({ Message: "x", MessageTimeout: "0" }), { to: "installed", message: "x", delaySeconds: 0 });
  assert.equal(JSON.stringify(restart({ Message: "log on with /password:hunter2" })).includes("hunter2"), false);
  assert.deepEqual(stepsOf(step("Reboot", "Restart", settings({ Message: "Now.", MessageTimeout: "5" })), "mdt")[0]?.with, { to: "installed", message: "Now.", delaySeconds: 5 });
});

test("variables of the run, of the debugger and of partitions go through; a data image goes onto the partition a variable names", () => {
  const names = ["SMSTSRebootMessage", "SMSTSErrorDialogTimeout", "TSDebugOnError", "OSDPartitions", "OSDDiskIndex", "OSDTimeZone"];
  assert.deepEqual(stepsOf(names.map((name) => step("SetVariable", name, settings({ VariableName: name, VariableValue: "1" }))).join("")).map((one) => [one.type, one.disabled, one.with?.["name"]]), names.map((name) => ["set-variable", undefined, name]));
  const [, image] = stepsOf(step("ApplyOperatingSystem", "Image", settings({ ImagePackageID: "PS100001" })) + step("ApplyDataImage", "Maps", settings({ ImagePackageID: "PS100012", DestinationVariable: "DataPartition" })));
  assert.deepEqual([image?.disabled, image?.with?.["partition"]], [undefined, "%DataPartition%"]);
});

test("of a readiness check what concerns the system that is replaced is noted, the rest is checked", () => {
  const body = step("PrestartCheck", "Ready", settings({ CheckMemory: "true", Memory: "2048", CheckOSType: "true", OSType: "CLIENT", CheckTPMEnabled: "true" }));
  const [ready] = stepsOf(body);
  assert.deepEqual([ready?.type, ready?.disabled, ready?.with], ["check-readiness", undefined, { memoryMiB: 2048, processorMHz: 0, tpm: true }]);
  assert.match(imported(body).report.lines[0]?.notes.join() ?? "", /OSType concern a system that is replaced/);
});
