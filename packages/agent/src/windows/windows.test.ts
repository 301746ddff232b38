import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { defineStepType, secretReferenceSchema, splitWindowsCommandLine, stepTypes, windowsCommandLine, windowsFactQueries } from "@prestage/sequence";
import { z } from "zod";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { executorsFor } from "../steps/index.ts";
import { shellOf } from "../steps/run-shell.ts";
import { readCim } from "./cim.ts";
import { queryArguments, readQuery } from "./registry.ts";
import { factsOf } from "./windows-facts.ts";
import { windowsExecutor } from "./windows-executor.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("a step's files and commands are carried out in order, in a folder that is gone afterwards; secrets come by the environment alone", async () => {
  const definition = defineStepType({
    type: "on-windows", title: "t", summary: "s", environments: ["installed"], platforms: ["windows"], again: "a", example: "e",
    settings: z.strictObject({ package: z.string(), password: secretReferenceSchema, code: z.int(), outputVariable: z.string().optional() }),
    windows: ({ package: id, password, code }, { work, folderOf }) => ({
      files: [{ name: "first.sh", content: "test \"$1\" = 'a \"b' && pwd && cat \"$2/data\" && test -z \"$PRESTAGE_PASSWORD\"" }],
      commands: [
        { what: "the first", program: "sh", arguments: [`${work}/first.sh`, 'a "b', folderOf(id)] },
        { what: "the second", program: "sh", arguments: ["-c", `test "$PRESTAGE_PASSWORD" = s3cret-value && exit ${code}`], secrets: { PRESTAGE_PASSWORD: password }, successCodes: [259], restartCodes: [3] },
      ],
    }),
  });
  const settings = { package: "ABC00001", password: { secret: "JOIN" } };
  const steps = [{ ...settings, code: 3, outputVariable: "Out" }, { ...settings, code: 4 }].map((one) => ({ type: "on-windows", with: one, continueOnError: true }));
  const fixture = await makeRunFixture(steps, [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await mkdir(join(fixture.folder, "content/ABC00001"), { recursive: true });
  await writeFile(join(fixture.folder, "content/ABC00001/data"), "of the package\n");
  const secrets = { open: async () => ({ JOIN: "s3cret-value" }) };
  const executors = new Map([["on-windows", windowsExecutor(definition)]]);
  const context = async () => ({ ...(await fixture.context({ environment: "installed" })), secrets });
  assert.deepEqual(await runSequence(await context(), { bootId: "1", machine, executors }), { result: "restart", to: "installed" });
  assert.deepEqual(await runSequence(await context(), { bootId: "2", machine, executors }), { result: "succeeded" });
  const outcomes = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.deepEqual(outcomes.map((one) => [one.outcome, one.exitCode]), [["succeeded", 3], ["failed", 4]]);
  assert.deepEqual(await readdir(join(fixture.folder, "prestage/work")), []);
  assert.ok(fixture.logged.some((line) => line.includes("of the package")) && !fixture.logged.join("\n").includes("s3cret-value"));
});

test("what is always to be run is run after a failure, out of time and after a stop; a program in a session of its own gets no secrets", async () => {
  const definition = defineStepType({
    type: "on-windows", title: "t", summary: "s", environments: ["installed"], platforms: ["windows"], again: "a", example: "e", settings: z.strictObject({ command: z.string(), timeoutSeconds: z.int().optional() }),
    windows: ({ command }, { work }) => ({
      files: [{ name: "sub/run.sh", content: command }], commands: [{ what: "it", program: "sh", arguments: [`${work}/sub/run.sh`] }],
      always: [{ what: "removing", program: "sh", arguments: ["-c", `echo removed ${command.slice(0, 5)}; exit 7`] }], ownSession: true,
    }),
  });
  const step = (command: string, more: Record<string, number> = {}) => ({ type: "on-windows", with: { command, ...more }, continueOnError: true });
  const fixture = await makeRunFixture([step("exit 3"), step("sleep 600", { timeoutSeconds: 1 }), { ...step("true"), secrets: ["JOIN"] }, step("echo begun; exec sleep 601")]);
  const stop = new AbortController();
  const context = await fixture.context({ environment: "installed", signal: stop.signal, log: (line) => {
    fixture.logged.push(line);
    if (line.endsWith("begun")) stop.abort(new Error("stopped"));
  } });
  await assert.rejects(runSequence(context, { bootId: "1", machine, executors: new Map([["on-windows", windowsExecutor(definition)]]) }), /stopped/);
  await (await fixture.context({ environment: "installed" })).status.flush();
  const told = fixture.kept.filter((message) => message.kind === "step-finished");
  assert.deepEqual(told.map((one) => [one.exitCode, one.error?.code]), [[3, "PRESTAGE_AGENT_STEP_FAILED"], [143, "PRESTAGE_AGENT_STEP_FAILED"], [undefined, "PRESTAGE_AGENT_STEP_INVALID"]]);
  assert.deepEqual(fixture.logged.filter((line) => /\] removed/.test(line)), ["[s1] removed exit", "[s2] removed sleep", "[s4] removed echo"]);
  assert.equal(fixture.logged.filter((line) => line.includes("removing: ended with 7")).length, 3);
});

test("a command reads and sets variables, also where it fails; one in a session of its own, and a step of another kind, has no file of them", async () => {
  const typed = (type: string, ownSession: boolean) => windowsExecutor(defineStepType({
    type, title: "t", summary: "s", environments: ["installed"], platforms: ["windows"], again: "a", example: "e", settings: z.strictObject({ command: z.string() }),
    windows: ({ command }) => ({ commands: [{ what: "it", program: "sh", arguments: ["-c", command] }], ...(ownSession && { ownSession: true as const }) }),
  }));
  const set = 'prestage-variable Seen "$(prestage-variable Role) & more"; exit 3';
  const none = 'test -z "$PRESTAGE_VARIABLES"';
  const fixture = await makeRunFixture([{ type: "run-script", with: { command: set }, continueOnError: true }, { type: "run-script", with: { command: 'test "$(prestage-variable seen)" = "kiosk & more"' } }, { type: "own", with: { command: none } }, { type: "run-command-line", with: { command: none } }]);
  const executors = new Map([["run-script", typed("run-script", false)], ["own", typed("own", false)], ["run-command-line", typed("run-command-line", true)]]);
  const context = await fixture.context({ environment: "installed", variables: [{ name: "Role", value: "kiosk", source: "device" }] });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine, executors }), { result: "succeeded" }, fixture.logged.join("\n"));
  assert.deepEqual(await readdir(join(fixture.folder, "prestage/work")), []);
});

test("apply-windows-settings writes the answer file where Windows Setup looks, and adds to what a step before it wrote", async () => {
  const fixture = await makeRunFixture([
    { type: "apply-windows-settings", with: { answerFile: "own.xml", package: "ABC00001", skipWelcome: "false" } },
    { type: "apply-windows-settings", with: { timeZone: "UTC" } },
  ], [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await mkdir(join(fixture.folder, "Windows/System32"), { recursive: true });
  await mkdir(join(fixture.folder, "content/ABC00001"), { recursive: true });
  await writeFile(join(fixture.folder, "content/ABC00001/own.xml"), '<unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"><CopyProfile>true</CopyProfile><RegisteredOwner>%Owner% at %SystemRoot%</RegisteredOwner></component></settings></unattend>');
  const context = await fixture.context({ variables: [{ name: "OSDComputerName", value: "BRANCH-07", source: "device" }, { name: "Owner", value: "</RegisteredOwner><X>R&D\u0001", source: "device" }], unattended: true });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine }), { result: "succeeded" });
  const text = await readFile(join(fixture.folder, "Windows/Panther/unattend.xml"), "utf8");
  for (const part of ["<CopyProfile>true</CopyProfile>", "&lt;/RegisteredOwner&gt;&lt;X&gt;R&amp;D at %SystemRoot%", "<ComputerName>BRANCH-07</ComputerName>", "<TimeZone>UTC</TimeZone>", "<HideEULAPage>true</HideEULAPage>"]) assert.ok(text.includes(part), part);
  assert.equal(text.match(/<component /g)?.length, 2);
});

test("apply-network-settings tells Windows Setup, by the adapter's address; what a second step says takes the place of the first's", async () => {
  const adapter = (address: string) => ({ type: "apply-network-settings", with: { adapters: [{ mac: "52:54:00:12:34:56", addresses: [address], gateways: ["10.0.0.1"], dnsServers: ["10.0.0.3"] }] } });
  const fixture = await makeRunFixture([adapter("10.0.0.2/24"), adapter("10.0.0.9/24")]);
  await mkdir(join(fixture.folder, "Windows/System32"), { recursive: true });
  assert.deepEqual(await runSequence(await fixture.context({ unattended: true }), { bootId: "1", machine }), { result: "succeeded" });
  const text = await readFile(join(fixture.folder, "Windows/Panther/unattend.xml"), "utf8");
  assert.match(text, /<Identifier>52-54-00-12-34-56<\/Identifier>\s*<Ipv4Settings>\s*<DhcpEnabled>false/);
  assert.match(text, /<IpAddress wcm:action="add" wcm:keyValue="1">10\.0\.0\.9\/24</);
  assert.ok(!text.includes("10.0.0.2/24"));
});

test("drivers are laid onto a Windows that has not started yet, those for other models left out; a step run again lays them anew", async () => {
  const drivers = (models: string[]) => ({ kind: "driver-package" as const, models });
  const step = { type: "auto-apply-drivers", with: { driverPackages: ["ABC00001", "ABC00002"] } };
  const fixture = await makeRunFixture([step, { type: "apply-driver-package", with: { driverPackage: "ABC00001" } }], [contentOf("ABC00001", drivers([])), contentOf("ABC00002", drivers(["Model of nobody"]))]);
  await mkdir(join(fixture.folder, "Windows/System32"), { recursive: true });
  await mkdir(join(fixture.folder, "content/ABC00001/net"), { recursive: true });
  await writeFile(join(fixture.folder, "content/ABC00001/net/e1d.inf"), "[Version]");
  const staged = join(fixture.folder, "Windows/Prestage/Drivers");
  await mkdir(join(staged, "ABC00001.partial/rest-of-an-attempt"), { recursive: true });
  assert.deepEqual(await runSequence(await fixture.context({ unattended: true }), { bootId: "1", machine }), { result: "succeeded" });
  assert.deepEqual(await readdir(staged, { recursive: true }).then((names) => names.toSorted()), ["ABC00001", "ABC00001/net", "ABC00001/net/e1d.inf"]);
  const text = await readFile(join(fixture.folder, "Windows/Panther/unattend.xml"), "utf8");
  assert.equal(text.match(/pnputil\.exe \/add-driver/g)?.length, 1);
  assert.match(text, /<RunSynchronousCommand wcm:action="add">/);
});

test("without a Windows on the volume nothing is written; a step for Windows says on Linux what it is for", async () => {
  const fixture = await makeRunFixture([{ type: "apply-windows-settings", continueOnError: true }, { type: "enable-bitlocker", continueOnError: true }]);
  const context = await fixture.context({ unattended: true });
  await runSequence(context, { bootId: "1", machine });
  const codes = fixture.kept.filter((message) => message.kind === "step-finished").map((message) => message.error?.code);
  assert.deepEqual(codes, ["PRESTAGE_AGENT_NOT_WINDOWS", "PRESTAGE_AGENT_STEP_ENVIRONMENT"]);
});

test("on both systems every step type but those merged at the site has an executor", () => {
  const expected = stepTypes.filter((one) => !one.mergedAtSite).map((one) => one.type).toSorted();
  for (const platform of ["linux", "windows"] as const) assert.deepEqual([...executorsFor(platform).keys()].toSorted(), expected);
});

test("a command line that a person wrote reaches cmd.exe as it was written", () => {
  const { file, arguments: given, verbatim } = shellOf("win32", 'msiexec /i "a b.msi" & exit 3');
  const line = windowsCommandLine({ program: file, arguments: given, verbatim });
  assert.equal(line, 'cmd.exe /d /s /c "msiexec /i "a b.msi" & exit 3"');
  assert.deepEqual(splitWindowsCommandLine(line).slice(0, 4), ["cmd.exe", "/d", "/s", "/c"]);
  assert.deepEqual(shellOf("linux", "true"), { file: "sh", arguments: ["-c", "true"], verbatim: false });
});

test("what Windows answers becomes the facts that Linux has; what it leaves out is not there", () => {
  const lines = [
    '[{"Vendor":"LENOVO","Name":"21C1","Version":"ThinkPad","IdentifyingNumber":"PF1","UUID":"4C4C4544-0000"}]', '[{"SMBIOSAssetTag":" ","ChassisTypes":[10]}]', '[{"HypervisorPresent":false,"SystemSKUNumber":"SKU"}]', '[{"SpecVersion":"2.0, 0, 1.38"}]',
    '[{"Size":"512110190592","MediaType":"Fixed hard disk media"},{"Size":"999999999999","MediaType":"Removable Media"}]', '{"MaxClockSpeed":2400}', '[{"Version":"10.0.22631","MUILanguages":["de-DE"],"OSArchitecture":"64-Bit"}]', '[{"DefaultIPGateway":["10.0.0.1"]},{"DefaultIPGateway":null}]',
    '{"BatteryStatus":1}', '[{"MediaConnectState":1,"NdisPhysicalMedium":9,"HardwareInterface":true},{"MediaConnectState":2,"NdisPhysicalMedium":14,"HardwareInterface":true},{"MediaConnectState":1,"NdisPhysicalMedium":14,"HardwareInterface":false}]',
  ];
  const { hardware, system, gateways, acPower, network, wiredNetwork } = factsOf(readCim(lines, windowsFactQueries.length));
  assert.deepEqual([acPower, network, wiredNetwork], [false, true, false], "a radio's link and a virtual switch are no wired network");
  assert.deepEqual([hardware["manufacturer"], hardware["uuid"], hardware["assetTag"], hardware["chassis"], hardware["virtual"], hardware["tpm"], hardware["diskMiB"], hardware["processorMHz"]], ["LENOVO", "4c4c4544-0000", undefined, "10", "false", "2", "488386", "2400"]);
  assert.deepEqual([system, gateways], [{ name: "Windows", version: "10.0.22631", language: "de-DE", architecture: "x64" }, ["10.0.0.1"]]);
  assert.deepEqual(factsOf(readCim(["nonsense"], 10)).system["name"], undefined);
  const desk = factsOf(readCim([...lines.slice(0, 8), "[]", '{"MediaConnectState":1,"NdisPhysicalMedium":14,"HardwareInterface":true}'], 10));
  assert.deepEqual([desk.acPower, desk.network, desk.wiredNetwork], [true, true, true]);
  const charging = factsOf(readCim([...lines.slice(0, 8), '[{"BatteryStatus":6}]'], 10));
  assert.deepEqual([charging.acPower, charging.network], [true, false]);
});

test("the registry's answers, as reg query prints them", () => {
  const lines = ["", String.raw`HKEY_LOCAL_MACHINE\SOFTWARE\Vendor`, "    (Default)    REG_SZ    the key's own", "    Version    REG_SZ    1.2 beta", "    Count    REG_DWORD    0x1f", "    Empty    REG_SZ", ""];
  assert.deepEqual(["", "version", "COUNT", "Empty", "Other"].map((name) => readQuery(lines, name)), ["the key's own", "1.2 beta", "31", "", undefined]);
  assert.deepEqual(queryArguments("HKLM\\SOFTWARE", "A"), ["query", "HKLM\\SOFTWARE", "/v", "A", "/reg:64"]);
});
