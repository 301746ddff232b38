import assert from "node:assert/strict";
import { test } from "node:test";
import { importSequence, readExport } from "../index.ts";
import type { ReadExport } from "./read-export.ts";

const properties = (values: Readonly<Record<string, string>>) => Object.entries(values).map(([name, value]) => `<PROPERTY NAME="${name}"><VALUE><![CDATA[${value}]]></VALUE></PROPERTY>`).join("");
const instance = (className: string, values: Readonly<Record<string, string>>, more = "") => `<INSTANCE CLASSNAME="${className}">${properties(values)}${more}</INSTANCE>`;
const program = (ProgramName: string, values: Readonly<Record<string, string>> = {}, more = "") => instance("SMS_Program", { PackageID: "PS100014", ProgramName, CommandLine: "setup.exe /S", ProgramFlags: String(0x8000_0000 + 0x800_0000 + 0x10_0000), ...values }, more);
const step = (name: string) => `<step type="SMS_TaskSequence_InstallSoftwareAction" name="${name}"><defaultVarList><variable name="PackageID" property="PackageID">PS100014</variable><variable name="ProgramName" property="ProgramName">${name}</variable></defaultVarList></step>`;

/** An export with one package; `more` stands in its instance. */
function exported(more: string, files: Readonly<Record<string, string>> = {}, steps = step("Set up")): ReadExport {
  const text = { "SMS_TaskSequencePackage/PS100040/object.xml": instance("SMS_TaskSequencePackage", { Name: "Desk", Sequence: `<sequence version="3.10"><step type="SMS_TaskSequence_RebootAction" name="R"/>${steps}</sequence>` }), "SMS_Package/PS100014/object.xml": instance("SMS_Package", { Name: "Tools", PackageID: "PS100014", Version: "2" }, more), ...files };
  return readExport(new Map(Object.entries(text).map(([path, content]) => [path, Buffer.from(content)])));
}

test("programs are found as instances within their package, as text in its values, in a list beside it and in files of their own, each once", () => {
  const within = `<PROPERTY.OBJECTARRAY NAME="Programs"><VALUE.ARRAY><VALUE.OBJECT>${program("A")}</VALUE.OBJECT></VALUE.ARRAY></PROPERTY.OBJECTARRAY>`;
  const asText = `<PROPERTY.ARRAY NAME="Programs" TYPE="string"><VALUE.ARRAY><VALUE>${program("B").replaceAll("<", "&lt;").replaceAll(">", "&gt;")}</VALUE><VALUE>${program("a").replaceAll("<", "&lt;").replaceAll(">", "&gt;")}</VALUE></VALUE.ARRAY></PROPERTY.ARRAY>`;
  const { objects, lines } = exported(within + asText, { "SMS_Program/PS100014;C/object.xml": program("C"), "SMS_Package/PS100014/SMS_Program/D/object.xml": program("D"), "SMS_Package/PS100014/Programs.xml": `<ArrayOfString><string>${program("F").replaceAll("<", "&lt;").replaceAll(">", "&gt;")}</string></ArrayOfString>`, "SMS_Program/PS100099;E/object.xml": program("E", { PackageID: "PS100099" }) });
  const [tools] = objects;
  assert.deepEqual([tools?.kind, tools?.guid, tools?.version, tools?.places], ["package", "PS100014", "2", ["PS100014"]]);
  assert.deepEqual(tools?.programs?.map((one) => one.name), ["a", "B", "C", "D", "F"]);
  assert.deepEqual(tools?.programs?.[0], { name: "a", command: "setup.exe /S", successCodes: [0] });
  // The program of a package that is not there has a line of its own; the others stand in their package's.
  assert.deepEqual(lines.map((one) => [one.name, one.type, one.notes[0]?.slice(0, 24)]), [["Tools", "SMS_Package", "not translated: import t"], ["E", "SMS_Program", "not translated: its pack"]]);
  assert.deepEqual(lines[0]?.notes.slice(1), ["a", "B", "C", "D", "F"].map((name) => `its program ${name} runs setup.exe /S`));
});

test("what a program asks for is carried over, said, or keeps it out; a password is never written out", () => {
  const system = instance("SMS_OS_Details", { Name: "Win NT", Platform: "x64", MinVersion: "10.00.10240.0" });
  const { objects, lines } = exported([
    program("In a folder", { WorkingDirectory: ".\\x64\\bin", Duration: "30" }), program("Elsewhere", { WorkingDirectory: "C:\\Temp" }), program("Off", { ProgramFlags: "4096" }), program("Secret", { CommandLine: "setup.exe /password:Sw0rdfish" }), program("Empty", { CommandLine: "" }),
    program("User", { ProgramFlags: String(0x4000 + 0x1_0000 + 0x800_0000) }), program("Itself", { ProgramFlags: String(0x4_0000 + 0x800_0000) }), program("Drive", { ProgramFlags: "134217728", DriveLetter: "q" }), program("After", { DependentProgram: "PS100020;;Runtime" }), program("After own", { DependentProgram: ";;Drive" }), program("Systems", { ProgramFlags: "1048576" }, `<PROPERTY.OBJECTARRAY NAME="SupportedOperatingSystems"><VALUE.ARRAY><VALUE.OBJECT>${system}</VALUE.OBJECT></VALUE.ARRAY></PROPERTY.OBJECTARRAY>`),
  ].join(""));
  const [tools] = objects;
  assert.deepEqual(tools?.programs?.map((one) => [one.name, one.command]), [["In a folder", 'cd /d "x64\\bin" && setup.exe /S'], ["Elsewhere", "setup.exe /S"], ["User", "setup.exe /S"], ["Itself", "setup.exe /S"], ["Drive", "setup.exe /S"], ["After", "setup.exe /S"], ["After own", "setup.exe /S"], ["Systems", "setup.exe /S"]]);
  for (const expected of [/^its program In a folder: there it is expected to end within 30 minutes/, /^its program Elsewhere: it runs in the folder of its files, not in C:\\Temp$/, /^its program Off is left out: it is disabled there$/, /^its program Secret is left out: a password/, /^its program Empty is left out: it has no command line$/, /^its program User: there it runs with the rights of the user/, /^its program User: there it runs once for every user/, /^its program Itself: it restarts the computer itself/, /^its program Drive: there its files have the drive letter Q:/, /^its program After: there the program Runtime of PS100020 runs before it/, /^its program After own: there the program Drive of the same package/, /^its program Systems: there it runs in these systems alone: Win NT x64 10\.00\.10240\.0;/]) {
    assert.equal(tools?.notes.filter((note) => expected.test(note)).length, 1, `${String(expected)} in ${tools?.notes.join("\n") ?? ""}`);
  }
  assert.ok(!JSON.stringify([objects, lines]).includes("Sw0rdfish"));
});

test("a step restarts the computer where the program asks for that, and is disabled where the program is left out", () => {
  const { sequences: [desk], programs } = exported(program("Set up", { ProgramFlags: String(0x8_0000 + 0x800_0000) }) + program("Off", { ProgramFlags: "4096" }), {}, step("set UP") + step("Off") + step("Unknown"));
  assert.ok(desk !== undefined);
  const translated = importSequence(desk.sequence, { origin: "configmgr", names: desk.names, mapping: new Map([["ps100014", "ABC00005"]]), share: { imageIndexes: new Map(), applications: new Map(), programs } });
  assert.match(translated.yaml, /package: ABC00005, program: set UP, restartCodes: \[ 0, 3010 \]/);
  assert.match(translated.yaml, /package: ABC00005, program: Unknown \}/);
  assert.deepEqual(translated.report.lines.filter((one) => one.name === "Off").map((one) => [one.status, one.notes]), [["disabled", ["the program Off is not imported: it is disabled there"]]]);
});
