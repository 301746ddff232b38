import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, lintSequence, parseTaskSequenceYaml } from "../index.ts";
import { importSequence, readSourceSequence, readXml } from "./index.ts";

const settings = (given: Readonly<Record<string, string>>) => `<defaultVarList>${Object.entries(given).map(([name, value]) => `<variable name="${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList>`;
const step = (type: string, name: string, inside = "") => `<step type="${type}" name="${name}">${inside}</step>`;
const script = (name: string, file: string) => step("", name, `<action>cscript.exe "%SCRIPTROOT%\\${file}.wsf"</action>`);
const command = (name: string, text: string, more: Readonly<Record<string, string>> = {}) => step("SMS_TaskSequence_RunCommandLineAction", name, settings({ CommandLine: text, ...more }));
const restart = step("SMS_TaskSequence_RebootAction", "Restart", settings({ Target: "HD" }));
const image = step("SMS_TaskSequence_ApplyOperatingSystemAction", "Image", settings({ ImagePackageID: "PS100012" }));
const phase = (name: string, inside: string) => `<group name="${name}"><condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">PHASE</variable><variable name="Operator">equals</variable><variable name="Value">${name}</variable></expression></condition>${inside}</group>`;
const imported = (body: string, origin: "configmgr" | "mdt" = "configmgr") => importSequence(readSourceSequence(readXml(Buffer.from(`<sequence version="3.00" name="Small">${body}</sequence>`))), { origin });
const read = (from: ReturnType<typeof imported>) => parseTaskSequenceYaml(from.yaml);

test("a sequence that lays no system is one of the installed system, restarts and all: nothing of it is disabled for its place", () => {
  const from = imported(`${script("Gather", "ZTIGather")}${command("Before", "net start x")}${restart}${script("Applications", "ZTIApplications")}`, "mdt");
  const [group] = read(from).steps.filter((one) => one.id === "in-the-installed-system");
  assert.deepEqual([group?.when, group?.steps?.map((one) => one.name)], [{ variable: "_SMSTSInWinPE", equals: "false" }, ["Gather", "Before", "Restart", "Applications"]]);
  assert.equal(from.report.totals.disabled, 0, JSON.stringify(from.report.lines));
  assert.deepEqual(lintSequence(read(from), { platform: "windows" }).filter((one) => one.rule === "step-in-wrong-environment"), []);
});

test("Windows PE that is put onto the disk is no system that is laid", () => {
  const from = imported(`${command("Before", "net start x")}${step("", "Apply Windows PE", '<action>cscript.exe "%SCRIPTROOT%\\LTIApply.wsf" /PE</action>')}`, "mdt");
  assert.deepEqual(read(from).steps.map((one) => one.id), ["in-the-installed-system"]);
});

test("a phase that such a sequence begins with is said before its first step, so that its groups run", () => {
  const [set] = read(imported(phase("STATERESTORE", command("Late", "net start x")), "mdt")).steps;
  assert.deepEqual(set?.steps?.map((one) => one.with), [{ name: "PHASE", value: "STATERESTORE" }]);
});

test("one that lays a system, says that it is in Windows PE, or runs nothing of Windows stays as it is", () => {
  for (const body of [command("Reg", "reg add HKLM\\X") + image, phase("PREINSTALL", command("Reg", "reg add HKLM\\X")), step("SMS_TaskSequence_SetVariableAction", "Set", settings({ VariableName: "A", VariableValue: "b" })), command("Load", "reg load HKLM\\OFF C:\\Windows\\System32\\config\\SOFTWARE")]) {
    const from = imported(body, body.includes("PHASE") ? "mdt" : "configmgr");
    assert.ok(!read(from).steps.some((one) => one.id === "in-the-installed-system"), body);
  }
});

test("what waits for the installed system gets a start of it, where the sequence ends before one; a sequence with a start of its own gets none", () => {
  const late = script("Recovery", "ZTIWinRE") + step("BDD_EnableBitLocker", "Encrypt", '<action>cscript.exe "%SCRIPTROOT%\\ZTIBde.wsf"</action>');
  const apply = step("BDD_InstallOS", "Image", `<action>cscript.exe "%SCRIPTROOT%\\LTIApply.wsf"</action>${settings({ OSGUID: "{1}" })}`);
  const from = imported(`${apply}${late}`, "mdt");
  const steps = read(from).steps;
  assert.deepEqual(steps.slice(-2).map((one) => [one.id, one.type, one.with?.["to"] ?? one.steps?.map((inner) => inner.name)]), [["first-start", "restart", "installed"], ["after-the-first-start", "group", ["Recovery", "Encrypt"]]]);
  assert.equal(from.report.totals.disabled, 0, JSON.stringify(from.report.lines));
  const own = read(imported(`${apply}${late}${restart}${command("Last", "net start x")}`, "mdt"));
  assert.ok(![...allSteps(own.steps)].some((one) => one.id === "first-start"));
});

test("network, name and time zone are kept by steps of ours; a workgroup is joined; a program runs as its account, whose password is left at the site", () => {
  const from = imported([
    step("SMS_TaskSequence_CaptureNetworkSettingsAction", "Network", settings({ MigrateAdapterSettings: "true", MigrateNetworkMembership: "true" })),
    step("SMS_TaskSequence_CaptureWindowsSettingsAction", "Name", settings({ MigrateComputerName: "true", MigrateRegistrationInfo: "false", MigrateTimeZone: "true" })),
    step("SMS_TaskSequence_JoinDomainWorkgroupAction", "Workgroup", settings({ Type: "1", WorkgroupName: "BRANCHES" })), step("SMS_TaskSequence_JoinDomainWorkgroupAction", "No workgroup", settings({ Type: "1", WorkgroupName: "a/b" })),
    command("As", "whoami", { RunAsUser: "true", UserName: "CORP\\svc", UserPassword: "hunter2" }), command("Nobody", "whoami", { RunAsUser: "true", UserPassword: "hunter2" }),
    step("SMS_TaskSequence_RunPowerShellScriptAction", "Script", settings({ SourceScript: Buffer.from("whoami", "utf16le").toString("base64"), RunAsUser: "true", UserName: "svc@corp.example", UserPassword: "hunter2" })),
  ].join(""));
  const account = (name: string) => ({ name, password: { secret: "RUN_PASSWORD" } });
  assert.deepEqual(read(from).steps[0]?.steps?.map((one) => [one.name, one.disabled === true ? "disabled" : one.type, one.disabled === true ? {} : one.with]), [
    ["Network", "capture-network-settings", { membership: true }], ["Name", "capture-system-settings", { computerName: true, registration: false, timeZone: true, language: false }], ["Workgroup", "join-workgroup", { workgroup: "BRANCHES" }], ["No workgroup", "disabled", {}],
    ["As", "run-command-line", { command: "whoami", account: account("CORP\\svc") }], ["Nobody", "disabled", {}], ["Script", "run-script", { language: "powershell", script: "whoami", account: account("svc@corp.example") }],
  ]);
  assert.ok(!JSON.stringify(from).includes("hunter2"));
  assert.ok(from.report.lines.find((one) => one.name === "As")?.notes.some((note) => note.includes("prestage secret set RUN_PASSWORD")));
});

test("of MDT: the capture of addresses before a refresh; a phase that nothing asks for; its engine's own folder", () => {
  const from = imported(`${phase("STATECAPTURE", script("Addresses", "ZTINICConfig"))}${command("Folder", "cmd /c mkdir X:\\_SMSTaskSequence")}${image}`, "mdt");
  assert.deepEqual(["Addresses", "Folder"].map((name) => from.report.lines.find((one) => one.name === name)?.to), ["capture-network-settings", "nothing"]);
  const without = imported(`${script("Next", "ZTINextPhase")}${image}`, "mdt");
  assert.match(without.report.lines.find((one) => one.name === "Next")?.notes[0] ?? "", /nothing in the sequence asks for the phase/);
});
