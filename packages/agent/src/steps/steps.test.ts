import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { stepTypes } from "@prestage/sequence";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { Journal } from "../journal/journal.ts";
import { readCim } from "../windows/cim.ts";
import { factsOf } from "../windows/windows-facts.ts";
import { checksOf, readinessOfWindows } from "./check-readiness.ts";
import type { ReadinessFacts } from "./check-readiness.ts";
import { isForModel } from "./install-drivers.ts";
import { stepExecutors } from "./index.ts";
import { gatewaysOf } from "./set-dynamic-variables.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("every step has its executor under its own type", () => {
  assert.deepEqual([...stepExecutors.keys()].toSorted(), stepTypes.filter((one) => !one.mergedAtSite).map((one) => one.type).toSorted());
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
  assert.equal(isForModel("What?", ["what?"]), true);
  // An expression that backtracks would not come to an end here.
  assert.equal(isForModel("a".repeat(2000), [`${"*a".repeat(60)}*b`]), false);
});

const variablesOf = async (folder: string) => Object.fromEntries((await Journal.open(join(folder, "prestage/state/journal"))).events.flatMap((event) => (event.kind === "variable-set" ? [[event.name, event.value]] : [])));

test("readiness: every check is made and told; one that is not met fails the step with 4316", async () => {
  const good = await makeRunFixture([{ type: "check-readiness", with: { memoryMiB: "1", processorMHz: 0, architecture: "x64" } }]);
  assert.deepEqual(await runSequence(await good.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" });
  assert.deepEqual(await variablesOf(good.folder), { _TS_CRMEMORY: "1", _TS_CRSPEED: "1", _TS_CRARCH: "1" });
  const bad = await makeRunFixture([{ type: "check-readiness", with: { memoryMiB: 999_999_999, processorMHz: 0, architecture: "arm64" } }]);
  assert.deepEqual(await runSequence(await bad.context(), { bootId: "1", machine }), { result: "failed" });
  await (await bad.context()).status.flush();
  const finished = bad.kept.find((message) => message.kind === "step-finished");
  assert.deepEqual([finished?.exitCode, finished?.error?.code, finished?.outputTail?.split("\n").map((line) => line.split(":")[0])], [4316, "PRESTAGE_AGENT_NOT_READY", ["NOT MET", "met", "NOT MET"]]);
  assert.match(finished?.error?.message ?? "", /memory in MiB \d+, needed at least 999999999; architecture x64, needed arm64/);
  assert.deepEqual(await variablesOf(bad.folder), { _TS_CRMEMORY: "0", _TS_CRSPEED: "1", _TS_CRARCH: "0" });
});

test("readiness of an installed Windows is judged by what it says of itself", async () => {
  const answers = ['[{"Vendor":"L"}]', "[]", "[]", '[{"SpecVersion":"2.0, 0, 1.38"}]', '[{"Size":"512110190592","MediaType":"Fixed hard disk media"}]', '{"MaxClockSpeed":2400}', '[{"OSArchitecture":"64-bit"}]', "[]", '{"BatteryStatus":1}', '{"MediaConnectState":1,"NdisPhysicalMedium":14,"HardwareInterface":true}'];
  const said = factsOf(readCim(answers, answers.length));
  const needs = { memoryMiB: 1, processorMHz: 2000, diskMiB: 500_000, architecture: "x64" as const, uefi: true, secureBoot: true, tpm: true, acPower: true, network: true, wiredNetwork: true };
  const checks = await checksOf(needs, readinessOfWindows({ ...said, hardware: { ...said.hardware, firmware: "uefi", secureBoot: "Disabled" } }, async () => 0));
  assert.deepEqual(checks.filter((one) => !one.holds).map((one) => [one.variable, one.found]), [["_TS_CRDISK", "488386"], ["_TS_CRUEFI", "false"], ["_TS_CRACPOWER", "false"]]);
  assert.equal(checks.length, 10);
});

test("readiness of the system that is there: name, versions part by part, language however it is written, free space, the agent's version", async () => {
  const there: Record<string, string> = { name: "debian", version: "12.8", language: "de_DE" };
  const facts = (system: Record<string, string>): ReadinessFacts => ({ hardware: async () => "1", system: async (name) => system[name], freeDiskMiB: async () => 5000, acPower: async () => true, network: async () => true, wiredNetwork: async () => true });
  const needs = { memoryMiB: 1, processorMHz: 1 };
  const missed = async (asked: object, system = there) => (await checksOf({ ...needs, ...asked }, facts(system))).filter((one) => !one.holds).map((one) => one.variable);
  assert.deepEqual(await missed({ operatingSystem: "Debian", osVersionAtLeast: "12.8", osVersionAtMost: "12", language: "de-de", freeDiskMiB: 5000, agentVersion: "0.1" }), []);
  assert.deepEqual(await missed({ operatingSystem: "ubuntu", osVersionAtLeast: "12.10", osVersionAtMost: "12.7", language: "fr-FR", freeDiskMiB: 5001, agentVersion: "99" }), ["_TS_CRDISK", "_TS_CROSTYPE", "_TS_CRMINOSVER", "_TS_CRMAXOSVER", "_TS_CROSLANGUAGE", "_TS_CRCLIENTMINVER"]);
  assert.deepEqual(await missed({ operatingSystem: "debian", osVersionAtLeast: "1", osVersionAtMost: "99" }, {}), ["_TS_CROSTYPE", "_TS_CRMINOSVER", "_TS_CRMAXOSVER"], "a bare disk has none");
});

test("scripts: of the sequence and of a package, by sh and by the agent's Node.js; arguments reach them as they are; output goes into a variable; nothing is left", async () => {
  const fixture = await makeRunFixture(
    [
      { type: "run-script", with: { script: 'echo a message >&2; printf "%s|" "$@"; echo; echo second', parameters: ["a b", "it's", "$HOME", "%WHO%"], outputVariable: "Sh" } },
      { type: "run-script", with: { language: "javascript", script: "console.log(process.argv.slice(2).join('+')); process.exitCode = 3;", parameters: ["x"], successCodes: [3], outputVariable: "Js" } },
      { type: "run-script", with: { package: "ABC00007", file: "sub/run.sh", outputVariable: "Folder" } },
      { type: "run-script", with: { package: "ABC00007", script: "pwd", workingFolder: "sub", outputVariable: "Below" } },
      { type: "run-script", with: { script: "yes long | head -c 5000", outputVariable: "Long" } },
      { type: "run-script", with: { package: "ABC00007", file: "none.sh" }, continueOnError: true },
      { type: "run-script", with: { package: "ABC00007", file: "../escape.sh" }, continueOnError: true },
      { type: "run-script", with: { script: "exit 9" } },
    ],
    [contentOf("ABC00007", { kind: "package", programs: [] })],
  );
  await mkdir(join(fixture.folder, "content/ABC00007/sub"), { recursive: true });
  await writeFile(join(fixture.folder, "content/ABC00007/sub/run.sh"), "basename $(pwd)");
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables: [{ name: "WHO", value: "you", source: "device" }] }), { bootId: "1", machine }), { result: "failed" });
  const found = await variablesOf(fixture.folder);
  assert.deepEqual([found["Sh"], found["Js"], found["Folder"], found["Below"], found["Long"]?.length], ["a b|it's|$HOME|you|\nsecond", "x", "ABC00007", join(fixture.folder, "content/ABC00007/sub"), 999]);
  await (await fixture.context()).status.flush();
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "step-finished").map((message) => message.error?.code ?? message.exitCode), [0, 3, 0, 0, 0, "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_FAILED"]);
  assert.deepEqual(await readdir(join(fixture.folder, "prestage/work")), []);
});

test("dynamic variables: what the computer is, and the rules that fit", async () => {
  const fixture = await makeRunFixture([
    { type: "set-variable", with: { name: "Kind", value: "Laptop-7" } },
    { type: "set-dynamic-variables", with: { rules: [{ variable: { name: "kind", equals: "laptop-?" }, set: { Role: "mobile", Number: 7 } }, { location: "no such gateway", set: { Role: "wrong" } }, { make: "no such make", model: "*", set: { Role: "wrong" } }, { computer: { serialNumber: "no such*", macAddress: "00-00-00-00-00-0?" }, set: { Role: "wrong" } }] } },
  ]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" });
  const found = await variablesOf(fixture.folder);
  assert.deepEqual([found["Role"], found["Number"]], ["mobile", "7"]);
  assert.deepEqual(Object.keys(found).filter((name) => name.startsWith("_")).length, 8);
  assert.deepEqual(gatewaysOf("Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000\neth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"), ["10.0.2.2"]);
});

test("content is fetched before it is needed, its folders named", async () => {
  const fixture = await makeRunFixture([{ type: "download-package-content", with: { packages: ["ABC00007", "{ABC00008}"], variable: "Fetched" } }], [contentOf("ABC00007", { kind: "package", programs: [] }), contentOf("ABC00008", { kind: "package", programs: [] })]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" });
  assert.deepEqual(await variablesOf(fixture.folder), { Fetched01: join(fixture.folder, "content/ABC00007"), Fetched02: join(fixture.folder, "content/ABC00008") });
});

test("programs of a list of variables run in order; an interruption goes on after those that had ended; one that fails ends the list or not", async () => {
  const programs = [{ name: "Say", command: "echo $(prestage-variable WHO) >> ../../said; prestage-variable Count $(wc -l < ../../said)", successCodes: [0] }, { name: "Restart", command: "echo restart >> ../../said; exit 194", successCodes: [0] }, { name: "Fail", command: "exit 3", successCodes: [0] }];
  const fixture = await makeRunFixture([
    { type: "install-package", with: { baseVariable: "PKG", restartCodes: [194] } },
    { type: "install-package", with: { baseVariable: "BAD", continueOnInstallError: true } },
    { type: "run-command-line", with: { command: "echo counted %Count%" } },
    { type: "install-package", with: { baseVariable: "BAD" }, continueOnError: true },
    { type: "install-package", with: { baseVariable: "NONSENSE" }, continueOnError: true },
  ], [contentOf("ABC00001", { kind: "package", programs })]);
  const variables = [["PKG001", "ABC00001:Say"], ["PKG002", "ABC00001:restart"], ["PKG003", "ABC00001:Say"], ["BAD001", "ABC00001:Fail"], ["BAD002", "ABC00001:Say"], ["NONSENSE001", "Say"], ["Who", "me"]].map(([name = "", value = ""]) => ({ name, value, source: "device" as const }));
  const start = async (bootId: string) => runSequence(await fixture.context({ environment: "installed", variables }), { bootId, machine });
  assert.deepEqual(await start("1"), { result: "restart", to: "installed" });
  assert.deepEqual(await start("2"), { result: "succeeded" });
  assert.equal(await readFile(join(fixture.folder, "said"), "utf8"), "me\nrestart\nme\nme\n");
  const finished = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.ok(finished.some((message) => message.outputTail === "counted 4"));
  assert.deepEqual(finished.slice(-2).map((message) => message.error?.code), ["PRESTAGE_AGENT_STEP_FAILED", "PRESTAGE_AGENT_STEP_INVALID"]);
});

test("a command reads and sets variables; what is no variable, read-only or too long fails the step, and secrets are not written down", async () => {
  const fixture = await makeRunFixture([
    { type: "run-command-line", with: { command: 'prestage-variable Greeting "hello $(prestage-variable who)"; prestage-variable Gone ""' } },
    { type: "run-script", with: { script: "echo %Greeting%, %Gone%, $(prestage-variable _SMSTSPackageName)" } },
    { type: "run-command-line", with: { command: "prestage-variable _SMSTSPackageName other" }, continueOnError: true },
    { type: "run-command-line", with: { command: "echo nonsense >> $PRESTAGE_VARIABLES" }, continueOnError: true },
    { type: "run-command-line", with: { command: "exit 4; " }, continueOnError: true },
  ]);
  const variables = [["WHO", "world"], ["Gone", "here"]].map(([name = "", value = ""]) => ({ name, value, source: "device" as const }));
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed", variables }), { bootId: "1", machine }), { result: "succeeded" });
  const finished = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.equal(finished[1]?.outputTail, "hello world, %Gone%, Test sequence");
  assert.deepEqual(finished.slice(2, 4).map((message) => message.error?.code), ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID"]);
  assert.deepEqual(await readdir(join(fixture.folder, "prestage/work")), []);
});
