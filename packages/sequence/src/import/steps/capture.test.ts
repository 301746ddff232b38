import assert from "node:assert/strict";
import { test } from "node:test";
import { lintSequence } from "../../lint/lint.ts";
import { parseTaskSequenceYaml } from "../../parse-yaml.ts";
import { readXmlText } from "../../read-xml.ts";
import type { Step } from "../../schema.ts";
import { allSteps } from "../../schema.ts";
import { readSourceSequence } from "../source-sequence.ts";
import { importSequence } from "../translate-sequence.ts";
import type { ImportedSequence } from "../translate-sequence.ts";

const made = (origin: "mdt" | "configmgr", body: string): ImportedSequence => importSequence(readSourceSequence(readXmlText(`<sequence version="3.00" name="t">${body}</sequence>`)), { origin });
const variable = (name: string, value: string) => `<condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">${name}</variable><variable name="Operator">equals</variable><variable name="Value">${value}</variable></expression></condition>`;
const group = (name: string, condition: string, inside: string) => `<group name="${name}">${condition}${inside}</group>`;
const script = (name: string, what: string, settings: Record<string, string> = {}) => `<step name="${name}"><action>cscript.exe "%SCRIPTROOT%\\${what}</action><defaultVarList>${Object.entries(settings).map(([key, value]) => `<variable name="${key}" property="${key}">${value}</variable>`).join("")}</defaultVarList></step>`;
const restart = (name: string) => `<step type="SMS_TaskSequence_RebootAction" name="${name}"><action>smsboot.exe /target:WinPE</action></step>`;
const typed = (type: string, name: string, settings: Record<string, string>) => `<step type="SMS_TaskSequence_${type}Action" name="${name}"><action>x.exe</action><defaultVarList>${Object.entries(settings).map(([key, value]) => `<variable name="${key}" property="${key}">${value}</variable>`).join("")}</defaultVarList></step>`;
const stepsOf = (imported: ImportedSequence): Step[] => [...allSteps(parseTaskSequenceYaml(imported.yaml).steps)];
const line = (imported: ImportedSequence, name: string) => imported.report.lines.find((one) => one.name === name);

test("MDT: a reference computer is updated, prepared, restarted into the boot environment and captured", () => {
  const imported = made("mdt",
    group("Preinstall", variable("PHASE", "PREINSTALL"), script("Configure", 'ZTIConfigure.wsf"') + script("Drivers", 'ZTIDrivers.wsf"') + script("Patches", 'ZTIPatches.wsf"', { PackageSelectionProfile: "All Packages" }) + script("None", 'ZTIPatches.wsf"', { PackageSelectionProfile: "Nothing" }))
    + group("Install", variable("PHASE", "INSTALL"), script("OS", 'LTIApply.wsf"', { OSGUID: "{0B}" }))
    + group("Postinstall", variable("PHASE", "POSTINSTALL"), script("Configure again", 'ZTIConfigure.wsf"') + restart("Restart"))
    + group("State Restore", variable("PHASE", "STATERESTORE"), script("Update", 'ZTIWindowsUpdate.wsf"')
      + group("Prepare", variable("DoCapture", "PREPARE"), script("Copy", 'LTISysprep.wsf"'))
      + group("Sysprep alone", variable("DoCapture", "SYSPREP"), script("Only", 'LTISysprep.wsf"'))
      + group("Capture", variable("DoCapture", "YES"), script("Drivers of XP", 'ZTIDrivers.wsf"') + script("Sysprep", 'LTISysprep.wsf"') + script("PE", 'LTIApply.wsf" /PE /BCD') + restart("Back") + script("Create WIM", 'ZTIBackup.wsf"'))));
  assert.deepEqual(imported.report.lines.filter((one) => one.kind === "step" && one.status === "disabled"), []);
  assert.match(line(imported, "Configure")?.notes[0] ?? "", /^not needed: the same step stands behind the image/);
  assert.match(line(imported, "Copy")?.notes[0] ?? "", /^not needed: Sysprep is a part/);
  assert.match(line(imported, "None")?.notes[0] ?? "", /^not needed: its selection profile is Nothing/);
  assert.deepEqual(["Only", "Sysprep", "Update"].map((name) => [line(imported, name)?.status, line(imported, name)?.to]), [["translated", "prepare-capture"], ["translated", "prepare-capture"], ["withNote", "install-updates"]]);
  const sequence = parseTaskSequenceYaml(imported.yaml);
  const after = sequence.steps.find((one) => one.name === "State Restore")?.steps ?? [];
  const install = sequence.steps.find((one) => one.name === "Install")?.steps ?? [];
  assert.deepEqual(install.map((one) => [one.name, one.type, one.when]), [["OS", "apply-os-image", undefined], ["Drivers", "auto-apply-drivers", undefined], ["Patches", "install-updates", undefined]]);
  assert.match(line(imported, "Patches")?.notes.at(-1) ?? "", /^moved behind the image/);
  const capture = after.find((one) => one.name === "Capture")?.steps ?? [];
  assert.deepEqual(capture.map((one) => [one.name, one.type, one.disabled ?? false]), [["Drivers of XP", "auto-apply-drivers", false], ["Sysprep", "prepare-capture", false], ["PE", "run-command-line", true], ["Back", "restart", false], ["Create WIM", "group", false]]);
  assert.deepEqual(capture[3]?.with, { to: "environment" });
  const image = capture[4]?.steps ?? [];
  assert.deepEqual(image.map((one) => one.type), ["connect-network-folder", "connect-network-folder", "connect-network-folder", "connect-network-folder", "set-variable", "set-variable", "set-variable", "capture-os-image"]);
  assert.deepEqual([image.at(-1)?.with, image.at(-1)?.when], [{ to: "%BackupTo%", file: "%BackupFile%", name: "%_SMSTSPackageName%", append: true }, undefined]);
  const wrong = lintSequence(sequence, { platform: "windows" }).filter((one) => ["step-in-wrong-environment", "capture-without-preparation", "updates-without-a-source"].includes(one.rule));
  assert.deepEqual(wrong, []);
});

test("MDT: a backup is everything of the computer, and made where the rules ask for one", () => {
  const imported = made("mdt", group("Refresh only", variable("PHASE", "PREINSTALL"), script("Backup", 'ZTIBackup.wsf"')));
  const capture = stepsOf(imported).find((one) => one.type === "capture-os-image");
  assert.equal(capture?.with?.["everything"], true);
  assert.deepEqual(capture?.when, { all: [{ variable: "ComputerBackupLocation", exists: true }, { none: [{ variable: "ComputerBackupLocation", equals: "NONE" }] }] });
  assert.deepEqual(lintSequence(parseTaskSequenceYaml(imported.yaml)).filter((one) => one.rule === "capture-without-preparation"), []);
});

test("Configuration Manager: prepared, captured to a share, updated; what cannot be done says why", () => {
  const imported = made("configmgr", `<step type="SMS_TaskSequence_RebootAction" name="First"><action>smsboot.exe /target:HD</action></step>` + typed("InstallUpdate", "Updates", { Target: "Mandatory", UseCache: "true" }) + typed("InstallDeployTools", "Tools", { SysprepPackageID: "ABC00001" }) + typed("PrepareSMSClient", "Client", {})
    + typed("PrepareOS", "Prepare", { KeepActivation: "true", BuildStorageDriverList: "false", ShutdownPreparedOs: "false" }) + typed("PrepareOS", "Off", { ShutdownPreparedOs: "true" })
    + `<step type="SMS_TaskSequence_RebootAction" name="Back"><action>smsboot.exe /target:WinPE</action></step>`
    + typed("CaptureSystemImage", "Capture", { CaptureDestination: String.raw`\\files\images\win 11\ref.wim`, CaptureUsername: String.raw`EXAMPLE\writer`, ImageCreator: "IT", ImageDescription: "Windows 11", ImageVersion: "7" }) + typed("CaptureSystemImage", "Drive", { CaptureDestination: String.raw`D:\ref.wim` }) + typed("CaptureSystemImage", "Nowhere", {}));
  const status = (name: string) => line(imported, name)?.status;
  assert.deepEqual(["Updates", "Tools", "Client", "Prepare", "Capture"].map(status), ["withNote", "withNote", "withNote", "withNote", "withNote"], JSON.stringify(imported.report.lines));
  assert.deepEqual(["Off", "Drive", "Nowhere"].map(status), ["disabled", "disabled", "disabled"]);
  const [connect, capture] = stepsOf(imported).find((one) => one.name === "Capture")?.steps ?? [];
  assert.deepEqual(connect?.with, { path: String.raw`\\files\images\win 11`, variable: "CaptureFolder", readOnly: false, account: String.raw`EXAMPLE\writer`, password: { secret: "CAPTURE_PASSWORD" } });
  assert.deepEqual(capture?.with, { to: "%CaptureFolder%", file: "ref.wim", name: "Windows 11", description: "Windows 11", creator: "IT", version: "7" });
});
