import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { allSteps, lintSequence, parseTaskSequenceYaml } from "../index.ts";
import { importSequence, readExport, readSourceSequence, readXml, sourceSteps, translateRules } from "./index.ts";
import type { ImportedSequence } from "./index.ts";

const bytes = (text: string) => Buffer.from(text);
const read = (body: string) => readSourceSequence(readXml(bytes(`<sequence version="3.10" name="Small">${body}</sequence>`)));
const settings = (given: Readonly<Record<string, string>>) => `<defaultVarList>${Object.entries(given).map(([name, value]) => `<variable name="${name}" property="${name}">${value}</variable>`).join("")}</defaultVarList>`;
const step = (type: string, name: string, inside = "", more = "") => `<step type="${type}" name="${name}" ${more}>${inside}</step>`;
const variable = (name: string, operator: string, value: string) => `<expression type="SMS_TaskSequence_VariableConditionExpression"><variable name="Variable">${name}</variable><variable name="Operator">${operator}</variable><variable name="Value">${value}</variable></expression>`;
const configmgr = (body: string): ImportedSequence => importSequence(read(body), { origin: "configmgr" });
const mdt = (body: string): ImportedSequence => importSequence(read(body), { origin: "mdt" });
const stepsOf = (imported: ImportedSequence) => [...allSteps(parseTaskSequenceYaml(imported.yaml).steps)];
const line = (imported: ImportedSequence, name: string) => imported.report.lines.find((one) => one.name === name);

test("steps of Configuration Manager become ours, with group, condition, retries, time limit", () => {
  const imported = configmgr(`<group name="All" description="What it does" continueOnError="true"><condition><operator type="or">${variable("Role", "equals", "kiosk")}${variable("Role", "notExists", "")}</operator></condition>
    ${step("SMS_TaskSequence_SetVariableAction", "Role", settings({ VariableName: "Place", VariableValue: "Lyon" }), 'timeout="90" retryCount="2"')}
    ${step("SMS_TaskSequence_ApplyOperatingSystemAction", "Image", settings({ ImagePackageID: "PS100012", ImageIndex: "3" }))}
    ${step("SMS_TaskSequence_RebootAction", "Restart", settings({ Target: "HD" }))}</group>`);
  const [group, set, image, restart] = stepsOf(imported);
  assert.deepEqual([group?.type, group?.when, group?.continueOnError, group?.description], ["group", { any: [{ variable: "Role", equals: "kiosk" }, { variable: "Role", notExists: true }] }, true, "What it does"]);
  assert.deepEqual([set?.type, set?.with, set?.retry?.times, set?.timeLimitMinutes], ["set-variable", { name: "Place", value: "Lyon" }, 2, 2]);
  assert.deepEqual([image?.type, image?.with, restart?.with], ["apply-os-image", { osImage: "{configmgr PS100012}", index: 3 }, { to: "installed" }]);
  assert.deepEqual([imported.report.totals, imported.references.map((one) => [one.kind, one.sourceId])], [{ translated: 2, withNote: 1, disabled: 0, notNeeded: 0 }, [["os-image", "PS100012"]]]);
  assert.match(imported.yaml, /# Note: needs its content: configmgr PS100012/);
  assert.ok(lintSequence(parseTaskSequenceYaml(imported.yaml), {}).some((one) => one.rule === "step-settings-invalid"), "a placeholder is told");
});

test("with a mapping the ids here stand in the text", () => {
  const source = read(step("SMS_TaskSequence_ApplyOperatingSystemAction", "Image", settings({ ImagePackageID: "PS100012" })));
  const imported = importSequence(source, { origin: "configmgr", mapping: new Map([["ps100012", "ABC00003"]]) });
  assert.deepEqual(stepsOf(imported)[0]?.with, { osImage: "ABC00003", index: 1 });
  assert.ok(!imported.yaml.includes("needs its content"));
});

test("what there is no step for, and what cannot run where it stands, is kept disabled and says why and what it was", () => {
  const imported = configmgr(step("SMS_TaskSequence_ConvertDiskAction", "Join", "<action>osddiskpart.exe /type:0</action>") + step("SMS_TaskSequence_RunCommandLineAction", "Reg", settings({ CommandLine: "reg add HKLM\\X" })) + step("Vendor_Action", "Odd") + step("SMS_TaskSequence_SetVariableAction", "Off", settings({ VariableName: "A", VariableValue: "b" }), 'disable="true"') + step("SMS_TaskSequence_ApplyOperatingSystemAction", "Image", settings({ ImagePackageID: "PS100012" })));
  const [join, command, odd, off] = stepsOf(imported);
  for (const one of [join, command, odd, off]) assert.equal(one?.disabled, true);
  assert.match(join?.description ?? "", /^Not translated: Windows calls dynamic disks deprecated, and partition-disk makes none\. It was SMS_TaskSequence_ConvertDiskAction: osddiskpart\.exe \/type:0$/);
  assert.match(odd?.description ?? "", /Vendor_Action/);
  assert.equal(off?.type, "set-variable");
  assert.deepEqual([imported.report.totals, imported.report.enabled], [{ translated: 1, withNote: 1, disabled: 3, notNeeded: 0 }, { translated: 0, withNote: 1, disabled: 3, notNeeded: 0 }]);
});

test("what is of the system: settings, addresses, directory, BitLocker, lists; what needs no step here says so and counts as done", () => {
  const restart = step("SMS_TaskSequence_RebootAction", "Restart", settings({ Target: "HD" }));
  const imported = configmgr(
    step("SMS_TaskSequence_PartitionDiskAction", "Partition", settings({ DiskIndex: "0" })) + step("SMS_TaskSequence_PartitionDiskAction", "Other disk", settings({ DiskIndex: "1" }))
    + step("SMS_TaskSequence_ApplyWindowsSettingsAction", "Windows", settings({ ComputerName: "%_SMSTSMachineName%", TimeZone: "UTC", RandomAdminPassword: "true" })) + step("SMS_TaskSequence_ApplyWindowsSettingsAction", "Password", settings({ RandomAdminPassword: "false" }))
    + step("SMS_TaskSequence_ApplyNetworkSettingsAction", "DHCP", settings({ NetworkJoinType: "1", NumAdapters: "0" }))
    + step("SMS_TaskSequence_ApplyNetworkSettingsAction", "Fixed", settings({ NetworkJoinType: "1", NumAdapters: "1", Adapter0IPAddressList: "10.0.0.2", Adapter0SubnetMask: "255.255.255.0", Adapter0Gateways: "10.0.0.1", Adapter0EnableDHCP: "false" }))
    + restart + step("SMS_TaskSequence_JoinDomainWorkgroupAction", "Join", settings({ Type: "0", DomainName: "ad.example.org", DomainOUName: "LDAP://OU=B,DC=ad,DC=example,DC=org", DomainUsername: "AD\\joiner" }))
    + step("SMS_TaskSequence_EnableBitLockerAction", "Encrypt", settings({ Mode: "TPM", CreateRecoveryPassword: "AD", EncryptFullDisk: "true" })) + step("SMS_TaskSequence_EnableBitLockerAction", "Stick", settings({ Mode: "KEY" })) + step("SMS_TaskSequence_DisableBitLockerAction", "Suspend", settings({ RebootCount: "2" }))
    + step("SMS_TaskSequence_InstallApplicationAction", "Apps", settings({ BaseVariableName: "APP", ContinueOnInstallError: "true", RetryCount: "2" })) + step("SMS_TaskSequence_InstallSoftwareAction", "Packages", settings({ BaseVariableName: "PKG" })),
  );
  const found = stepsOf(imported).map((one) => [one.name, one.disabled === true ? (one.description ?? "").slice(0, 12) : one.type, one.with]);
  assert.deepEqual(found, [
    ["Partition", "Not needed: ", { command: "false" }], ["Other disk", "Not translat", { command: "false" }],
    ["Windows", "apply-windows-settings", { computerName: "%_SMSTSMachineName%", timeZone: "UTC" }], ["Password", "Not translat", { command: "false" }],
    ["DHCP", "Not needed: ", { command: "false" }], ["Fixed", "apply-network-settings", { adapters: [{ addresses: ["10.0.0.2/24"], gateways: ["10.0.0.1"], dnsServers: [] }] }],
    ["Restart", "restart", { to: "installed" }], ["Join", "join-directory", { domain: "ad.example.org", organizationalUnit: "LDAP://OU=B,DC=ad,DC=example,DC=org", account: "AD\\joiner", password: { secret: "JOIN_PASSWORD" } }],
    ["Encrypt", "enable-bitlocker", { recoveryTo: "active-directory", usedSpaceOnly: false }], ["Stick", "Not translat", { command: "false" }], ["Suspend", "disable-bitlocker", { restarts: 2 }],
    ["Apps", "install-application", { baseVariable: "APP", continueOnInstallError: true, retries: 2 }], ["Packages", "install-package", { baseVariable: "PKG" }],
  ]);
  assert.deepEqual(imported.report.totals, { translated: 4, withNote: 6, disabled: 3, notNeeded: 2 });
});

test("what sets Windows PE's network up is not needed; another command of Windows there is disabled", () => {
  const run = (name: string, command: string) => step("SMS_TaskSequence_RunCommandLineAction", name, `<action>${command}</action>`);
  const imported = mdt(run("Firewall", "Wpeutil.exe disablefirewall") + run("Start", "cmd /c wpeinit") + run("Other", "wpeutil.exe setkeyboardlayout 0409:00000409") + step("BDD_InstallOS", "OS", `${settings({ OSGUID: "{0B}" })}<action>cscript.exe "%SCRIPTROOT%\\LTIApply.wsf"</action>`));
  assert.deepEqual(["Firewall", "Start", "Other"].map((name) => [line(imported, name)?.status, line(imported, name)?.to]), [["withNote", "nothing"], ["withNote", "nothing"], ["disabled", "disabled step"]]);
  assert.equal(imported.report.totals.notNeeded, 2);
});

test("a condition that cannot be said disables the step; on a group, all that is in it", () => {
  const odd = "<condition><expression type=\"SMS_TaskSequence_WMIConditionExpression\"><variable name=\"Query\">SELECT * FROM Win32_Fan WHERE Speed > 3</variable></expression></condition>";
  const set = step("SMS_TaskSequence_SetVariableAction", "Set", settings({ VariableName: "A", VariableValue: "b" }));
  const imported = configmgr(`<group name="G">${odd}${set}</group>` + step("SMS_TaskSequence_SetVariableAction", "Alone", odd + settings({ VariableName: "A", VariableValue: "b" })));
  assert.deepEqual([imported.report.totals, line(imported, "G")?.status], [{ translated: 0, withNote: 0, disabled: 2, notNeeded: 0 }, "disabled"]);
  assert.ok(stepsOf(imported).every((one) => one.disabled === true));
  assert.match(line(imported, "Alone")?.notes[0] ?? "", /no hardware condition for win32_fan\.Speed/);
});

test("conditions on files, folders, registry, software, hardware and systems", () => {
  const expression = (type: string, given: Readonly<Record<string, string>>) => `<expression type="SMS_TaskSequence_${type}ConditionExpression">${Object.entries(given).map(([name, value]) => `<variable name="${name}">${value}</variable>`).join("")}</expression>`;
  const when = (inside: string) => stepsOf(configmgr(step("SMS_TaskSequence_SetVariableAction", "S", `<condition>${inside}</condition>${settings({ VariableName: "A", VariableValue: "b" })}`)))[0]?.when;
  assert.deepEqual(when(expression("File", { Path: "C:\\a.exe", Version: "2.0", VersionOperator: "greaterEqual" })), { file: "C:\\a.exe", property: "version", greaterOrEqual: "2.0" });
  assert.deepEqual(when(expression("Folder", { Path: "C:\\b", DateTime: "20210902021321.000000+000", DateTimeOperator: "less" })), { folder: "C:\\b", property: "modified", less: "2021-09-02T02:13:21Z" });
  assert.deepEqual(when(expression("Registry", { KeyPath: "HKEY_LOCAL_MACHINE\\SOFTWARE\\V", Value: "N", Operator: "notEquals", Data: "1" })), { registry: "HKLM\\SOFTWARE\\V", value: "N", notEquals: "1" });
  assert.deepEqual(when(expression("Software", { ProductName: "Tool", Version: "1.0", Operator: "Exact" })), { software: "Tool", equals: "1.0" });
  assert.deepEqual(when(expression("WMI", { Namespace: "root\\cimv2", Query: "Select * From Win32_ComputerSystem Where Model Like '%E4310%' and not (Manufacturer = \"HP\" or TotalPhysicalMemory &lt; 4294967296)" })), {
    all: [{ hardware: "model", like: "*E4310*" }, { none: [{ any: [{ hardware: "manufacturer", equals: "HP" }, { hardware: "memoryMiB", less: "4096" }] }] }],
  });
  assert.deepEqual(when('<osConditionGroup type="or"><osExpressionGroup name="All Windows 11 (64-bit)"/></osConditionGroup>'), { all: [{ operatingSystem: "name", equals: "Windows" }, { operatingSystem: "version", greaterOrEqual: "10.0.22000" }, { operatingSystem: "architecture", equals: "x64" }] });
  assert.deepEqual(when(`<operator type="not">${variable("A", "equals", "")}</operator>`), { none: [{ variable: "A", notExists: true }] });
  assert.equal(when(""), undefined);
});

test("MDT: phases, gather, validation, restart, image, and what it sets before the first step", () => {
  const phase = (name: string, inside: string) => `<group name="${name}"><condition>${variable("PHASE", "equals", name)}</condition>${inside}</group>`;
  const script = (name: string, command: string) => `<step name="${name}"><action>cscript.exe "%SCRIPTROOT%\\${command}</action></step>`;
  const imported = mdt(step("BDD_Gather", "Gather", `${settings({ GatherLocalOnly: "true" })}<action>cscript.exe "%SCRIPTROOT%\\ZTIGather.wsf"</action>`)
    + phase("PREINSTALL", step("BDD_Validate", "Validate", `${settings({ ImageMemory: "2048", ImageProcessorSpeed: "1000", ImageSize: "0", VerifyOS: "CLIENT" })}<action>cscript.exe "%SCRIPTROOT%\\ZTIValidate.wsf"</action>`, "") + script("Next", 'ZTINextPhase.wsf"'))
    + phase("INSTALL", step("BDD_InstallOS", "OS", `<condition>${variable("Make", "equals", "HP")}</condition>${settings({ OSGUID: "{0B}" })}<action>cscript.exe "%SCRIPTROOT%\\LTIApply.wsf"</action>`))
    + phase("POSTINSTALL", script("Tattoo", 'ZTITatoo.wsf"') + step("SMS_TaskSequence_RebootAction", "Again", "<action>smsboot.exe /target:WinPE</action>")));
  const found = stepsOf(imported);
  const called = (name: string) => found.find((one) => one.name === name);
  assert.deepEqual([called("PHASE")?.with, called("Next")?.with, called("Again")?.with], [{ name: "PHASE", value: "PREINSTALL" }, { name: "PHASE", value: "INSTALL" }, { to: "installed" }]);
  assert.deepEqual([called("Validate")?.type, called("Validate")?.with, called("OS")?.with], ["check-readiness", { memoryMiB: 2048, processorMHz: 1000 }, { osImage: "{0B}", index: 1 }]);
  assert.deepEqual(called("Gather")?.steps?.map((one) => [one.type, one.with]), [["set-dynamic-variables", undefined], ["set-variable", { name: "make", value: "%_SMSTSMake%" }]]);
  assert.deepEqual(imported.report.totals, { translated: 1, withNote: 4, disabled: 1, notNeeded: 0 });
});

test("MDT: users' files and groups are captured in the system that is replaced; what Linux cannot do before the first start of Windows is done after it, in its order, under its own conditions", () => {
  const script = (name: string, what: string, more = "") => step("", name, `${more}<action>cscript.exe "%SCRIPTROOT%\\${what}</action>`);
  const phase = (name: string, inside: string) => `<group name="${name}"><condition>${variable("PHASE", "equals", name)}</condition>${inside}</group>`;
  const rest = "<group name=\"Own\" continueOnError=\"true\"><condition>" + variable("Role", "equals", "kiosk") + "</condition>" + script("Recovery", 'ZTIWinRE.wsf"') + "</group>";
  const imported = mdt(phase("STATECAPTURE", script("Capture", 'ZTIUserState.wsf" /capture') + script("Groups", 'ZTIGroups.wsf" /capture') + script("Addresses", 'ZTINicConfig.wsf"'))
    + phase("POSTINSTALL", script("Early", 'ZTIBde.wsf"', settings({ BdeInstall: "TPM" })) + rest + script("Late policy", 'ZTIApplyGPOPack.wsf"', `<condition>${variable("ApplyGPOPack", "notEquals", "NO")}</condition>`) + script("Hive", "") .replace(/<action>.*<\/action>/, "<action>cmd /c REG UNLOAD HKLM\\$DEST$SOFTWARE</action>") + step("SMS_TaskSequence_RebootAction", "Restart", "<action>smsboot.exe</action>"))
    + phase("STATERESTORE", script("Restore", 'ZTIUserState.wsf" /restore') + script("Back", 'ZTIGroups.wsf" /restore') + script("Tattoo", 'ZTITatoo.wsf"')));
  assert.deepEqual(imported.report.totals, { translated: 1, withNote: 10, disabled: 0, notNeeded: 1 }, JSON.stringify(imported.report.lines));
  const sequence = parseTaskSequenceYaml(imported.yaml);
  const restore = sequence.steps.find((one) => one.name === "STATERESTORE");
  assert.deepEqual(restore?.steps?.map((one) => one.name), ["Early", "Recovery", "Late policy", "Restore", "Back", "Tattoo"]);
  const [early, recovery, policy] = restore?.steps ?? [];
  assert.deepEqual([early?.type, early?.when, recovery?.when, recovery?.continueOnError], ["enable-bitlocker", undefined, { variable: "Role", equals: "kiosk" }, true]);
  assert.deepEqual([recovery?.steps?.map((one) => [one.type, one.when]), policy?.when], [[["set-up-recovery-environment", { variable: "PrepareWinRE", equals: "YES" }]], { variable: "ApplyGPOPack", notEquals: "NO" }]);
  assert.match(line(imported, "Recovery")?.notes.at(-1) ?? "", /moved behind the first start/);
  const captured = stepsOf(imported).find((one) => one.type === "capture-user-state");
  assert.deepEqual(captured?.with, { store: "%UDShare%\\%UDDir%", package: "{User State Migration Tool}", rules: ["MigApp.xml", "MigDocs.xml"], continueOnErrors: true });
  // Nowhere to move it to: it stays, disabled.
  const alone = mdt(phase("POSTINSTALL", script("Early", 'ZTIBde.wsf"', settings({ BdeInstall: "TPM" }))));
  assert.equal(line(alone, "Early")?.status, "disabled");
});

test("a gather whose variables the sequence needs and that are not found out here is disabled", () => {
  const imported = mdt(step("BDD_Gather", "Gather", '<action>cscript.exe "%SCRIPTROOT%\\ZTIGather.wsf"</action>') + step("SMS_TaskSequence_SetVariableAction", "S", `<condition>${variable("IsLaptop", "equals", "True")}</condition>${settings({ VariableName: "A", VariableValue: "b" })}`));
  assert.match(line(imported, "Gather")?.notes[0] ?? "", /islaptop/);
});

test("no password gets into text or report", () => {
  const secret = "Sw0rdfish-77";
  const imported = configmgr([
    step("SMS_TaskSequence_RunCommandLineAction", "Use", `<action>smsswd.exe /run: net use Z: \\\\s\\x ${secret} /user:a\\b</action>${settings({ CommandLine: `net use Z: \\\\s\\x ${secret} /user:a\\b` })}`),
    step("SMS_TaskSequence_RunCommandLineAction", "Option", `<action>tool.exe -SetupPassword ${secret}</action>`), step("SMS_TaskSequence_RunCommandLineAction", "Sql", `<action>sqlcmd -S x -U u -P ${secret} -Q "SELECT 1"</action>`),
    step("SMS_TaskSequence_SetVariableAction", "Admin", settings({ VariableName: "AdminPassword", VariableValue: secret })), step("SMS_TaskSequence_JoinDomainWorkgroupAction", "Join", settings({ DomainPassword: secret })),
    step("SMS_TaskSequence_RebootAction", "Restart", settings({ Target: "HD", SomePassword: secret }), `description="msiexec /i a.msi PASSWORD=${secret}"`),
    `<group name="net use x /user:a ${secret}">${step("SMS_TaskSequence_SetVariableAction", `Set PASSWORD=${secret}`, `<condition>${variable("AdminPassword", "equals", secret)}</condition>${settings({ VariableName: "A", VariableValue: "b" })}`)}</group>`,
  ].join(""));
  assert.ok(!imported.yaml.includes(secret) && !JSON.stringify(imported.report).includes(secret), imported.yaml);
  assert.match(line(imported, "Restart")?.notes.join() ?? "", /SomePassword \(left out\)/);
  const rules = translateRules(`[Settings]\nPriority=Default\n[Default]\nAdminPassword=${secret}\nDomainAdminPassword=${secret}\nTimeZoneName=x`, `[Settings]\nPriority=Default\n[Default]\nUserPassword=${secret}`);
  assert.ok(!JSON.stringify(rules).includes(secret));
  assert.equal(rules.lines.filter((one) => one.status === "disabled").length, 3);
});

test("the rules of a deployment share become one step; MDT keeps the first value, so they stand the other way about", () => {
  const { steps, lines } = translateRules(
    ["[Settings]", "Priority=Model, DefaultGateway, MyOwn, Default", "Properties=MyOwn", "; a remark", "[DefaultGateway]", "10.1.1.1=Lyon", "[Lyon]", "Branch=Lyon", "[Latitude 7450]", "Role=laptop;desk", "[Default]", "Role=desk", "OSDComputerName=PC-%SerialNumber%", "SkipSummary=YES", "_SMSTSOrgName=Us", "Odd=#Left(\"x\",1)#", "[default]", "More=1"].join("\r\n"), "");
  const [facts, step] = steps;
  assert.equal(facts?.type, "set-dynamic-variables");
  const rules = step?.with?.["rules"] as { set: Record<string, string> }[];
  assert.deepEqual(rules[0], { variable: { name: "_SMSTSPackageID", equals: "*" }, set: { Role: "desk", OSDComputerName: "PC-%_SMSTSSerialNumber%", More: "1" } });
  assert.ok(rules.some((one) => JSON.stringify(one) === JSON.stringify({ location: "10.1.1.1", set: { Branch: "Lyon" } })));
  assert.deepEqual(rules.at(-1), { make: "*", model: "Latitude 7450", set: { Role: "laptop;desk" } });
  const all = lines.map((one) => `${one.path[1]}.${one.name} ${one.status}`);
  assert.deepEqual(all.toSorted(), ["Default.More withNote", "Default.OSDComputerName translated", "Default.Odd disabled", "Default.Role withNote", "Default.SkipSummary disabled", "Default._SMSTSOrgName disabled", "DefaultGateway.10.1.1.1 translated", "Latitude 7450.Role withNote", "Lyon.Branch withNote", "Settings.Priority translated", "Settings.Properties translated"].toSorted());
});

test("an export of the console is read; one that is encrypted says so", () => {
  const object = (sequence: string) => `<INSTANCE CLASSNAME="SMS_TaskSequencePackage"><PROPERTY NAME="Name"><QUALIFIER NAME="CIMTYPE"><VALUE>string</VALUE></QUALIFIER><VALUE>Branch offices</VALUE></PROPERTY><PROPERTY NAME="Sequence"><VALUE><![CDATA[${sequence}]]></VALUE></PROPERTY></INSTANCE>`;
  const references = "<ArrayOfString><string>&lt;INSTANCE&gt;&lt;PROPERTY NAME=\"ReferencePackageID\"&gt;&lt;VALUE&gt;PS100012&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;PROPERTY NAME=\"ReferenceName\"&gt;&lt;VALUE&gt;W11&lt;/VALUE&gt;&lt;/PROPERTY&gt;&lt;/INSTANCE&gt;</string></ArrayOfString>";
  const { sequences: [found] } = readExport(new Map([["SMS_TaskSequencePackage/PS100040/object.xml", bytes(object('<sequence version="3.10"/>'))], ["SMS_TaskSequencePackage/PS100040/ReferencesInfo.xml", bytes(references)]]));
  assert.deepEqual([found?.id, found?.sequence.name, [...(found?.names ?? [])]], ["PS100040", "Branch offices", [["ps100012", "W11 (configmgr PS100012)"]]]);
  assert.throws(() => readExport(new Map([["SMS_TaskSequencePackage/PS100040/object.xml", bytes(object("38002000AABB"))]])), { code: "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", message: /encrypted/ });
  assert.throws(() => readExport(new Map()), { code: "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN" });
  assert.throws(() => readSourceSequence(readXml(bytes('<PolicyXML Compression="zlib">78</PolicyXML>'))), { code: "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", message: /compressed or encrypted/ });
});

test("hostile XML is refused", () => {
  const refused = { code: "PRESTAGE_SEQUENCE_IMPORT_XML" };
  assert.throws(() => readXml(bytes('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')), refused);
  assert.throws(() => readXml(bytes('<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>')), refused);
  assert.throws(() => readXml(bytes("<a>&unknown;</a>")), refused);
  assert.throws(() => readXml(bytes(`${"<a>".repeat(65)}${"</a>".repeat(65)}`)), refused);
  assert.throws(() => readXml(bytes(`<a>${"<b/>".repeat(500_001)}</a>`)), refused);
  assert.throws(() => readXml(bytes(`<a ${Array.from({ length: 65 }, (_, i) => `b${i}=""`).join(" ")}/>`)), refused);
  assert.throws(() => readXml(Buffer.alloc(32 * 1024 * 1024 + 1, 32)), refused);
  for (const text of ["", "text", "<a>", "<a></b>", "<a/><b/>", "\0"]) assert.throws(() => readXml(bytes(text)), refused, text);
  assert.equal(readXml(Buffer.from("\ufeff<a>é</a>", "utf16le")).text, "é");
});

const types = ["SMS_TaskSequence_SetVariableAction", "SMS_TaskSequence_RebootAction", "SMS_TaskSequence_RunCommandLineAction", "BDD_Gather", "SMS_TaskSequence_EnableBitLockerAction", "Nobody_Knows", ""] as const;
const flags = fc.record({ disable: fc.boolean(), continueOnError: fc.boolean() }).map((one) => `disable="${one.disable}" continueOnError="${one.continueOnError}"`);
const words = fc.stringMatching(/^[A-Za-z0-9 %_.\\-]{0,20}$/);
const anyStep = fc.tuple(fc.constantFrom(...types), words, words, words, flags).map(([type, name, key, value, more]) => step(type, name, `<action>${value}</action>${settings({ VariableName: key, VariableValue: value, Target: value })}<condition>${variable(key || "A", "equals", value)}</condition>`, more));
const { nodes } = fc.letrec<{ nodes: string; node: string }>((tie) => ({
  node: fc.oneof({ maxDepth: 6 }, anyStep, fc.tuple(words, flags, tie("nodes")).map(([name, more, inside]) => `<group name="${name}" ${more}>${inside}</group>`)),
  nodes: fc.array(tie("node"), { maxLength: 4 }).map((all) => all.join("")),
}));

test("whatever the tree: every step of the source has its line and its step, the totals add up, the text is ours", () => {
  fc.assert(fc.property(nodes, fc.constantFrom("mdt" as const, "configmgr" as const), (body, origin) => {
    const source = read(body);
    const count = [...sourceSteps(source.nodes)].length;
    const imported = importSequence(source, { origin });
    const { translated, withNote, disabled, notNeeded } = imported.report.totals;
    assert.equal(translated + withNote + disabled, count);
    assert.equal(notNeeded, imported.report.lines.filter((one) => one.kind === "step" && one.status === "withNote" && one.notes.some((note) => note.startsWith("not needed: "))).length);
    const written = stepsOf(imported);
    const lines = imported.report.lines.filter((one) => one.kind !== "setting");
    assert.equal(lines.length, (body.match(/<(step|group) /g) ?? []).length);
    for (const one of lines) if (one.status === "disabled") assert.ok(one.notes.length > 0);
    assert.ok(written.length >= lines.length);
    assert.ok(!lintSequence(parseTaskSequenceYaml(imported.yaml), {}).some((one) => one.rule === "step-in-wrong-environment" || one.rule === "step-type-unknown"));
  }), { numRuns: 300 });
});
