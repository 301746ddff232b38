import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "yaml";
import { assertAnswersDocumented } from "../fixtures/documented-answers.ts";
import { assertCmdletDocumented, readPowerShell } from "../fixtures/documented-powershell.ts";
import { assertDocumented } from "../fixtures/documented-programs.ts";
import { readXmlText } from "../read-xml.ts";
import { stepTypeOf, stepTypes } from "../steps/index.ts";
import { answerFile } from "./answer-file.ts";
import { cimScript, windowsFactQueries, windowsSettingsQueries } from "./cim-script.ts";
import { quotedArgument, splitWindowsCommandLine, windowsCommandLine } from "./command-line.ts";
import { cmdlet } from "./powershell.ts";
import { restartWindows, restartWindowsAfter } from "./programs.ts";
import { shownSurroundings } from "./windows-plan.ts";
import type { WindowsPlan } from "./windows-plan.ts";

/** Settings that reach what the examples do not. */
const more: Readonly<Record<string, readonly Record<string, unknown>[]>> = {
  "install-updates": [{ names: ["KB5030219", "kb5031356"], restart: "false" }, { server: "http://wsus.example.org:8530" }, { package: "ABC00001" }, { names: ["openssl"] }],
  "partition-disk": [
    { disk: "1", partitions: [{ name: "EFI", type: "efi", sizeMiB: 260 }, { name: "MSR", type: "msr", sizeMiB: 16 }, { name: "Windows", type: "windows", sizePercent: "60", variable: "Data" }, { name: "Letters of it", type: "windows", driveLetter: "r:", sizePercent: 100, quickFormat: "false" }, { name: "Recovery", type: "recovery" }] },
    { disk: "12", partitions: [{ name: "raw", fileSystem: "none", type: "windows" }, { name: "fat", fileSystem: "fat32", type: "linux", variable: "Fat" }] }, { disk: "1" }, { disk: "/dev/sdb" }, {},
  ],
  "join-workgroup": [{ workgroup: "IT'S" }],
  "prepare-capture": [{ virtualMachine: true }],
  "run-command-line": [{ command: 'msiexec /i "a b.msi" /qn & exit 3010' }, { command: "setup \"it's\"", package: "ABC00001", workingFolder: "sub/folder", account: { name: "CORP\\o'brien", password: { secret: "RUN" } } }, { command: "setup", account: { name: "svc@example.org", password: { secret: "RUN" } } }],
  "run-script": [{ language: "powershell", script: "exit 0" }, { language: "powershell", file: "in/a folder/setup.ps1", package: "ABC00001", parameters: ["-Name", 'a "b" c\\'] }, { language: "javascript", script: "process.exit(0)" }, { language: "javascript", script: "process.exit(0)", parameters: ['a "b"', ""], account: { name: "svc", password: { secret: "RUN" } } }, { language: "powershell", script: "exit 0", account: { name: "svc", password: { secret: "RUN" } } }, { language: "powershell", file: "a b.ps1", package: "ABC00001", account: { name: "svc", password: { secret: "RUN" } } }],
  "enable-bitlocker": [{ protector: "tpmAndPin", pin: { secret: "PIN" }, recoveryTo: "entra-id", usedSpaceOnly: false, skipHardwareTest: "false", method: "aes256" }, { drive: "D:", recoveryTo: "nowhere" }],
  "disable-bitlocker": [{ restarts: "0" }, { drive: "D:", restarts: 15 }],
  "connect-network-folder": [{ path: "//files.example.org/share/it's", variable: "Files" }, { path: "nfs.example.org:/export", variable: "Files" }],
  "join-directory": [{ domain: "ad.example.org", account: "AD\\o'brien", password: { secret: "JOIN" } }, { mode: "ldap", domain: "example.org", account: "cn=a", password: { secret: "JOIN" }, server: "ldaps://a.example.org", searchBase: "dc=a" }],
  "apply-network-settings": [{ adapters: [{ mac: "52:54:00:12:34:56", addresses: ["10.0.0.2/24", "fd00::2/64"], gateways: ["10.0.0.1", "fd00::1"], dnsServers: ["10.0.0.3"], searchDomains: ["a.example"] }, { dhcp: "true" }], searchDomains: "b.example, c.example" }],
  "request-state-store": [{ action: "capture", store: "local" }, { action: "restore", store: "\\\\files.example.org\\users\\it's" }],
  "capture-user-state": [{ store: "D:\\Users of old", package: "ABC00001" }, { store: "\\\\files\\users\\PC1", package: "ABC00001", users: ["ann", "CORP\\bob"], continueOnErrors: true, shadowCopy: "true", rules: [] }],
  "restore-user-state": [{ store: "D:\\Users", package: "ABC00001" }, { store: "D:\\Users", package: "ABC00001", createUsers: false, continueOnErrors: true }],
  "release-state-store": [{ store: "D:\\Users", remove: true }, { store: "D:\\Users" }],
  "capture-local-groups": [{ store: "D:\\Users" }, { store: "D:\\Users", groups: ["Administrators", "it's"] }],
  "restore-local-groups": [{ store: "D:\\Users" }, { store: "D:\\Users", groups: ["Administrators"], createGroups: false }],
  "install-features": [{ features: ["Web-Server", "Web-Asp-Net45"] }, { features: ["SMB1Protocol"], remove: "true", package: "ABC00001" }],
  "set-up-recovery-environment": [{ package: "ABC00001" }],
  "record-deployment": [{ taskSequence: "ABC00001", taskSequenceName: "It's \"ours\"", more: { ImageVersion: "1" } }],
  "apply-windows-settings": [
    { computerName: "*", registeredOwner: "A & B", registeredOrganization: "<Corp>", productKey: "ABCDE-12345-ABCDE-12345-ABCDE", systemLocale: "en-US", uiLanguageFallback: "en-US", skipWelcome: false },
    { answerFile: "unattend.xml", package: "ABC00001" },
  ],
};

function planOf(type: string, settings: unknown): WindowsPlan | string | undefined {
  const definition = stepTypeOf(type) ?? assert.fail(type);
  return definition.windows?.(definition.settings.parse(settings), shownSurroundings);
}

/** Start-Process puts its arguments together as they are: each is one word of the command line, but for what cmd.exe reads itself. */
function argumentsOf(parameters: Record<string, { kind: string; value: string }[]>): string[] {
  const given = (parameters["ArgumentList"] ?? []).filter((token) => token.kind === "text").map((token) => token.value);
  if (parameters["FilePath"]?.[0]?.value === "cmd.exe") return given;
  return given.map((one) => {
    const words = splitWindowsCommandLine(one);
    assert.equal(words.length, 1, one);
    return words[0] ?? "";
  });
}

test("what each step does on Windows is what the documentation of its programs, cmdlets and settings allows", () => {
  let checked = 0;
  for (const definition of stepTypes.filter((one) => one.windows !== undefined)) {
    const [example] = parse(definition.example.replace(/%\w+%/g, "BRANCH-07")) as { with?: Record<string, unknown> }[];
    for (const settings of [example?.with ?? {}, ...(more[definition.type] ?? [])]) {
      const plan = planOf(definition.type, settings);
      if (typeof plan !== "object") continue;
      checked++;
      for (const command of [...(plan.commands ?? []), ...(plan.always ?? [])]) {
        assertDocumented(command.program, command.arguments);
        // Read back as Windows would, nothing has become two.
        if (command.verbatim !== true) assert.deepEqual(splitWindowsCommandLine(windowsCommandLine(command)), [command.program, ...command.arguments]);
        for (const name of Object.keys(command.secrets ?? {})) assert.match(name, /^PRESTAGE_[A-Z_]+$/);
      }
      const own = (plan.files ?? []).filter((file) => file.name.endsWith(".ps1") && !file.name.endsWith("script.ps1"));
      for (const file of own) {
        const calls = readPowerShell(file.content);
        calls.forEach(assertCmdletDocumented);
        for (const { parameters } of calls.filter((call) => call.name === "Start-Process")) assertDocumented(parameters["FilePath"]?.[0]?.value ?? "", argumentsOf(parameters));
      }
      for (const answers of plan.answers ?? []) assertAnswersDocumented(answers);
      if ((plan.answers ?? []).length > 0) readXmlText(answerFile(plan.answers ?? [], "x64"));
    }
  }
  assert.ok(checked >= 12, `${checked}`);
  assertDocumented(restartWindows.program, restartWindows.arguments);
  for (const queries of [windowsFactQueries, windowsSettingsQueries]) readPowerShell(cimScript(queries)).forEach(assertCmdletDocumented);
});

test("the checker refuses what the documentation does not allow", () => {
  for (const [program, given] of [["manage-bde.exe", ["-protectors", "-disable", "C"]], ["manage-bde.exe", ["-protectors", "-disable", "C:", "-rebootcount", "16"]], ["pnputil.exe", ["/add-driver", "C:\\a"]], ["shutdown.exe", ["/t", "0"]], ["shutdown.exe", ["/r", "/r"]], ["powershell.exe", ["-File", "C:\\a.ps1", "-NoProfile", "-Fil"].slice(0, 1)], ["format.com", ["C:"]]] as const) {
    assert.throws(() => assertDocumented(program, given), assert.AssertionError, `${program} ${given.join(" ")}`);
  }
  for (const script of ["Enable-BitLocker -MountPoint 'C:' -TpmProtector -Pin $pin", "Enable-BitLocker -MountPoint 'C:' -TpmAndPinProtector -Pin $env:PIN", "Enable-BitLocker -MountPoint 'C:' -EncryptionMethod 'Rot13' -TpmProtector", "Format-Volume -DriveLetter 'C'", "Resume-BitLocker", "if ($a { }", "'it's'", "Resume-BitLocker -MountPoint 'C:' -MountPoint 'D:'", "$(evil)"]) {
    assert.throws(() => readPowerShell(script).forEach(assertCmdletDocumented), assert.AssertionError, script);
  }
  assert.throws(() => assertAnswersDocumented({ pass: "oobeSystem", component: "Microsoft-Windows-Shell-Setup", settings: { ProductKey: "x" } }), assert.AssertionError);
  assert.throws(() => assertAnswersDocumented({ pass: "specialize", component: "Microsoft-Windows-Shell-Setup", settings: { Name: "x" } }), assert.AssertionError);
});

test("an argument is read back as it was written, whatever is in it", () => {
  fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", '"', "\\", " ", "\t", "é", "%", "^", "&") })), (words) => {
    assert.deepEqual(splitWindowsCommandLine(["program.exe", ...words].map(quotedArgument).join(" ")), ["program.exe", ...words]);
  }), { numRuns: 2000 });
});

test("command lines are split as the documentation's own examples are", () => {
  for (const [line, words] of [
    ['"abc" d e', ["abc", "d", "e"]], ['a\\\\b d"e f"g h', ["a\\\\b", "de fg", "h"]], ['a\\\\\\"b c d', ['a\\"b', "c", "d"]], ['a\\\\\\\\"b c" d e', ["a\\\\b c", "d", "e"]], ["", []], ['""', [""]],
  ] as const) assert.deepEqual(splitWindowsCommandLine(line), words, line);
});

test("a text in PowerShell stays one text, with any quotation mark in it", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("a", "'", "\u2019", "\u2018", '"', "$", "`", ";", "(", " ") }), (text) => {
    const [call] = readPowerShell(cmdlet("Get-BitLockerVolume", { MountPoint: text }));
    assert.deepEqual(call?.parameters["MountPoint"], [{ kind: "text", value: text }]);
  }));
});

test("an answer file keeps what somebody wrote, and what is asked for wins", () => {
  const own = '<?xml version="1.0"?><unattend xmlns="urn:schemas-microsoft-com:unattend"><settings pass="specialize"><component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64"><ComputerName>OLD</ComputerName><CopyProfile>true</CopyProfile></component></settings><settings pass="oobeSystem"/></unattend>';
  const made = answerFile([{ pass: "specialize", component: "Microsoft-Windows-Shell-Setup", settings: { ComputerName: "A&B <1>" } }], "x64", own);
  assert.match(made, /<ComputerName>A&amp;B &lt;1&gt;<\/ComputerName>/);
  assert.match(made, /<CopyProfile>true<\/CopyProfile>/);
  assert.ok(!made.includes("OLD"));
  // Somebody's own commands stay, whatever their order; ours is known by its description and takes the next one.
  const ours = (path: string) => ({ pass: "specialize" as const, component: "Microsoft-Windows-Deployment", settings: { RunSynchronous: [{ RunSynchronousCommand: { Order: "1", Description: "ours", Path: path } }] } });
  const theirs = made.replace("</settings>", '<component name="Microsoft-Windows-Deployment" processorArchitecture="amd64"><RunSynchronous><RunSynchronousCommand wcm:action="add"><Order>1</Order><Path>theirs.cmd</Path></RunSynchronousCommand></RunSynchronous></component></settings>');
  const both = answerFile([ours("b")], "x64", answerFile([ours("a")], "x64", theirs));
  assert.deepEqual([...both.matchAll(/<Order>(\d)<\/Order>/g)].map((match) => match[1]), ["1", "2"]);
  assert.ok(both.includes("theirs.cmd") && both.includes("<Path>b</Path>") && !both.includes("<Path>a</Path>"));
  // An answer file of a later step does not undo what an earlier one wrote.
  const laid = answerFile([{ pass: "specialize", component: "Microsoft-Windows-Shell-Setup", settings: { TimeZone: "UTC" } }], "x64", own, both);
  for (const part of ["<Path>b</Path>", "theirs.cmd", "<TimeZone>UTC</TimeZone>", "<CopyProfile>true</CopyProfile>", "A&amp;B"]) assert.ok(laid.includes(part), part);
  assert.equal(answerFile([], "x64", own, laid), laid, "laid over again nothing changes");
  for (const bad of ["<unattend/>", "<a>", "<!DOCTYPE unattend []><unattend xmlns='urn:schemas-microsoft-com:unattend'/>", "<x xmlns='urn:schemas-microsoft-com:unattend'/>"]) assert.throws(() => answerFile([], "x64", bad), { code: "PRESTAGE_SEQUENCE_ANSWER_FILE" }, bad);
});

test("as another account: its password is in no file and no argument; what the agent runs lies where the account cannot write; without a password it means nothing", () => {
  const settings = { command: "whoami", account: { name: "svc", password: { secret: "RUN" } }, successCodes: [1], restartCodes: [5] };
  const plan = planOf("run-command-line", settings);
  assert.ok(typeof plan === "object");
  const commands = plan.commands ?? [];
  assert.deepEqual(commands.map((one) => [one.program, one.secrets ?? {}]), [["icacls.exe", {}], ["icacls.exe", {}], ["powershell.exe", { PRESTAGE_PASSWORD: { secret: "RUN" } }]]);
  assert.deepEqual(commands[0]?.arguments.slice(1), ["/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "/q"]);
  assert.deepEqual(commands[1]?.arguments, [`${shownSurroundings.work}\\account`, "/grant", "svc:(OI)(CI)M", "/q"]);
  assert.deepEqual([commands[2]?.successCodes, commands[2]?.restartCodes, plan.ownSession], [[1], [5], true]);
  const scripts = new Map((plan.files ?? []).map((file) => [file.name, file.content]));
  assert.deepEqual([...scripts.keys()], ["account/run.ps1", "start.ps1", "remove.ps1"]);
  // A success code of the program's own is none of the Task Scheduler's.
  const start = scripts.get("start.ps1") ?? "";
  assert.match(start, /-Password \$env:PRESTAGE_PASSWORD/);
  assert.match(start, /\} catch \{[^}]*\}\r\nexit 267014\r\n$/);
  assert.match(scripts.get("remove.ps1") ?? "", /Unregister-ScheduledTask -TaskName 'Prestage step' -Confirm:\$false/);
  assert.equal(planOf("run-command-line", { ...settings, account: { name: "svc" } }), "an account there needs its password");
  assert.throws(() => planOf("run-command-line", { ...settings, account: { name: "svc", password: "hunter2" } }));
  for (const name of ["", "-u", 'a"b', "a:b", "a\nb"]) assert.throws(() => planOf("run-command-line", { ...settings, account: { name } }), name);
});

test("an announced restart of Windows waits as long as it should and tells people; nothing of the text is an argument of its own", () => {
  assert.deepEqual(restartWindowsAfter(30, 'Save "it".\r\n/a now').arguments, ["/r", "/t", "30", "/f", "/d", "p:2:4", "/c", "Save  it . /a now"]);
  assert.deepEqual(restartWindowsAfter(0, "x").arguments, restartWindows.arguments);
  assert.equal(restartWindowsAfter(5, "x".repeat(2000)).arguments.at(-1)?.length, 512);
});
