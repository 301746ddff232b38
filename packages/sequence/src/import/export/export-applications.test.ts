import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { readXmlText } from "../../read-xml.ts";
import { propertiesOf } from "./cim.ts";
import { applicationsOf, readApplication } from "./export-applications.ts";
import type { ExportedObject, ExportObject } from "./exported-object.ts";

const product = "{23170F69-40C1-2702-1900-000001000000}";
const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

interface Type { name?: string; technology?: string; install?: Readonly<Record<string, string>>; installLists?: string; uninstall?: Readonly<Record<string, string>>; custom?: string; detect?: string; contents?: readonly string[]; more?: string }
const argumentsOf = (values: Readonly<Record<string, string>>) => Object.entries(values).map(([name, value]) => `<Arg Name="${name}" Type="String">${escape(value)}</Arg>`).join("");
const msi = `<DetectionMethod>ProductCode</DetectionMethod><ProductCode>${product}</ProductCode>`;

/** A deployment type as the console writes it. */
function type({ name = "Set up", technology = "Script", install = {}, installLists = "", uninstall, custom = msi, detect = "", contents = ["Content_1"], more = "" }: Type = {}): string {
  return `<DeploymentType AuthoringScopeId="ScopeId_A" LogicalName="DeploymentType_${name}" Version="1"><Title ResourceId="R">${escape(name)}</Title><Technology>${technology}</Technology>${more}<Installer Technology="${technology}"><ExecutionContext>System</ExecutionContext>
<Contents>${contents.map((id) => `<Content ContentId="${id}" Version="1"><Location>\\\\server\\share</Location></Content>`).join("")}</Contents>${detect}
<InstallAction><Provider>${technology}</Provider><Args>${argumentsOf({ InstallCommandLine: "setup.exe /S", WorkingDirectory: "", ExecutionContext: "System", PostInstallBehavior: "BasedOnExitCode", ...install })}${installLists}</Args></InstallAction>
${uninstall === undefined ? "" : `<UninstallAction><Args>${argumentsOf(uninstall)}</Args></UninstallAction>`}<CustomData>${custom}</CustomData></Installer></DeploymentType>`;
}

function application(types: readonly string[], { id = "ScopeId_A/Application_B", order = [], name = "Editor" }: { id?: string; order?: readonly string[]; name?: string } = {}): ExportObject {
  const digest = `<?xml version="1.0" encoding="utf-16"?><AppMgmtDigest xmlns="http://schemas.microsoft.com/SystemCenterConfigurationManager/2009/AppMgmtDigest"><Application LogicalName="Application_B"><DeploymentTypes>${order.map((one) => `<DeploymentType LogicalName="DeploymentType_${one}"/>`).join("")}</DeploymentTypes><SoftwareVersion>24.1</SoftwareVersion></Application>${types.join("")}</AppMgmtDigest>`;
  const root = readXmlText(`<INSTANCE CLASSNAME="SMS_Application"><PROPERTY NAME="LocalizedDisplayName"><VALUE>${name}</VALUE></PROPERTY><PROPERTY NAME="PackageID"><VALUE>PS10001A</VALUE></PROPERTY><PROPERTY NAME="SDMPackageXML"><VALUE>${escape(digest)}</VALUE></PROPERTY></INSTANCE>`);
  return { className: "SMS_Application", id, properties: propertiesOf(root), root };
}

function read(...types: string[]): ExportedObject & { exported: NonNullable<ExportedObject["exported"]> } {
  const found = readApplication(application(types));
  assert.ok("object" in found, "refused" in found ? found.refused : "");
  const { object } = found;
  assert.ok(object.exported !== undefined);
  return { ...object, exported: object.exported };
}
const refusal = (...types: string[]): string => {
  const found = readApplication(application(types));
  return "refused" in found ? found.refused : "";
};

/** An enhanced detection method: settings, and the expression of its rule. */
const enhanced = (settings: string, expression: string) => `<DetectionMethod>Enhanced</DetectionMethod><EnhancedDetectionMethod><Settings>${settings}</Settings><Rule id="R" Severity="Informational"><Annotation/>${expression}</Rule></EnhancedDetectionMethod>`;
const asks = (operator: string, setting: string, values: readonly string[], { type: dataType = "String", method = "Value", property = "" } = {}) => {
  const constants = values.map((value) => `<ConstantValue Value="${escape(value)}" DataType="${dataType}"/>`).join("");
  return `<Expression><Operator>${operator}</Operator><Operands><SettingReference SettingLogicalName="${setting}" DataType="${dataType}" Method="${method}" ${property === "" ? "" : `PropertyPath="${property}"`}/>${values.length > 1 ? `<ConstantValueList>${constants}</ConstantValueList>` : constants}</Operands></Expression>`;
};
const exists = (setting: string) => asks("NotEquals", setting, ["0"], { type: "Int64", method: "Count" });
const group = (operator: string, ...all: string[]) => `<Expression IsGroup="true"><Operator>${operator}</Operator><Operands>${all.join("")}</Operands></Expression>`;
const file = (name: string, path: string, filter: string, wide = true) => `<File Is64Bit="${wide}" LogicalName="${name}"><Path>${escape(path)}</Path><Filter>${escape(filter)}</Filter></File>`;
const registry = (name: string, key: string, value?: string, { wide = true, hive = "HKEY_LOCAL_MACHINE" } = {}) => `<SimpleSetting LogicalName="${name}" DataType="String"><RegistryDiscoverySource Hive="${hive}" Depth="Base" Is64Bit="${wide}"><Key>${escape(key)}</Key>${value === undefined ? "" : `<ValueName>${escape(value)}</ValueName>`}</RegistryDiscoverySource></SimpleSetting>`;
const detection = (settings: string, expression: string) => read(type({ custom: enhanced(settings, expression) })).exported.detection;
const undetected = (settings: string, expression: string) => refusal(type({ custom: enhanced(settings, expression) }));

/** The one command of a detection, which cmd.exe has to take as it is between its quotation marks. */
function powerShell(settings: string, expression: string): string {
  const rules = detection(settings, expression);
  const [rule] = rules;
  assert.ok(rule?.type === "command" && rules.length === 1);
  const [, statements = ""] = /^powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command "([^"]*)"$/.exec(rule.command) ?? [];
  assert.ok(statements.endsWith("{exit 0}exit 1"), rule.command);
  const outside = statements.replaceAll(/'[^']*'/g, "''");
  for (const [open, close] of [["(", ")"], ["{", "}"], ["[", "]"]] as const) assert.equal(outside.split(open).length, outside.split(close).length, outside);
  assert.ok(!/[%"]/.test(outside), outside);
  return /^.*;if\((.*)\)\{exit 0\}exit 1$/.exec(statements)?.[1] ?? "";
}

test("an application with its commands, exit codes, version and the folder of its content", () => {
  const { exported, ...object } = read(type({
    technology: "MSI", install: { InstallCommandLine: 'msiexec /i "e.msi" /qn', WorkingDirectory: "x64", RunAs32Bit: "false", MaxExecuteTime: "120" }, uninstall: { InstallCommandLine: `msiexec /x ${product} /qn` },
    custom: `${msi}<ExitCodes><ExitCode Code="0" Class="Success"/><ExitCode Code="1707" Class="Success"/><ExitCode Code="3010" Class="SoftReboot"/><ExitCode Code="1641" Class="HardReboot"/><ExitCode Code="1618" Class="FastRetry"/></ExitCodes>`,
  }));
  assert.deepEqual([object.kind, object.name, object.version, object.places], ["application", "Editor", "24.1", ["Content_1", "Application_B/Content_1", "PS10001A/Content_1", "Application_B", "PS10001A"]]);
  const path = `"HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${product}"`;
  assert.deepEqual(exported, { installCommand: 'cd /d "x64" && msiexec /i "e.msi" /qn', uninstallCommand: `msiexec /x ${product} /qn`, detection: [{ type: "command", command: `reg query ${path} /reg:64 || reg query ${path} /reg:32` }], successCodes: [0, 1707], restartCodes: [3010, 1641], dependencies: [], supersedes: [] });
  assert.deepEqual(object.notes, ["found by its MSI's product code, among 64-bit and 32-bit programs"]);
});

test("the installer's own lists of exit codes, and what is done after an installation whatever its code", () => {
  const lists = '<Arg Name="SuccessExitCodes" Type="Int32[]"><Item>0</Item><Item>7</Item></Arg><Arg Name="RebootExitCodes"><Item>3010</Item></Arg><Arg Name="HardRebootExitCodes"><Item>1641</Item></Arg><Arg Name="FastRetryExitCodes"><Item>1618</Item><Item>99</Item></Arg>';
  const after = (PostInstallBehavior: string) => read(type({ install: { PostInstallBehavior }, installLists: lists }));
  const codes = (PostInstallBehavior: string) => [after(PostInstallBehavior).exported.successCodes, after(PostInstallBehavior).exported.restartCodes];
  assert.deepEqual(codes("BasedOnExitCode"), [[0, 7], [3010, 1641]]);
  assert.deepEqual(codes("NoAction"), [[0, 7, 3010, 1641], []]);
  assert.deepEqual(codes("ForceReboot"), [[], [0, 7, 3010, 1641]]);
  assert.match(after("ProgramReboot").notes.join(), /tried again after 99;.*may restart the computer itself/s);
});

test("what is there is asked by rules: files, keys, values and MSIs, and of 32-bit applications in both places", () => {
  assert.deepEqual(detection(
    file("f", "C:\\Apps\\", "e.exe") + file("g", "%ProgramFiles%\\Apps", "e.exe", false) + registry("k", "SOFTWARE\\Maker") + registry("v", "SOFTWARE\\Maker", "Path") + registry("w", "SOFTWARE\\Maker", "Version", { wide: false }) + `<MSI LogicalName="m" IsPerUser="false"><ProductCode>${product}</ProductCode></MSI><Folder LogicalName="d" Is64Bit="true"><Path>C:\\Apps</Path><Filter>bin</Filter></Folder>`,
    group("And", exists("f"), exists("g"), group("And", exists("k"), asks("Equals", "v", ["true"], { type: "Boolean", property: "RegistryValueExists" })), exists("w"), asks("Equals", "v", ["C:\\Apps"]), exists("m"), exists("d")),
  ), [
    { type: "file", path: "C:\\Apps\\e.exe" },
    { type: "command", command: 'if exist "%ProgramFiles(x86)%\\Apps\\e.exe" (exit 0) else (if exist "%ProgramFiles%\\Apps\\e.exe" (exit 0) else exit 1)' },
    { type: "registry", key: "HKLM\\SOFTWARE\\Maker" }, { type: "registry", key: "HKLM\\SOFTWARE\\Maker", value: "Path" },
    { type: "command", command: 'reg query "HKLM\\SOFTWARE\\Maker" /v "Version" /reg:32 || reg query "HKLM\\SOFTWARE\\Maker" /v "Version" /reg:64' },
    { type: "registry", key: "HKLM\\SOFTWARE\\Maker", value: "Path", equals: "C:\\Apps" },
    { type: "command", command: `reg query "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${product}" /reg:64 || reg query "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${product}" /reg:32` },
    { type: "command", command: 'if exist "C:\\Apps\\bin\\" (exit 0) else exit 1' },
  ]);
});

test("what is compared is asked by one command of PowerShell, beside the rules of the rest", () => {
  const settings = file("f", "%ProgramFiles%\\O'Brien", "e.exe") + registry("v", "SOFTWARE\\Maker", "100%") + `<MSI LogicalName="m"><ProductCode>${product}</ProductCode></MSI>`;
  assert.equal(powerShell(settings, asks("GreaterEquals", "f", ["24.1.0"], { type: "Version", property: "Version" })), "(($x=(VersionOf (Find Leaf '%ProgramFiles%\\O''Brien\\e.exe'))) -ne $null -and ($y=(Version $x)) -ne $null -and $y -ge (Version '24.1.0'))");
  assert.equal(powerShell(settings, asks("Between", "f", ["2021-03-11T06:00:00Z", "2021-04-14T05:00:00Z"], { type: "DateTime", property: "DateModified" })), "(($x=(Find Leaf '%ProgramFiles%\\O''Brien\\e.exe').LastWriteTimeUtc) -ne $null -and ($y=$x) -ne $null -and $y -ge ([datetime]'2021-03-11T06:00:00Z').ToUniversalTime() -and $y -le ([datetime]'2021-04-14T05:00:00Z').ToUniversalTime())");
  assert.match(powerShell(settings, asks("LessThan", "f", ["1000"], { type: "Int64", property: "Size" })), /ForEach-Object\{\$_\.Length\}\)\) -ne \$null -and \(\$y=\(\$x -as \[long\]\)\) -ne \$null -and \$y -lt 1000\)$/);
  assert.equal(powerShell(settings, asks("Contains", "v", ["50%"])), "(($x=(Value LocalMachine 'SOFTWARE\\Maker' ('100'+[char]37+'') 'Registry64')) -ne $null -and ($y=([string]$x)) -ne $null -and $y.ToLowerInvariant().Contains(('50'+[char]37+'').ToLowerInvariant()))");
  assert.match(powerShell(settings, asks("OneOf", "v", ["1.2", "2.3"], { type: "Version" })), /@\(\(Version '1\.2'\),\(Version '2\.3'\)\) -contains \$y\)$/);
  assert.match(powerShell(settings, asks("NoneOf", "v", ["a", "b"])), /@\('a','b'\) -notcontains \$y\)$/);
  assert.match(powerShell(settings, asks("NotBeginsWith", "v", ["a"])), /-and -not \$y\.ToLowerInvariant\(\)\.StartsWith\('a'\.ToLowerInvariant\(\)\)\)$/);
  assert.equal(powerShell(settings, group("Or", exists("f"), group("And", exists("m"), asks("Equals", "m", ["0"], { type: "Int64", method: "Count" })))), `(((Find Leaf '%ProgramFiles%\\O''Brien\\e.exe') -ne $null) -or ((Key LocalMachine 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${product}' 'Registry64','Registry32') -and (-not (Key LocalMachine 'SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\${product}' 'Registry64','Registry32'))))`);
  const both = detection(settings, group("And", exists("m"), asks("GreaterThan", "m", ["1.3"], { type: "Version", property: "ProductVersion" })));
  assert.deepEqual(both.map((rule) => rule.type === "command" && rule.command.slice(0, 10)), ["reg query ", "powershell"]);
  // More than an application has rules for are asked together.
  const many = detection(Array.from({ length: 20 }, (_, i) => registry(`r${i}`, `SOFTWARE\\Maker${i}`)).join(""), group("And", ...Array.from({ length: 20 }, (_, i) => exists(`r${i}`))));
  assert.deepEqual(many.map((rule) => rule.type), ["command"]);
});

test("whatever names, values and trees a detection has, it becomes rules that are none but its own, or is refused", () => {
  // What cmd.exe, PowerShell or XML would read as more than text.
  const sign = fc.oneof({ weight: 40, arbitrary: fc.constantFrom("a", "Z", "1", ".", " ", "%", "'", "\u2019", "&", "^", "(", ")", "{", "}", ";", "$", "`", "!", "é") }, { weight: 1, arbitrary: fc.constantFrom('"', "\n", "|", "<", "*", "\\") });
  const text = fc.string({ unit: sign, maxLength: 12 });
  const leaf = fc.oneof(
    fc.constantFrom("f", "v", "k", "m").map(exists),
    fc.tuple(fc.constantFrom("Equals", "NotEquals", "GreaterThan", "Contains", "OneOf"), text).map(([operator, value]) => asks(operator, "v", [value])),
    fc.tuple(fc.constantFrom("Between", "OneOf", "NoneOf"), text, text).map(([operator, one, two]) => asks(operator, "v", [one, two])),
    fc.tuple(fc.constantFrom("f", "v", "m"), fc.constantFrom("Version", "Size", "ProductVersion", ""), fc.constantFrom("Version", "Int64", "Boolean"), fc.oneof(text, fc.constant("1.2"), fc.constant("12"))).map(([setting, property, dataType, value]) => asks("LessEquals", setting, [value], { type: dataType, property })),
  );
  const { tree } = fc.letrec<{ tree: string }>((tie) => ({ tree: fc.oneof({ depthSize: "small" }, leaf, fc.tuple(fc.constantFrom("And", "Or"), fc.array(tie("tree"), { minLength: 1, maxLength: 3 })).map(([operator, all]) => group(operator, ...all))) }));
  let said = 0;
  fc.assert(fc.property(fc.array(text, { minLength: 6, maxLength: 6 }), fc.boolean(), tree, ([path = "", name = "", key = "", value = "", key2 = "", code = ""], wide, expression) => {
    const found = readApplication(application([type({ custom: enhanced(file("f", `C:\\${path}`, name, wide) + registry("v", `A${key}`, value, { wide }) + registry("k", `B${key2}`) + `<MSI LogicalName="m"><ProductCode>${code.length < 9 ? product : escape(code)}</ProductCode></MSI>`, expression) })]));
    if ("refused" in found) return;
    said++;
    for (const rule of found.object.exported?.detection ?? []) {
      if (rule.type !== "command") continue;
      assert.ok(rule.command.length <= 4000 && !/[\r\n]/.test(rule.command), rule.command);
      const between = /^powershell [A-Za-z -]*-Command "([^"]*)"$/.exec(rule.command)?.[1];
      // Out of quotation marks there is nothing of what was given: each shell reads but the words that stand here. What is packed runs from a file, which PowerShell alone reads.
      const packed = between === undefined ? undefined : /FromBase64String\('([^']*)'\)/.exec(between)?.[1];
      const statements = packed === undefined ? between : gunzipSync(Buffer.from(packed, "base64")).toString("utf8");
      if (statements !== undefined) assert.match(statements.replaceAll(/'(?:[^'\u2018\u2019\u201a\u201b]|''|\u2019\u2019)*'/g, ""), /^\ufeff?[A-Za-z0-9 $=.,;:()[\]{}|_+*<>@-]*$/, rule.command);
      else assert.match(rule.command.replaceAll(/"[^"]*"/g, '""'), /^(reg query ""( \/v "")? \/reg:(64|32) \|\| reg query ""( \/v "")? \/reg:(64|32)|if exist "" \(exit 0\) else (exit 1|\(if exist "" \(exit 0\) else exit 1\)))$/, rule.command);
    }
  }), { numRuns: 300 });
  assert.ok(said > 30, `${said} were said`);
});

test("detection that cannot be said refuses its deployment type, with the reason", () => {
  for (const [settings, expression, reason] of [
    [file("f", "C:\\Apps", "*.exe"), exists("f"), /several by a pattern/], [file("f", "\\\\server\\share", "e.exe"), exists("f"), /path of the network/], [file("f", "%APPDATA%\\Maker", "e.exe"), exists("f"), /file of the user/],
    [registry("v", "A", "B"), asks("Matches", "v", ["a"]), /compares by matches/], [registry("v", "A", "B"), asks("Equals", "v", ["1"], { type: "Base64" }), /type Base64/], [registry("v", "A", "B"), asks("Equals", "v", ["x"], { type: "Version" }), /compares with "x"/],
    [registry("v", "A", "B", { hive: "HKEY_ELSE" }), exists("v"), /key of the registry that is none/], ['<MSI LogicalName="m" IsPerUser="true"><ProductCode>{23170F69-40C1-2702-1900-000001000000}</ProductCode></MSI>', exists("m"), /MSI of the user/],
    ['<Assembly LogicalName="a"/>', exists("a"), /asks by Assembly/], ["", exists("gone"), /a setting it does not have/], [file("f", "C:\\A", "e"), asks("Equals", "f", ["2021-03-11T06:00:00Z"], { type: "DateTime", property: "DateModified" }), /fraction of a second/],
    [file("f", "C:\\A", "e"), group("Xor", exists("f"), exists("f")), /by Xor/], [file("f", "C:\\A", "e"), "", /it has no rule/], [file("f", "C:\\A", 'e"&calc'), exists("f"), /path that is none/], [registry("v", "A", "B"), asks("OneOf", "v", Array.from({ length: 900 }, (_, i) => `${i * 7919}${"abcdefghij".repeat(i % 5)}`)), /too much/],
  ] as const) assert.match(undetected(settings, expression), reason);
  assert.match(refusal(type({ custom: "<DetectionMethod>ProductCode</DetectionMethod>" })), /without a product code/);
  assert.match(refusal(type({ custom: "<DetectionMethod>Custom</DetectionMethod>" })), /by Custom$/);
});

test("a detection method that stands in the action's text alone is read from there", () => {
  const method = `<EnhancedDetectionMethod><Settings>${registry("k", "SOFTWARE\\Maker")}</Settings><Rule><Expression><Operator>NotEquals</Operator><Operands><SettingReference SettingLogicalName="k" DataType="Int64" Method="Count"/><ConstantValue Value="0"/></Operands></Expression></Rule></EnhancedDetectionMethod>`;
  const detect = `<DetectAction><Provider>Local</Provider><Args>${argumentsOf({ MethodBody: method })}</Args></DetectAction>`;
  assert.deepEqual(read(type({ custom: "", detect })).exported.detection, [{ type: "registry", key: "HKLM\\SOFTWARE\\Maker" }]);
  assert.match(refusal(type({ custom: "", detect: detect.replace("&lt;/Rule&gt;", "") })), /cannot be read/);
});

test("a detection script travels in its rule, and counts as there: what it prints decides", () => {
  const script = 'if (Test-Path "C:\\Apps") { Write-Host "100% déjà là" }\n# end';
  const as = (language: string, text = script, narrow = "false") => read(type({ custom: `<DetectionMethod>Script</DetectionMethod><DetectionScript Language="${language}">${escape(text)}</DetectionScript>`, detect: `<DetectAction><Provider>Script</Provider><Args>${argumentsOf({ RunAs32Bit: narrow })}</Args></DetectAction>` }));
  const commandOf = (object: ReturnType<typeof as>) => {
    const [rule] = object.exported.detection;
    assert.ok(rule?.type === "command" && rule.command.length <= 4000);
    const [, statements = "", packed = ""] = /-Command "(([^"%\r\n]*?FromBase64String\('([A-Za-z0-9+/=]+)'\))?[^"%\r\n]*)"$/.exec(rule.command)?.slice(0) ?? [];
    const [, text = ""] = /FromBase64String\('([A-Za-z0-9+/=]+)'\)/.exec(packed) ?? [];
    return { statements, bytes: gunzipSync(Buffer.from(text, "base64")) };
  };
  const { statements, bytes } = commandOf(as("PowerShell"));
  assert.equal(bytes.toString("utf8"), `\u{feff}${script}`, "with its mark, by which Windows PowerShell reads UTF-8");
  assert.match(statements, /'\.ps1'\).*System32\\WindowsPowerShell\\v1\.0\\powershell\.exe'\) -NoProfile -NonInteractive -ExecutionPolicy Bypass -File \$f;\$c=\$LASTEXITCODE\}finally\{Remove-Item -LiteralPath \$f\};if\(\$c -eq 0 -and \(\$t -join ''\)\.Trim\(\) -ne ''\)\{exit 0\}exit 1$/);
  assert.match(commandOf(as("PowerShell", "1", "true")).statements, /SysWOW64\\WindowsPowerShell/);
  const vbs = commandOf(as("VBScript", 'WScript.Echo "é"'));
  assert.deepEqual([vbs.bytes.toString("utf16le"), /'\.vbs'\).*System32\\cscript\.exe'\) \/\/NoLogo \$f/.test(vbs.statements)], ['\u{feff}WScript.Echo "é"', true]);
  assert.equal(commandOf(as("JScript", "WScript.Echo(1)")).bytes.toString(), "WScript.Echo(1)");
  const scripted = (text: string, language = "PowerShell") => refusal(type({ custom: `<DetectionMethod>Script</DetectionMethod><DetectionScript Language="${language}">${text}</DetectionScript>` }));
  assert.match(scripted(Array.from({ length: 3000 }, (_, i) => (i * 2654435761 % 4294967296).toString(36)).join("\n")), /too long/);
  assert.match(scripted("$password = 'Sw0rdfish'"), /a password stands in its detection script$/);
  assert.match(scripted("echo 1", "Bash"), /none of PowerShell/);
  assert.match(scripted(""), /none of PowerShell/);
});

test("systems that are required become a condition; other requirements, users, 32-bit programs and time are said", () => {
  const rule = (operator: string, ...ids: string[]) => `<Rule id="r"><Annotation><DisplayName Text="Systems"/></Annotation><OperatingSystemExpression><Operator>${operator}</Operator><Operands>${ids.map((id) => `<RuleExpression RuleId="Windows/${id}"/>`).join("")}</Operands></OperatingSystemExpression></Rule>`;
  const required = (...rules: string[]) => read(type({ more: `<Requirements>${rules.join("")}</Requirements>` }));
  const windows = { operatingSystem: "name", equals: "Windows" };
  const x64 = { operatingSystem: "architecture", equals: "x64" };
  assert.deepEqual(required(rule("OneOf", "All_x64_Windows_11_and_higher_Clients")).exported.requirement, { all: [windows, { operatingSystem: "version", greaterOrEqual: "10.0.22000" }, x64] });
  assert.deepEqual(required(rule("OneOf", "All_x64_Windows_10_and_higher_Clients", "All_x64_Windows_Server_2022", "x86_Windows_XP_Professional_Service_Pack_3")).exported.requirement, { any: [{ all: [windows, { operatingSystem: "version", greaterOrEqual: "10.0.10240" }, x64] }, { all: [windows, { operatingSystem: "version", like: "10.0.20348*" }, x64] }] });
  assert.deepEqual(required(rule("NoneOf", "x64_Windows_7_SP1")).exported.requirement, { none: [{ all: [windows, { operatingSystem: "version", like: "6.1.*" }, x64] }] });
  const memory = '<Rule id="r2"><Annotation><DisplayName Text="Total physical memory at least 4096"/></Annotation><Expression/></Rule>';
  const odd = required(rule("OneOf", "All_Else"), memory);
  assert.equal(odd.exported.requirement, undefined);
  assert.match(odd.notes.join("\n"), /the systems it requires, which cannot be said here: All_Else; it is installed in any\nnot carried over: its requirement Total physical memory at least 4096/);
  const narrow = read(type({ install: { RunAs32Bit: "true", WorkingDirectory: "C:\\Temp", RequiresLogOn: "true", RequiresUserInteraction: "true", MaxExecuteTime: "15", ExecutionContext: "Any" }, uninstall: { InstallCommandLine: 'un "x y"' } }));
  assert.deepEqual([narrow.exported.installCommand, narrow.exported.uninstallCommand], ['%SystemRoot%\\SysWOW64\\cmd.exe /d /s /c "setup.exe /S"', '%SystemRoot%\\SysWOW64\\cmd.exe /d /s /c "un "x y""']);
  for (const expected of [/32-bit programs, as there/, /not in C:\\Temp/, /while a user is logged on/, /nobody can here/, /there it has 15 minutes/, /for users there/]) assert.match(narrow.notes.join("\n"), expected);
});

test("of several deployment types the first that can be said here is imported, 32-bit systems last; none, and the reasons stand", () => {
  const x86 = '<Requirements><Rule id="r"><OperatingSystemExpression><Operator>OneOf</Operator><Operands><RuleExpression RuleId="Windows/All_x86_Windows_10_and_higher_Clients"/></Operands></OperatingSystemExpression></Rule></Requirements>';
  const several = [type({ name: "Third", install: { InstallCommandLine: "third.exe" } }), type({ name: "Narrow", more: x86 }), type({ name: "Store", technology: "Windows8App" })];
  const found = readApplication(application(several, { order: ["Store", "Narrow", "Third"] }));
  assert.ok("object" in found);
  assert.equal(found.object.exported?.installCommand, "third.exe");
  assert.match(found.object.notes.at(-1) ?? "", /^of its deployment types Third is imported; left out: Store \(it is of the kind Windows8App, [^)]*\), Narrow$/);
  const narrowAlone = readApplication(application([type({ more: x86 })]));
  assert.ok("object" in narrowAlone);
  for (const [one, reason] of [
    [type({ technology: "Windows8App" }), /of the kind Windows8App/], [type({ install: { ExecutionContext: "User" } }), /installed for a user/], [type({ install: { InstallCommandLine: "" } }), /no command that installs it/], [type({ contents: [] }), /no content of its own/],
    [type({ install: { InstallCommandLine: "setup.exe /password:Sw0rdfish" } }), /^a password stands/], [type({ uninstall: { InstallCommandLine: "un.exe /password:Sw0rdfish" } }), /^a password stands/], [type({ install: { InstallCommandLine: "x".repeat(3600) } }), /too long/], [type({ contents: ["../../etc"] }), /no content of its own/], [type({ install: { InstallCommandLine: '"a & b.exe" /S', RunAs32Bit: "true" } }), /a shell within a shell/],
  ] as const) {
    assert.match(refusal(one), reason);
    assert.ok(!refusal(one).includes("Sw0rdfish"));
  }
  assert.equal(refusal(), "it has no deployment type");
  assert.match(refusal(type({ name: "A", technology: "AppV" }), type({ name: "B", technology: "Mac" })), /^A: it is of the kind AppV, .*; B: it is of the kind Mac, /);
});

test("an application comes after those it depends on and those it removes; circles and long chains end", () => {
  const rule = (ids: readonly string[], { state = "Required", enforce = "true", operator = "Or" } = {}) => `<DeploymentTypeRule id="d"><DeploymentTypeExpression><Operator>${operator}</Operator><Operands>${ids.map((id) => `<DeploymentTypeIntentExpression DesiredState="${state}" EnforceDesiredState="${enforce}"><DeploymentTypeApplicationReference AuthoringScopeId="S" LogicalName="${id}" Version="2"/><DeploymentTypeReference AuthoringScopeId="S" LogicalName="D"/></DeploymentTypeIntentExpression>`).join("")}</Operands></DeploymentTypeExpression></DeploymentTypeRule>`;
  const one = (id: string, dependencies = "", supersedes = "") => application([type({ more: `<Dependencies>${dependencies}</Dependencies><Supersedes>${supersedes}</Supersedes>` })], { id: `S/${id}`, name: id });
  const all = applicationsOf([one("A", rule(["B", "C"]) + rule(["D", "E"], { operator: "And" }), rule(["F"], { state: "Prohibited" }) + rule(["G"], { state: "Prohibited", enforce: "false" })), ...["B", "C", "D", "E", "F", "G"].map((id) => one(id))]);
  const last = all.findIndex((object) => object.name === "A");
  assert.deepEqual([all.length, all.slice(0, last).map((object) => object.name).toSorted()], [7, ["B", "C", "D", "E", "F"]]);
  const { exported, notes = [] } = all[last] ?? {};
  assert.deepEqual([exported?.dependencies, exported?.supersedes], [[["s/b", "s/c"], ["s/d"], ["s/e"]], ["s/f"]]);
  assert.match(notes.join("\n"), /one of several applications[^]*without removing them/);
  assert.deepEqual(applicationsOf([one("A", rule(["B"])), one("B", rule(["A"]))]).map((object) => object.name), ["B", "A"]);
  const chain = applicationsOf(Array.from({ length: 2000 }, (_, i) => one(`N${i}`, rule([`N${i + 1}`]))));
  assert.deepEqual([chain.length, chain[0]?.name, chain.at(-1)?.name], [2000, "N1999", "N0"]);
});
