import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";
import { zip } from "./fixtures/zip.ts";

const { folder, at, tree } = await cliSite();
interface Line { kind: string; name: string; path: string[]; status: string; to: string; notes: string[] }
interface Imported { totals: { translated: number; withNote: number; disabled: number }; lines: Line[]; sequences: { yaml?: string; report: { lines: Line[] } }[] }

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const instance = (className: string, values: Readonly<Record<string, string>>, more = "") => `<INSTANCE CLASSNAME="${className}">${Object.entries(values).map(([name, value]) => `<PROPERTY NAME="${name}"><VALUE>${escape(value)}</VALUE></PROPERTY>`).join("")}${more}</INSTANCE>`;
const variables = (values: Readonly<Record<string, string>>) => `<defaultVarList>${Object.entries(values).map(([name, value]) => `<variable name="${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList>`;

/** An application with one deployment type; `relations` stand in it. */
function application(id: string, { relations = "", command = "setup.exe /S", key = id }: { relations?: string; command?: string; key?: string } = {}): readonly [string, string] {
  const digest = `<?xml version="1.0" encoding="utf-16"?><AppMgmtDigest><Application><DeploymentTypes><DeploymentType LogicalName="D"/></DeploymentTypes></Application><DeploymentType LogicalName="D"><Title>Set up</Title><Technology>Script</Technology>${relations}<Installer Technology="Script"><Contents><Content ContentId="Content_${id}"/></Contents><InstallAction><Args><Arg Name="InstallCommandLine">${escape(command)}</Arg></Args></InstallAction><UninstallAction><Args><Arg Name="InstallCommandLine">un.exe</Arg></Args></UninstallAction><CustomData><DetectionMethod>Enhanced</DetectionMethod><EnhancedDetectionMethod><Settings><SimpleSetting LogicalName="k"><RegistryDiscoverySource Hive="HKEY_LOCAL_MACHINE" Is64Bit="true"><Key>SOFTWARE\\${key}</Key></RegistryDiscoverySource></SimpleSetting></Settings><Rule><Expression><Operator>NotEquals</Operator><Operands><SettingReference SettingLogicalName="k" DataType="Int64" Method="Count"/><ConstantValue Value="0"/></Operands></Expression></Rule></EnhancedDetectionMethod><ExitCodes><ExitCode Code="0" Class="Success"/><ExitCode Code="3010" Class="SoftReboot"/></ExitCodes></CustomData></Installer></DeploymentType></AppMgmtDigest>`;
  return [`SMS_Application/ScopeId_A%2FApplication_${id}/object.xml`, instance("SMS_Application", { LocalizedDisplayName: id, SoftwareVersion: "1.0", PackageID: "PS1000FF", SDMPackageXML: digest })];
}
const relation = (name: string, id: string, state: string) => `<${name}><DeploymentTypeRule><DeploymentTypeExpression><Operator>Or</Operator><Operands><DeploymentTypeIntentExpression DesiredState="${state}" EnforceDesiredState="true"><DeploymentTypeApplicationReference AuthoringScopeId="ScopeId_A" LogicalName="Application_${id}" Version="1"/></DeploymentTypeIntentExpression></Operands></DeploymentTypeExpression></DeploymentTypeRule></${name}>`;

const sequence = `<sequence version="3.10">
<step type="SMS_TaskSequence_ApplyOperatingSystemAction" name="System">${variables({ ImagePackageID: "PS100003", ImageIndex: "2" })}</step>
<step type="SMS_TaskSequence_ApplyDriverPackageAction" name="Drivers">${variables({ DriverPackageID: "PS100015" })}</step>
<step type="SMS_TaskSequence_RebootAction" name="Restart">${variables({ Target: "HD" })}</step>
<step type="SMS_TaskSequence_InstallApplicationAction" name="Editor"><action>smsappinstall.exe /app:ScopeId_A/Application_Editor/7,ScopeId_A/Application_Secret</action></step>
<step type="SMS_TaskSequence_InstallSoftwareAction" name="Tools">${variables({ PackageID: "PS100014", ProgramName: "Set up" })}</step></sequence>`;
const program = instance("SMS_Program", { PackageID: "PS100014", ProgramName: "Set up", CommandLine: "setup.exe /q", ProgramFlags: String(0x8_0000 + 0x800_0000 + 0x10_0000) });
const objects: readonly (readonly [string, string])[] = [
  ["SMS_TaskSequencePackage/PS100040/object.xml", instance("SMS_TaskSequencePackage", { Name: "Desk", Sequence: sequence })],
  ["SMS_Package/PS100014/object.xml", instance("SMS_Package", { Name: "Tools", PackageID: "PS100014" }, `<PROPERTY.OBJECTARRAY NAME="Programs"><VALUE.ARRAY><VALUE.OBJECT>${program}</VALUE.OBJECT></VALUE.ARRAY></PROPERTY.OBJECTARRAY>`)],
  ["SMS_DriverPackage/PS100015/object.xml", instance("SMS_DriverPackage", { Name: "Latitude", PackageID: "PS100015" })],
  ["SMS_ImagePackage/PS100003/object.xml", instance("SMS_ImagePackage", { Name: "Windows 11", PackageID: "PS100003", PkgSourcePath: "\\\\server\\images\\W11.wim" })],
  ["SMS_OperatingSystemInstallPackage/PS100004/object.xml", instance("SMS_OperatingSystemInstallPackage", { Name: "Setup", PackageID: "PS100004" })],
  ["SMS_BootImagePackage/PS100002/object.xml", instance("SMS_BootImagePackage", { Name: "Boot", PackageID: "PS100002" })],
  application("Editor", { relations: relation("Dependencies", "Runtime", "Required") + relation("Supersedes", "Old", "Prohibited") }), application("Runtime"), application("Old"),
  application("Secret", { command: "setup.exe /password:Sw0rdfish" }), application("Lacking", { relations: relation("Dependencies", "Elsewhere", "Required") }), application("Absent"),
];

/** The content of all but one, an image with two systems among them. */
async function contentIn(name: string): Promise<string> {
  const path = await tree(name, {
    "PS100014/setup.exe": "t", "PS100015/net.inf": "z", "PS100003/readme.txt": "", "PS100004/sources/readme.txt": "", "PS100002/boot.wim": "b",
    ...Object.fromEntries(["Editor", "Runtime", "Old", "Secret", "Lacking"].map((id) => [`Content_${id}/setup.exe`, id])),
  });
  const system = await tree("system", { a: "1" });
  for (const image of ["PS100003/w11.WIM", "PS100004/sources/install.wim"]) {
    await runWimlib(["capture", system, join(path, image), "First", "--check"]);
    await runWimlib(["append", system, join(path, image), "Second", "--check"]);
  }
  return path;
}

test("a whole export with its content: each object imported, those it needs before it, and the steps name them", async () => {
  await contentIn("whole/Desk_files");
  const path = join(folder, "whole/Desk.zip");
  await writeFile(path, zip(objects));
  const output = join(folder, "imported");
  const dry = await cli(["sequence", "import", path, "--json"]);
  const status = (imported: Imported) => Object.fromEntries(imported.lines.map((one) => [one.name, one.status]));
  assert.deepEqual(status(dry.json as Imported), { Tools: "withNote", Latitude: "withNote", "Windows 11": "withNote", Setup: "withNote", Boot: "withNote", Editor: "withNote", Runtime: "withNote", Old: "withNote", Secret: "disabled", Lacking: "disabled", Absent: "disabled" });
  const run = await cli(["sequence", "import", path, "-o", output, "--import-content", "--data", join(folder, "data"), "--json"]);
  const imported = run.json as Imported;
  assert.deepEqual(status(imported), { Tools: "withNote", Latitude: "translated", "Windows 11": "translated", Setup: "withNote", Boot: "withNote", Editor: "translated", Runtime: "translated", Old: "translated", Secret: "disabled", Lacking: "disabled", Absent: "disabled" }, run.stdout + run.stderr);
  const line = (name: string) => imported.lines.find((one) => one.name === name);
  const id = (name: string) => / (ABC[0-9A-F]{5})$/.exec(line(name)?.to ?? "")?.[1] ?? "none";
  assert.match(line("Secret")?.notes.join("\n") ?? "", /--import-content leaves it out: a password stands in its command line.*\nit is installed by setup\.exe \/password:\*\*\*\n/);
  assert.match(line("Lacking")?.notes[0] ?? "", /^it depends on scopeid_a\/application_elsewhere, which is not imported before it/);
  assert.match(line("Absent")?.notes[0] ?? "", /NAME_files\/Content_Absent\) by prestage application import/);
  assert.ok(!`${run.stdout}${await readFile(join(output, "import-report.json"), "utf8")}`.includes("Sw0rdfish"));

  const yaml = await readFile(join(output, "PS100040.yaml"), "utf8");
  assert.match(yaml, new RegExp(`osImage: ${id("Windows 11")}, index: 2`));
  assert.match(yaml, new RegExp(`driverPackage: ${id("Latitude")}`));
  assert.match(yaml, new RegExp(String.raw`applications: \[ ${id("Editor")}, "\{Secret \(configmgr ScopeId_A/Application_Secret\)\}" \]`));
  assert.match(yaml, new RegExp(String.raw`package: ${id("Tools")}, program: Set up, restartCodes: \[ 0, 3010 \]`));
  assert.deepEqual(JSON.parse(await readFile(join(output, "import-map.json"), "utf8")), { PS100003: id("Windows 11"), PS100015: id("Latitude"), "ScopeId_A/Application_Editor": id("Editor"), "ScopeId_A/Application_Secret": "", PS100014: id("Tools") });

  const definition = async (kind: string, name: string) => (await at<[{ definition: Record<string, unknown> }]>(kind, "show", id(name)))[0].definition;
  assert.deepEqual(await definition("package", "Tools"), { kind: "package", programs: [{ name: "Set up", command: "setup.exe /q", successCodes: [] }] });
  assert.deepEqual(await definition("application", "Editor"), { kind: "application", installCommand: "setup.exe /S", uninstallCommand: "un.exe", detection: [{ type: "registry", key: "HKLM\\SOFTWARE\\Editor" }], successCodes: [0], restartCodes: [3010], dependencies: [id("Runtime")], supersedes: [id("Old")] });
  assert.deepEqual(((await definition("os-image", "Windows 11"))["images"] as { name: string }[]).map((one) => one.name), ["First", "Second"]);
  assert.deepEqual(((await definition("os-image", "Setup"))["images"] as { name: string }[]).length, 2);
});

test("what an application depends on may be here already, by --map; content within the .zip is imported, and nothing of it stays", async () => {
  const before = (await readdir(tmpdir())).filter((name) => name.startsWith("prestage-content-"));
  const path = join(folder, "Inside.zip");
  await writeFile(path, zip([objects[0] ?? ["", ""], application("Lacking", { relations: relation("Dependencies", "Elsewhere", "Required") }), ["Inside_files/Content_Lacking/setup.exe", "x"]]));
  const elsewhere = await tree("elsewhere", { "setup.exe": "e" });
  const { id } = await at<{ id: string }>("application", "import", elsewhere, "--name", "Elsewhere", "--install", "setup.exe", "--detect-command", "true");
  const map = join(folder, "map.json");
  await writeFile(map, JSON.stringify({ "ScopeId_A/Application_Elsewhere": id }));
  const run = await cli(["sequence", "import", path, "--map", map, "--import-content", "--data", join(folder, "data"), "--json"]);
  const line = (run.json as Imported).lines.find((one) => one.name === "Lacking");
  const [, ours = ""] = /^application (ABC[0-9A-F]{5})$/.exec(line?.to ?? "") ?? [];
  assert.deepEqual((await at<[{ definition: { dependencies: string[] } }]>("application", "show", ours))[0].definition.dependencies, [id], run.stdout + run.stderr);
  assert.deepEqual((await readdir(tmpdir())).filter((name) => name.startsWith("prestage-content-")), before);
});
