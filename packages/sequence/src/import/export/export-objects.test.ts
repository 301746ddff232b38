import assert from "node:assert/strict";
import { test } from "node:test";
import { importSequence, isExportFile, readExport } from "../index.ts";

const object = (className: string, properties: Readonly<Record<string, string>>) => Buffer.from(`<INSTANCE CLASSNAME="${className}">${Object.entries(properties).map(([name, value]) => `<PROPERTY NAME="${name}"><VALUE><![CDATA[${value}]]></VALUE></PROPERTY>`).join("")}</INSTANCE>`);
const sequence = '<sequence version="3.10"><step type="SMS_TaskSequence_InstallSoftwareAction" name="P"><defaultVarList><variable name="PackageID" property="PackageID">PS100014</variable><variable name="ProgramName" property="ProgramName">Set up</variable></defaultVarList></step></sequence>';
const application = "ScopeId_A/Application_B";
const exported = (digest: string) => new Map([
  ["SMS_TaskSequencePackage/PS100040/object.xml", object("SMS_TaskSequencePackage", { Name: "Desk", Sequence: sequence })],
  ["SMS_Package/PS100014/object.xml", object("SMS_Package", { Name: "Tools", PackageID: "PS100014", PkgSourcePath: "\\\\server\\sources\\tools" })],
  ["SMS_DriverPackage/PS100015/object.xml", object("SMS_DriverPackage", { Name: "Latitude", PackageID: "PS100015" })],
  ["SMS_BootImagePackage/PS100002/object.xml", object("SMS_BootImagePackage", { Name: "Boot image (x64)", PackageID: "PS100002" })],
  ["SMS_ImagePackage/PS100003/object.xml", object("SMS_ImagePackage", { Name: "W11", PackageID: "PS100003" })],
  ["SMS_ConfigurationItem/x/object.xml", object("SMS_ConfigurationItem", {})],
  [`SMS_Application/${application}/object.xml`, object("SMS_Application", { LocalizedDisplayName: "Editor", SDMPackageXML: digest })],
]);
const digest = '<AppMgmtDigest><DeploymentType><Installer><InstallAction><Args><Arg Name="InstallCommandLine" Type="String">msiexec /i e.msi PASSWORD=Sw0rdfish</Arg><Arg Name="ExecutionContext">System</Arg></Args></InstallAction></Installer></DeploymentType></AppMgmtDigest>';

test("each object of an export beside its sequences has a line that says how its content comes here, and gives its name to what the steps refer to", () => {
  const { sequences: [found], lines } = readExport(exported(digest));
  assert.ok(found !== undefined);
  assert.deepEqual(lines.map((one) => [one.name, one.path[0], one.type, one.status]), [
    ["Tools", "PS100014", "SMS_Package", "disabled"], ["Latitude", "PS100015", "SMS_DriverPackage", "disabled"], ["Boot image (x64)", "PS100002", "SMS_BootImagePackage", "withNote"],
    ["W11", "PS100003", "SMS_ImagePackage", "disabled"], ["x", "x", "SMS_ConfigurationItem", "disabled"], ["Editor", application, "SMS_Application", "disabled"],
  ]);
  const notes = (name: string) => lines.find((one) => one.name === name)?.notes ?? [];
  assert.match(notes("Tools")[0] ?? "", /NAME_files\/PS100014, or \\\\server\\sources\\tools\) by prestage package import/);
  assert.match(notes("Latitude")[0] ?? "", /prestage driver-package import/);
  assert.match(notes("W11")[0] ?? "", /prestage os-image import/);
  assert.match(notes("Boot image (x64)")[0] ?? "", /^not needed: /);
  assert.match(notes("Editor")[1] ?? "", /^--import-content leaves it out: it is of the kind that it does not say/);
  assert.match(notes("Editor")[2] ?? "", /^it is installed by msiexec \/i e\.msi PASSWORD=/);
  assert.ok(!JSON.stringify(lines).includes("Sw0rdfish"));
  assert.deepEqual(importSequence(found.sequence, { origin: "configmgr", names: found.names }).references.map((one) => one.name), ["Tools (configmgr PS100014)"]);
});

test("which files of an export are read; text of an application that is hostile is refused", () => {
  for (const path of exported("").keys()) assert.equal(isExportFile(path), true, path);
  for (const path of ["Manifest.xml", "SMS_Package/PS100014/setup.exe", "Other/PS100014/object.xml", "object.xml"]) assert.equal(isExportFile(path), false, path);
  assert.throws(() => readExport(exported('<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>')), { code: "PRESTAGE_SEQUENCE_IMPORT_XML" });
});

test("an application whose text is no XML costs its own line a note; one too deep or too large is refused with all", () => {
  for (const text of ["<AppMgmtDigest><Arg Name=\"InstallCommandLine\">a & b</Arg></AppMgmtDigest>", "<AppMgmtDigest>", "<a></b>", "<"]) {
    const { sequences, lines } = readExport(exported(text));
    assert.equal(sequences.length, 1, text);
    assert.match(lines.find((one) => one.name === "Editor")?.notes[1] ?? "", /^--import-content leaves it out: its deployment types could not be read/, text);
    assert.equal(lines.filter((one) => one.notes.some((note) => note.includes("could not be read"))).length, 1, text);
  }
  for (const text of ["<a>".repeat(70), `<a>${"<b/>".repeat(500_001)}</a>`, '<!DOCTYPE a><a>&b;']) assert.throws(() => readExport(exported(text)), { code: "PRESTAGE_SEQUENCE_IMPORT_XML" }, text.slice(0, 20));
});
