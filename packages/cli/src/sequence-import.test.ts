import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";
import { zip } from "./fixtures/zip.ts";

const { folder, at, tree } = await cliSite();
interface Line { kind: string; name: string; status: string; to: string; notes: string[] }
interface Imported { totals: { translated: number; withNote: number; disabled: number; notNeeded: number }; files: string[]; lines: Line[]; sequences: { id: string; name: string; yaml?: string; report: { lines: Line[] } }[] }
const code = (result: { json: unknown }) => (result.json as { error?: { code: string } } | undefined)?.error?.code;

const image = "{0b0b0b0b-0000-4000-8000-000000000001}";
const application = "{0b0b0b0b-0000-4000-8000-000000000002}";
const before = "{0b0b0b0b-0000-4000-8000-000000000003}";
const ts = `<?xml version="1.0"?><sequence version="3.00" name="Standard"><group name="Install"><condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">PHASE</variable><variable name="Operator">equals</variable><variable name="Value">PREINSTALL</variable></expression></condition>
<step type="BDD_InstallOS" name="OS"><defaultVarList><variable name="OSGUID" property="OSGUID">${image}</variable></defaultVarList><action>cscript.exe "%SCRIPTROOT%\\LTIApply.wsf"</action></step></group>
<step type="SMS_TaskSequence_RebootAction" name="Restart"><action>smsboot.exe /target:WinPE</action></step>
<step type="BDD_InstallApplication" name="Tool"><defaultVarList><variable name="ApplicationGUID" property="ApplicationGUID">${application}</variable></defaultVarList><action>cscript.exe "%SCRIPTROOT%\\ZTIApplications.wsf"</action></step>
<step type="SMS_TaskSequence_RunCommandLineAction" name="Note"><action>cscript.exe //nologo "%ScriptRoot%\\Own\\note.vbs" %OSDComputerName%</action></step>
<step type="BDD_RunPowerShellAction" name="Remove"><defaultVarList><variable name="ScriptName" property="ScriptName">%deployroot%\\Custom Scripts\\remove\\remove.ps1</variable><variable name="Parameters" property="Parameters">-Name "a b"</variable></defaultVarList><action>cscript.exe "%SCRIPTROOT%\\ZTIPowerShell.wsf"</action></step>
<step type="SMS_TaskSequence_RunCommandLineAction" name="Asks"><action>cscript.exe %SCRIPTROOT%\\asks.vbs</action></step></sequence>`;

/** As a shell runs it, its output read slowly: more than a pipe holds. */
test("what is more than a pipe holds comes whole, however slow its reader", async () => {
  const path = join(folder, "long.xml");
  await writeFile(path, `<sequence version="3.00">${Array.from({ length: 900 }, (_, i) => `<step type="Vendor_Unknown" name="Step ${i}" description="${"x".repeat(900)}" />`).join("")}</sequence>`);
  const program = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), "sequence", "import", path, "--json"], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(program, "close");
  let text = "";
  program.stdout.setEncoding("utf8");
  for await (const part of program.stdout) {
    text += String(part);
    // Time for whoever would not wait to be gone with the rest.
    for (let i = 0; i < 200; i++) await new Promise((resolve) => void setImmediate(resolve));
  }
  assert.deepEqual(await ended, [3, null]);
  assert.equal((JSON.parse(text) as Imported).totals.disabled, 900);
});

test("a deployment share: its content imported, its rules and sequences in text, a line for everything", async () => {
  const share = await tree("share", {
    "Control/TaskSequences.xml": `<tss><ts guid="{a}" enable="True"><Name>Office PC</Name><ID>W11</ID></ts><ts guid="{b}"><Name>Gone</Name><ID>GONE</ID></ts></tss>`,
    "Control/w11/TS.XML": ts,
    "Control/OperatingSystems.xml": `<oss><os guid="${image}" enable="True"><Name>Windows</Name><ImageFile>.\\Operating Systems\\W11\\install.wim</ImageFile><ImageIndex>2</ImageIndex></os><os guid="{c}"><Name>Elsewhere</Name><ImageFile>..\\..\\etc\\x.wim</ImageFile></os></oss>`,
    "Control/Applications.xml": `<applications><application guid="${application}" enable="True"><Name>Tool</Name><CommandLine>setup.exe /S</CommandLine><Source>.\\Applications\\Tool</Source><Dependency>${before}</Dependency></application><application guid="${before}"><Name>Runtime</Name><CommandLine>runtime.exe /q</CommandLine><Source>.\\Applications\\Runtime</Source><UninstallKey>Runtime 1</UninstallKey><Reboot>True</Reboot><SupportedPlatform>All Windows 11</SupportedPlatform></application></applications>`,
    "Control/Packages.xml": `<packages><package guid="{f}"><Name>KB5</Name><Source>.\\Packages\\kb5.cab</Source></package></packages>`,
    "Control/DriverGroups.xml": `<groups><group guid="{d}"><Name>Latitude</Name><Member>{e}</Member></group></groups>`,
    "Control/Drivers.xml": `<drivers><driver guid="{e}"><Name>Net</Name><Source>.\\Out-of-box Drivers\\Net\\x\\net.inf</Source></driver></drivers>`,
    "Control/CustomSettings.ini": "[Settings]\r\nPriority=Default\r\n[Default]\r\nOSDComputerName=PC\r\nAdminPassword=Sw0rdfish\r\n",
    "Applications/Tool/setup.exe": "x", "Scripts/Own/note.vbs": "' note", "Scripts/asks.vbs": 'Set env = CreateObject("Microsoft.SMS.TSEnvironment")', "Custom Scripts/Remove/remove.ps1": "exit 0", "Applications/Runtime/runtime.exe": "y", "Out-of-box Drivers/Net/x/net.inf": "z",
  });
  const wim = await tree("wim", { a: "1" });
  await tree("share/Operating Systems/W11", { "readme.txt": "" });
  const path = join(share, "Operating Systems/W11/install.wim");
  await runWimlib(["capture", wim, path, "First", "--check"]);
  await runWimlib(["append", wim, path, "Second", "--check"]);
  const output = join(folder, "imported");
  const dry = await cli(["sequence", "import", share, "--json"]);
  assert.equal(dry.exitCode, 3);
  assert.match((dry.json as Imported).sequences[0]?.yaml ?? "", /osImage: "\{Windows\}"/);
  // The site's server is this machine here; the same command with its content.
  const run = await cli(["sequence", "import", share, "-o", output, "--import-content", "--data", join(folder, "data"), "--json"]);
  assert.equal(run.exitCode, 3, run.stdout + run.stderr);
  const imported = run.json as Imported;
  const objects = new Map(imported.lines.filter((one) => one.kind === "object").map((one) => [one.name, one]));
  assert.deepEqual(Object.fromEntries([...objects].map(([name, one]) => [name, one.status])), { "Custom Scripts/remove": "translated", Elsewhere: "disabled", Gone: "disabled", KB5: "disabled", Latitude: "translated", Runtime: "withNote", Scripts: "translated", Tool: "translated", Windows: "translated" });
  const [, osImage = ""] = / (ABC[0-9A-F]{5})$/.exec(objects.get("Windows")?.to ?? "") ?? [];
  const yaml = await readFile(join(output, "W11.yaml"), "utf8");
  assert.match(yaml, new RegExp(`osImage: ${osImage}, index: 2`));
  assert.match(yaml, /OSDComputerName: PC/);
  // What lies in the share is a package here, and the commands name it from there.
  const idOf = (name: string) => objects.get(name)?.to.replace(/^package /, "") ?? "";
  assert.match(yaml, new RegExp(String.raw`command: cscript\.exe //nologo "\.\\Own\\note\.vbs" %OSDComputerName%, package: ${idOf("Scripts")} `));
  assert.match(yaml, new RegExp(`language: powershell, file: remove\\.ps1, package: ${idOf("Custom Scripts/remove")}, parameters: \\[ -Name, a b \\]`));
  assert.match(imported.sequences[0]?.report.lines.find((one) => one.name === "Asks")?.notes[0] ?? "", /^Scripts\/asks\.vbs asks MDT's own objects/);
  assert.ok(!`${yaml}${run.stdout}${await readFile(join(output, "import-report.json"), "utf8")}`.includes("Sw0rdfish"));
  assert.deepEqual(imported.totals, { translated: 0, withNote: 5, disabled: 1, notNeeded: 0 });
  assert.deepEqual((await at<{ programs: unknown }[] & { definition: { programs: { name: string; command: string; successCodes: number[] }[] } }[]>("package", "show", / (ABC\w+)$/.exec(objects.get("Tool")?.to ?? "")?.[1] ?? ""))[0]?.definition.programs, [{ name: "Install", command: "setup.exe /S", successCodes: [0] }], "3010 restarts, as in MDT");
  // What MDT finds by its uninstall key is an application, installed before what needs it.
  const runtime = / (ABC\w+)$/.exec(objects.get("Runtime")?.to ?? "")?.[1] ?? "";
  assert.match(yaml, new RegExp(String.raw`type: install-application\s+with: \{ application: ${runtime} \}[^]*package: ${idOf("Tool")}`));
  const [{ definition }] = await at<[{ definition: Record<string, unknown> }]>("application", "show", runtime);
  assert.deepEqual([definition["installCommand"], definition["successCodes"], definition["restartCodes"], definition["requirement"]], ["runtime.exe /q", [], [0, 3010], { all: [{ operatingSystem: "name", equals: "Windows" }, { operatingSystem: "version", greaterOrEqual: "10.0.22000" }] }]);
  assert.match(JSON.stringify(definition["detection"]), /Uninstall\\\\Runtime 1/);
  assert.equal((await cli(["sequence", "lint", join(output, "W11.yaml"), "--offline"])).exitCode, 0);
  await at("sequence", "add", join(output, "W11.yaml"));
  assert.equal(code(await cli(["sequence", "import", share, "-o", output, "--json"])), "PRESTAGE_CLI_BAD_ARGUMENT");
});

test("one file is printed, its report said on the other stream; a mapping puts ids in", async () => {
  const share = await tree("one", { "ts.xml": ts });
  const plain = await cli(["sequence", "import", join(share, "ts.xml")]);
  assert.deepEqual([plain.exitCode, /^# Imported/.test(plain.stdout)], [0, true]);
  assert.match(plain.stderr, /^0 steps translated, 6 with a note \(0 of them need nothing here\), 0 kept disabled;/);
  await writeFile(join(share, "map.json"), JSON.stringify({ [image]: "ABC00009", [application]: "" }));
  assert.match((await cli(["sequence", "import", join(share, "ts.xml"), "--map", join(share, "map.json")])).stdout, /osImage: ABC00009/);
  await writeFile(join(share, "map.json"), JSON.stringify({ [image]: "nonsense" }));
  assert.equal(code(await cli(["sequence", "import", join(share, "ts.xml"), "--map", join(share, "map.json"), "--json"])), "PRESTAGE_CLI_BAD_ARGUMENT");
  assert.equal(code(await cli(["sequence", "import", join(share, "ts.xml"), "--import-content", "--json"])), "PRESTAGE_CLI_BAD_ARGUMENT");
  assert.equal(code(await cli(["sequence", "import", folder, "--json"])), "PRESTAGE_CLI_FILE_UNREADABLE");
});

test("an export of Configuration Manager is read from its .zip; what is no such .zip is refused", async () => {
  const sequence = '<sequence version="3.10"><step type="SMS_TaskSequence_SetVariableAction" name="Role"><defaultVarList><variable name="VariableName" property="VariableName">Role</variable><variable name="VariableValue" property="VariableValue">desk</variable></defaultVarList></step></sequence>';
  const object = `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Name"><VALUE>Desk</VALUE></PROPERTY><PROPERTY NAME="Sequence"><VALUE><![CDATA[${sequence}]]></VALUE></PROPERTY></INSTANCE>`;
  const path = join(folder, "export.zip");
  const importing = async (bytes: Buffer) => {
    await writeFile(path, bytes);
    return cli(["sequence", "import", path, "--json"]);
  };
  const good = zip([["Manifest.xml", "<a/>"], ["SMS_TaskSequencePackage/PS100040/object.xml", object]]);
  const read = await importing(good);
  assert.deepEqual([read.exitCode, (read.json as Imported).totals, (read.json as Imported).sequences.map((one) => [one.id, one.name])], [0, { translated: 1, withNote: 0, disabled: 0, notNeeded: 0 }, [["PS100040", "Desk"]]]);
  const content = await importing(zip([["SMS_TaskSequencePackage/PS100040/object.xml", object], ["SMS_Application/ScopeId_A%2FApplication_B/object.xml", `<INSTANCE><PROPERTY NAME="LocalizedDisplayName"><VALUE>Editor</VALUE></PROPERTY></INSTANCE>`]]));
  assert.deepEqual([content.exitCode, (content.json as Imported).lines.map((one) => [one.kind, one.name, one.status])], [0, [["object", "Editor", "disabled"]]]);
  const refused = "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN";
  assert.equal(code(await importing(zip([["Manifest.xml", "<a/>"]]))), refused);
  assert.equal(code(await importing(zip([["../SMS_TaskSequencePackage/PS100040/object.xml", object]]))), refused);
  assert.equal(code(await importing(zip([["SMS_TaskSequencePackage/PS100040/object.xml", object], ["SMS_TaskSequencePackage/PS100040/object.xml", object]]))), refused);
  assert.equal(code(await importing(zip([["SMS_TaskSequencePackage/PS100040/object.xml", "<!DOCTYPE a><a/>"]]))), "PRESTAGE_SEQUENCE_IMPORT_XML");
  assert.equal(code(await importing(zip([["SMS_TaskSequencePackage/PS100040/object.xml", " ".repeat(33 * 1024 * 1024)]]))), refused, "a small file that unpacks to a large one");
  for (const length of [10, 60, good.length - 10]) assert.equal(code(await importing(good.subarray(0, length))), refused, `cut after ${length}`);
});

test("driver packages whose content lies in NAME_files beside an export are imported, and the steps name them", async () => {
  const sequence = '<sequence version="3.10"><step type="SMS_TaskSequence_ApplyDriverPackageAction" name="Drivers"><defaultVarList><variable name="PackageID" property="DriverPackageID">PS100015</variable></defaultVarList></step></sequence>';
  const instance = (properties: Record<string, string>) => `<INSTANCE>${Object.entries(properties).map(([name, value]) => `<PROPERTY NAME="${name}"><VALUE><![CDATA[${value}]]></VALUE></PROPERTY>`).join("")}</INSTANCE>`;
  const where = await tree("exported", { "Desk_files/ps100015/net/net.inf": "z", "Desk_files/PS100017": "a file" });
  const path = join(where, "Desk.zip");
  await writeFile(path, zip([["SMS_TaskSequencePackage/PS100040/object.xml", instance({ Name: "Desk", Sequence: sequence })], ...["PS100015", "PS100016", "PS100017"].map((id) => [`SMS_DriverPackage/${id}/object.xml`, instance({ Name: `Latitude ${id}`, PackageID: id })] as const)]));
  const read = (await cli(["sequence", "import", path, "--json"])).json as Imported;
  assert.deepEqual(read.lines.map((one) => [one.name, one.status, one.notes[0]?.slice(0, 30)]), [["Latitude PS100016", "disabled", "not translated: import the con"], ["Latitude PS100017", "disabled", "not translated: import the con"], ["Latitude PS100015", "withNote", "imported by --import-content"]]);
  const run = await cli(["sequence", "import", path, "--import-content", "--data", join(folder, "data"), "--json"]);
  const imported = run.json as Imported;
  const line = imported.lines.find((one) => one.name === "Latitude PS100015");
  assert.equal(line?.status, "translated", run.stdout + run.stderr);
  const [, id = "none"] = /^driver-package (ABC[0-9A-F]{5})$/.exec(line?.to ?? "") ?? [];
  assert.ok(imported.sequences[0]?.yaml?.includes(id), imported.sequences[0]?.yaml);
  const [found] = await at<{ name: string }[]>("driver-package", "show", id);
  assert.equal(found?.name, "Latitude PS100015");
});
