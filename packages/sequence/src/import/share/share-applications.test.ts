import assert from "node:assert/strict";
import { test } from "node:test";
import { allSteps, parseTaskSequenceYaml } from "../../index.ts";
import { importSequence, otherShareObjects, readShareObjects, readSourceSequence, readXml, shareKnowledge } from "../index.ts";
import type { ShareObject } from "../index.ts";

const xml = (text: string) => readXml(Buffer.from(text));
const application = (guid: string, inside: string, more = "") => `<application guid="{${guid}}" enable="True" ${more}><Name>App ${guid}</Name>${inside}</application>`;
const files = (guid: string) => `<CommandLine>setup.exe /S</CommandLine><Source>.\\Applications\\${guid}</Source><WorkingDirectory>.\\Applications\\${guid}</WorkingDirectory>`;
const objectsOf = (...applications: string[]): ShareObject[] => readShareObjects({ applications: xml(`<applications>${applications.join("")}</applications>`) });
const only = (text: string): ShareObject => {
  const [found] = objectsOf(text);
  assert.ok(found !== undefined);
  return found;
};

test("an uninstall key is a detection that asks for the key of 64-bit and of 32-bit programs; without one the application is a package", () => {
  const found = only(application("A", `${files("A")}<UninstallKey>{0B-Tool} 1.0</UninstallKey>`));
  const key = String.raw`"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\{0B-Tool} 1.0"`;
  assert.deepEqual([found.kind, found.application?.detection], ["application", `reg query ${key} /reg:64 || reg query ${key} /reg:32`]);
  assert.match(found.notes.join(), /uninstall key/);
  assert.deepEqual([only(application("A", files("A"))).kind, only(application("A", files("A"))).notes], ["package", []]);
});

test("an uninstall key that a shell would read as more than a name is not looked for, and the report says so", () => {
  for (const key of ['a" &amp; del x', "%TEMP%", "a\\b", "a\nb", "a".repeat(256)]) {
    const found = only(application("A", `${files("A")}<UninstallKey>${key}</UninstallKey>`));
    assert.deepEqual([found.kind, found.application?.detection], ["package", undefined], key);
    assert.match(found.notes.join(), /is no name of a key/);
  }
});

test("systems, restart, hiding, working directory and paths of the share are carried over or said", () => {
  const platform = (...names: string[]) => names.map((name) => `<SupportedPlatform>${name}</SupportedPlatform>`).join("");
  const on10 = { all: [{ operatingSystem: "name", equals: "Windows" }, { all: [{ operatingSystem: "version", greaterOrEqual: "10.0.10240" }, { operatingSystem: "version", less: "10.0.22000" }] }, { operatingSystem: "architecture", equals: "x64" }] };
  assert.deepEqual(only(application("A", files("A") + platform("All x64 Windows 10 Client"))).application?.platform, on10);
  const unknown = only(application("A", files("A") + platform("All x64 Windows 10 Client", "All Windows Neptune")));
  assert.equal(unknown.application?.platform, undefined);
  assert.match(unknown.notes.join(), /All Windows Neptune\), which cannot be said here; it is installed in any/);
  const restarting = only(application("A", `${files("A")}<Reboot>True</Reboot>`, 'hide="True"'));
  assert.equal(restarting.application?.restart, true);
  assert.match(restarting.notes.join("; "), /restarts the computer; hidden in MDT's wizard/);
  const command = (line: string, place: string) => only(application("A", `<CommandLine>${line}</CommandLine><Source>.\\Applications\\A</Source><WorkingDirectory>${place}</WorkingDirectory>`));
  assert.equal(command("setup.exe", ".\\applications\\a\\x64\\bin").application?.command, 'cd /d "x64\\bin" && setup.exe');
  assert.equal(command("setup.exe", ".\\").application?.command, "setup.exe");
  assert.match(command("setup.exe", "\\\\server\\share").notes.join(), /not in its working directory \\\\server\\share/);
  assert.equal(command("%DEPLOYROOT%\\Applications\\A\\setup.exe /S", "").application?.command, ".\\setup.exe /S");
  assert.match(command("cscript %SCRIPTROOT%\\x.vbs", "").application?.refused ?? "", /files of the share that are not its own/);
});

test("a step installs what its application depends on first: applications that are found, packages that are run, none that are off or nothing but others", () => {
  const objects = objectsOf(
    application("A", `${files("A")}<UninstallKey>A</UninstallKey><Dependency>{B}</Dependency><Dependency>{C}</Dependency><Dependency>{D}</Dependency>`),
    application("B", `${files("B")}<Reboot>True</Reboot><SupportedPlatform>All Windows 11</SupportedPlatform>`),
    application("C", "<Dependency>{A}</Dependency>"),
    application("D", files("D")).replace('enable="True"', 'enable="False"'),
  );
  const source = (guid: string) => readSourceSequence(xml(`<sequence version="3.00"><group name="R"><condition><expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">PHASE</variable><variable name="Operator">equals</variable><variable name="Value">STATERESTORE</variable></expression></condition><step type="BDD_InstallApplication" name="Install"><defaultVarList><variable name="ApplicationGUID" property="ApplicationGUID">{${guid}}</variable><variable name="ApplicationSuccessCodes" property="ApplicationSuccessCodes">0 3010 7</variable></defaultVarList><action>cscript.exe "%SCRIPTROOT%\\ZTIApplications.wsf"</action></step></group></sequence>`));
  const imported = (guid: string) => importSequence(source(guid), { origin: "mdt", share: shareKnowledge(objects), mapping: new Map([["{a}", "ABC00001"], ["{b}", "ABC00002"]]) });
  const all = imported("A");
  const steps = [...allSteps(parseTaskSequenceYaml(all.yaml).steps)].find((one) => one.name === "Install")?.steps ?? [];
  assert.deepEqual(steps.map((one) => [one.name, one.type, one.with]), [["App B", "install-package", { package: "ABC00002", program: "Install", restartCodes: [0, 3010] }], ["App A", "install-application", { application: "ABC00001" }]]);
  assert.deepEqual([steps[0]?.when, steps[1]?.when], [objects[1]?.application?.platform, undefined]);
  const notes = all.report.lines.find((one) => one.name === "Install")?.notes.join("; ") ?? "";
  assert.match(notes, /off in the share: App D; not carried over: the success codes 7/);
  const off = imported("D").report.lines.find((one) => one.name === "Install");
  assert.deepEqual([off?.status, off?.notes], ["disabled", ["the application is off in the share, where it is not installed either"]]);
});

test("what an application depends on beyond two hundred others is named in the report", () => {
  const noteOf = (count: number) => {
    const others = Array.from({ length: count }, (_, i) => application(`N${i}`, files(`N${i}`)));
    const objects = objectsOf(application("A", `${files("A")}${others.map((_, i) => `<Dependency>{N${i}}</Dependency>`).join("")}`), ...others);
    const source = readSourceSequence(xml('<sequence version="3.00"><step type="BDD_InstallApplication" name="Install"><defaultVarList><variable name="ApplicationGUID" property="ApplicationGUID">{A}</variable></defaultVarList><action>cscript.exe "%SCRIPTROOT%\\ZTIApplications.wsf"</action></step></sequence>'));
    const { yaml, report } = importSequence(source, { origin: "mdt", share: shareKnowledge(objects) });
    return { steps: [...allSteps(parseTaskSequenceYaml(yaml).steps)].filter((one) => one.type === "install-package").length, notes: report.lines.find((one) => one.name === "Install")?.notes.join("; ") ?? "" };
  };
  assert.deepEqual([noteOf(200).steps, /left out/.test(noteOf(200).notes)], [201, false]);
  const { steps, notes } = noteOf(212);
  assert.equal(steps, 201);
  assert.match(notes, /left out, for it depends on more than 200 others: App N200, App N201, .*App N209 and 2 more, with what these depend on/);
});

test("what a share holds besides has its line: updates, drivers and groups that no driver package comes of, selections, what lies beside an image", () => {
  const shared = {
    operatingSystems: xml('<oss><os guid="{o}"><Name>W11</Name><ImageFile>.\\Operating Systems\\W11\\sources\\install.wim</ImageFile><IncludesSetup>True</IncludesSetup></os></oss>'),
    drivers: xml('<drivers><driver guid="{1}" enable="True"><Name>Net</Name><Source>.\\Out-of-box Drivers\\Net\\net.inf</Source></driver><driver guid="{2}" enable="False"><Name>Old</Name><Source>.\\Out-of-box Drivers\\Old\\old.inf</Source></driver><driver guid="{3}"><Name>Loose</Name><Source>.\\Out-of-box Drivers\\L\\l.inf</Source></driver><driver guid="{4}"><Name>Far</Name><Source>\\\\server\\x\\y.inf</Source></driver></drivers>'),
    driverGroups: xml('<groups><group guid="{g}"><Name>Latitude</Name><Member>{1}</Member><Member>{2}</Member><Member>{4}</Member></group><group guid="{h}"><Name>Empty</Name></group><group guid="{i}"><Name>Off</Name><Member>{2}</Member></group></groups>'),
    packages: xml('<packages><package guid="{p}" enable="True"><Name>KB1</Name><PackageType>SecurityUpdate</PackageType><ProductName>Windows 11</ProductName><Architecture>amd64</Architecture><Reboot>True</Reboot><Source>.\\Packages\\kb1.cab</Source></package></packages>'),
    selectionProfiles: xml('<selectionProfiles><selectionProfile guid="{s}"><Name>All Drivers</Name></selectionProfile></selectionProfiles>'),
  };
  const [image, group] = readShareObjects(shared);
  assert.match(image?.notes.join() ?? "", /such as sources\\sxs/);
  assert.deepEqual([group?.name, group?.sources, group?.notes], ["Latitude", ["Out-of-box Drivers/Net"], ["left out, for they are off in the share: Old"]]);
  const lines = otherShareObjects(shared);
  assert.deepEqual(lines.map((one) => [one.type, one.name, one.status]), [["SecurityUpdate", "KB1", "disabled"], ["driver", "Loose", "disabled"], ["driver", "Far", "disabled"], ["driver group", "Empty", "disabled"], ["driver group", "Off", "disabled"], ["selection profile", "All Drivers", "disabled"]]);
  assert.match(lines[0]?.notes[0] ?? "", /^make a package of \.\\Packages\\kb1\.cab .*install-updates \(for Windows 11, amd64\); it asks for a restart/);
  // Every object of the files is either imported or has its line.
  assert.equal(readShareObjects(shared).length + lines.filter((one) => one.type === "driver group").length, 4);
});
