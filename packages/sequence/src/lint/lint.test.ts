import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { stepTypes } from "../steps/index.ts";
import { certainFailures } from "./certain-failures.ts";
import { lintRules, lintSequence } from "./lint.ts";
import type { LintKnowledge } from "./lint-rule.ts";

const objects: LintKnowledge["objects"] = new Map([["ABC00001", { kind: "os-image", name: "Debian", architecture: "x64" }], ["ABC00002", { kind: "application", name: "Tool" }], ["ABC00003", { kind: "os-image", name: "Old", architecture: "x86" }]]);
const media = { unattended: false, variables: [], architecture: "x64" };
const now = new Date("2026-11-23T00:00:00Z");
const packages: LintKnowledge["objects"] = new Map([["ABC00007", { kind: "driver-package", name: "Latitudes", models: ["latitude*"] }], ["ABC00008", { kind: "driver-package", name: "Any", models: [] }]]);
const drivers = "  - { name: Drivers, type: auto-apply-drivers, with: { driverPackages: [ABC00007] } }\n";
const system = "  - { name: Apply, type: apply-os-image, with: { osImage: ABC00001 } }\n  - { name: Set up, type: set-up-operating-system }\n";
const restart = "  - { name: Restart, type: restart }\n";
const command = (text: string, more = "") => `  - { name: Command, type: run-command-line, with: { command: ${JSON.stringify(text)}${more} } }\n`;

/** A rule, a sequence (and what is known) that it finds something in, and one like it that is good. */
const fixtures: Record<string, { fails: string; passes: string; knows?: LintKnowledge; knowsGood?: LintKnowledge }> = {
  "step-type-unknown": { fails: "  - { name: Coffee, type: make-coffee }\n", passes: restart },
  "name-too-long": { fails: `  - { name: ${"Restart ".repeat(7)}, type: restart }\n`, passes: `  - { name: ${"R".repeat(50)}, description: ${"d".repeat(256)}, type: restart }\n` },
  "step-settings-invalid": { fails: "  - { name: Restart, type: restart, with: { too: installed } }\n", passes: '  - { name: Apply, type: apply-os-image, with: { osImage: "%IMAGE%", index: "%INDEX%" } }\n  - { name: Set up, type: set-up-operating-system }\n' },
  "step-in-wrong-environment": { fails: "  - { name: Tool, type: install-application, with: { application: ABC00002 } }\n", passes: `${system}${restart}  - { name: Tool, type: install-application, with: { application: ABC00002 } }\n` },
  "step-without-meaning": { fails: system.replace("system }", "system, with: { users: [{ name: ann }] } }"), passes: system, knows: { platform: "windows" }, knowsGood: { platform: "windows" } },
  "platform-not-known": { fails: `${restart}  - { name: S, type: enable-bitlocker }\n`, passes: `${restart}  - { name: S, type: enable-bitlocker }\n`, knowsGood: { platform: "windows" } },
  "partition-step-unguarded": { fails: "  - { name: Partition, type: partition-disk }\n", passes: "  - name: Group\n    type: group\n    when: { all: [{ variable: _smstsMediaType, notEquals: oemmedia }] }\n    steps: [{ name: Partition, type: partition-disk }]\n  - { name: Other, type: partition-disk, with: { disk: /dev/sdb } }\n" },
  "partition-disk-by-variable": { fails: "  - { name: Which, type: set-variable, with: { name: osdDiskIndex, value: 1 } }\n  - { name: Partition, type: partition-disk }\n", passes: "  - { name: Partition, type: partition-disk }\n" },
  "operating-system-not-set-up": { fails: "  - { name: Apply, type: apply-os-image, with: { osImage: ABC00001 } }\n", passes: system },
  "operating-system-missing": { fails: "  - { name: Set up, type: set-up-operating-system }\n", passes: system },
  "restart-without-a-system": { fails: `${restart}  - { name: Back, type: restart, with: { to: environment } }\n${system}`, passes: `${system}${restart}  - { name: Back, type: restart, with: { to: environment } }\n` },
  "continue-on-error-of-no-use": { fails: "  - { name: Apply, type: apply-os-image, with: { osImage: ABC00001 }, continueOnError: true }\n  - { name: Set up, type: set-up-operating-system }\n", passes: `${system}  - { name: Restart, type: restart, continueOnError: true }\n` },
  "reference-to-nothing": { fails: '  - { name: Apply, type: apply-os-image, with: { osImage: "ABC00009" } }\n  - { name: Set up, type: set-up-operating-system }\n', passes: system, knows: { objects }, knowsGood: { objects } },
  "content-not-whole": { fails: system, passes: system, knows: { objects, contentFaults: new Map([["ABC00001", { kind: "nowhere", fault: "missing at https://dp.example.org", checked: "2026-11-23T00:00:00Z" }]]) }, knowsGood: { objects, contentFaults: new Map([["ABC00002", { kind: "damaged", fault: "content.wim: cut", checked: "2026-11-23T00:00:00Z" }]]) } },
  "secret-nobody-set": { fails: "  - { name: Folder, type: connect-network-folder, with: { path: //files.example.org/a, account: reader, password: { secret: READER } } }\n", passes: "  - { name: Folder, type: connect-network-folder, with: { path: //files.example.org/a, account: reader, password: { secret: READER } } }\n  - { name: Run, type: run-command-line, with: { command: 'true' }, secrets: [Reader] }\n", knows: { secrets: ["OTHER"] }, knowsGood: { secrets: ["reader"] } },
  "variable-nobody-sets": { fails: command("echo %Nobody%"), passes: `  - { name: Set, type: set-variable, with: { name: Role, value: kiosk } }\n${command("echo %role% %_SMSTSMediaType% %FromMedia%")}`, knowsGood: { media: { ...media, variables: ["FROMMEDIA"] } } },
  "variable-set-unread": { fails: command('prestage-variable "$name" x') + command("echo %Branch% %Role%") + command("echo %Role%"), passes: command("prestage-variable Branch x") + command("echo %Branch%") + command('prestage-variable "$name" x') },
  "variable-read-only": { fails: "  - { name: Set, type: set-variable, with: { name: _SMSTSMediaType, value: x } }\n", passes: "  - { name: Set, type: set-variable, with: { name: Role, value: x } }\n" },
  "secret-in-plain-text": { fails: "  - { name: Set, type: set-variable, with: { name: JoinPassword, value: hunter2 } }\n", passes: '  - { name: Set, type: set-variable, with: { name: JoinPassword, value: "%FROM_SITE%" } }\n' },
  "command-restarts-by-itself": { fails: command("apt-get -y upgrade && systemctl reboot"), passes: command("echo reboots are done elsewhere") },
  "command-waits-for-a-person": { fails: command("apt-get install jq"), passes: command("apt-get install -y jq") + command("read -r answer", ", timeoutSeconds: 10") },
  "script-long": { fails: `  - { name: Script, type: run-script, with: { script: "${"true; ".repeat(3000)}" } }\n`, passes: `  - { name: Script, type: run-script, with: { script: "${"true; ".repeat(2000)}" } }\n` },
  "account-out-of-place": { fails: command("whoami", ", account: { name: svc }"), passes: `${restart}${command("whoami", ", account: { name: svc }")}` },
  "debugger-left-on": { fails: "  - { name: Debug, type: set-variable, with: { name: tsDebugMode, value: true } }\n", passes: "  - { name: Debug, type: set-variable, with: { name: TSDebugMode, value: false } }\n" },
  "prestart-can-hang": { fails: restart, passes: restart, knows: { media: { ...media, prestartCommand: "read -p name NAME; echo $NAME" } }, knowsGood: { media: { ...media, prestartCommand: "sh ask.sh --default" } } },
  "unattended-without-preferred-deployment": { fails: restart, passes: restart, knows: { media: { ...media, unattended: true } }, knowsGood: { media: { ...media, unattended: true, variables: ["SMSTSPreferredAdvertID"] } } },
  "updates-without-a-source": { fails: "  - { name: Updates, type: install-updates }\n", passes: `  - { name: Updates, type: install-updates, with: { package: ABC00005 } }\n${restart}  - { name: Updates, type: install-updates }\n` },
  "capture-without-preparation": { fails: "  - { name: Capture, type: capture-os-image, with: { file: a.wim } }\n", passes: `${restart}  - { name: Prepare, type: prepare-capture }\n  - { name: Back, type: restart, with: { to: environment } }\n  - { name: Capture, type: capture-os-image, with: { file: a.wim } }\n  - { name: Backup, type: capture-os-image, with: { file: b.wim, everything: true } }\n` },
  "model-without-drivers": { fails: drivers, passes: drivers, knows: { objects: packages, computerModels: ["Latitude 7450", "Vostro 15"] }, knowsGood: { objects: packages, computerModels: ["Latitude 7450", "LATITUDE 5440"] } },
  "oem-key-risk": { fails: command("copy setup.cmd C:\\Windows\\Setup\\Scripts\\SetupComplete.cmd"), passes: `  - { name: Answers, type: apply-windows-settings, with: { productKey: W269N-WFGWX-YVC9B-4J6C9-T83GX } }\n${command("copy setup.cmd C:\\Windows\\Setup\\Scripts\\SetupComplete.cmd")}` },
  "media-ends-soon": { fails: restart, passes: restart, knows: { now, media: { ...media, validTo: "2026-12-05T00:00:00Z" } }, knowsGood: { now, media: { ...media, validTo: "2027-06-01T00:00:00Z" } } },
  "management-point-of-no-site": { fails: restart, passes: restart, knows: { managementPoints: ["https://mp.example.org:8443"], media: { ...media, managementPoints: ["https://mp.example.org"] } }, knowsGood: { managementPoints: ["https://mp.example.org:8443"], media: { ...media, managementPoints: ["https://MP.example.org:8443/"] } } },
  "boot-image-architecture": { fails: system.replace("ABC00001", "ABC00003"), passes: system, knows: { objects, media }, knowsGood: { objects, media } },
};

const read = (steps: string) => parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`);

test("every rule has a sequence it fails and one it passes", () => {
  assert.deepEqual(Object.keys(fixtures).sort(), lintRules.map(({ id }) => id).sort());
});

for (const [rule, { fails, passes, knows, knowsGood }] of Object.entries(fixtures)) {
  test(`${rule}`, () => {
    const [finding] = lintSequence(read(fails), knows).filter((one) => one.rule === rule);
    assert.ok(finding !== undefined && finding.message !== "" && finding.fix !== "", fails);
    assert.equal(finding.level, lintRules.find(({ id }) => id === rule)?.level);
    assert.deepEqual(lintSequence(read(passes), knowsGood).filter((one) => one.rule === rule), [], passes);
  });
}

test("SetupComplete.cmd is no risk on Linux, nor where a key of one's own comes by its variable, and is one where that answers nothing", () => {
  const found = (before: string, knows: LintKnowledge = {}) => lintSequence(read(`${before}${command("echo x > SetupComplete.cmd")}`), knows).filter(({ rule }) => rule === "oem-key-risk").length;
  const answers = "  - { name: Answers, type: apply-windows-settings }\n";
  assert.deepEqual([found(""), found("", { platform: "windows" }), found(answers), found("", { platform: "linux" })], [1, 1, 1, 0]);
  const set = '  - { name: Key, type: set-variable, with: { name: OSDProductKey, value: "%KEY%" } }\n';
  const rules = '  - { name: Rules, type: set-dynamic-variables, with: { rules: [{ make: "*", model: "*", set: { OSDProductKey: x } }] } }\n';
  assert.deepEqual([found(set + answers), found(rules + answers), found(answers, { media: { ...media, variables: ["osdProductKey"] } }), found(set)], [0, 0, 0, 1]);
});

test("a driver package for any model, or one that is not known, may be for every computer", () => {
  const found = (steps: string) => lintSequence(read(steps), { objects: packages, computerModels: ["Vostro 15"] }).filter(({ rule }) => rule === "model-without-drivers").length;
  const more = (id: string) => `  - { name: One, type: apply-driver-package, with: { driverPackage: "${id}" } }\n`;
  assert.deepEqual([found(drivers), found(drivers + more("ABC00008")), found(drivers + more("{ABC00009}")), found(more("{ABC00007}")), found(restart)], [1, 0, 0, 1, 0]);
});

test("models are compared at once, however many stars a pattern has, and a question mark is one", () => {
  const found = (pattern: string, model: string) => lintSequence(read(drivers), { objects: new Map([["ABC00007", { kind: "driver-package", name: "Some", models: [pattern] }]]), computerModels: [model] }).filter(({ rule }) => rule === "model-without-drivers").length;
  const started = performance.now();
  assert.equal(found(`${"a*".repeat(8)}b`, "a".repeat(60)), 1);
  assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
  assert.deepEqual([found("optiplex 70?0", "OptiPlex 7090"), found("what?", "What?"), found("a.b*", "axb"), found("A*(c)", "a-b(C)")], [1, 0, 1, 0]);
});

test("media is out of date when its last day has gone, and its management points are the site's by host and port", () => {
  const messages = (knows: LintKnowledge) => lintSequence(read(restart), knows).map(({ message }) => message);
  assert.match(messages({ now, media: { ...media, validTo: "2026-11-01T00:00:00Z" } })[0] ?? "", /^The media was valid to 2026-11-01/);
  const some = messages({ managementPoints: ["https://a.example.org"], media: { ...media, managementPoints: ["https://a.example.org", "https://b.example.org"] } });
  assert.match(some[0] ?? "", /https:\/\/b\.example\.org is not the site's, which has https:\/\/a\.example\.org/);
});

test("behind a command whose text does not say what it sets, a name that nothing sets is told once, with the others, and not as one that nobody sets", () => {
  const found = (steps: string, knows: LintKnowledge = {}) => lintSequence(read(steps), knows).filter(({ rule }) => rule.startsWith("variable-")).map(({ rule, step, message }) => [rule, step?.id, /sets? (%.*%)/.exec(message)?.[1] ?? /%\w+%/.exec(message)?.[0]]);
  const uses = command("echo %Role% %Branch%") + command("echo %Place% %role%");
  const unread = ["hostname | xargs prestage-variable Role", 'prestage-variable "$n" x', "echo Role=x >> $PRESTAGE_VARIABLES", "p=prestage-variable; $p Role x"];
  for (const text of unread) assert.deepEqual(found(command(text) + uses), [["variable-set-unread", "command", "%Role%, %Branch%, %Place%"]], text);
  assert.deepEqual(found(command("sh a.sh", ", package: ABC00005") + uses).map(([rule]) => rule), ["variable-set-unread"]);
  assert.deepEqual(found(`  - { name: Script, type: run-script, with: { language: javascript, script: "execFileSync('prestage-variable', [name, '1'])" } }\n${uses}`).map(([rule, id]) => [rule, id]), [["variable-set-unread", "script"]]);
  assert.deepEqual(found(uses + command('prestage-variable "$n" x')).map(([rule, , name]) => [rule, name]), [["variable-nobody-sets", "%Role%"], ["variable-nobody-sets", "%Branch%"], ["variable-nobody-sets", "%Place%"]], "what comes later sets nothing before");
  assert.deepEqual(found(command('prestage-variable Role x; prestage-variable Branch "$(hostname)"; prestage-variable Place x') + uses), []);
  const prestart = (prestartCommand: string): LintKnowledge => ({ media: { ...media, prestartCommand } });
  assert.deepEqual(found(uses, prestart('prestage-variable Role x; prestage-variable "$n" x')), [["variable-set-unread", undefined, "%Branch%, %Place%"]]);
  assert.deepEqual(found(uses, { media: { ...media, prestartCommand: "sh ask.sh", prestartPackage: "ABC00005" } }).map(([rule]) => rule), ["variable-set-unread"]);
  assert.deepEqual(found(uses, prestart("prestage-variable Role x")).map(([rule]) => rule), ["variable-nobody-sets", "variable-nobody-sets"]);
});

test("settings of set-up-operating-system that mean nothing on Windows are found before a computer is, and are good on Linux", () => {
  const found = (text: string, platform: "linux" | "windows") => lintSequence(read(`${system.replace("system }", `system, with: { ${text} } }`)}`), { platform }).filter((one) => one.rule === "step-without-meaning").map(({ message }) => message);
  for (const text of ["serialConsole: true", "users: [{ name: ann, sshKeys: [ssh-ed25519 AAAA] }]", "users: [{ name: ann, passwordHash: x }]"]) {
    assert.equal(found(text, "windows").length, 1, text);
    assert.deepEqual(found(text, "linux"), []);
  }
  assert.deepEqual(found("computerName: OFFICE-1", "windows"), []);
});

test("that steps were not judged by platform is said once, where one of them is for one platform alone", () => {
  const found = (steps: string) => lintSequence(read(steps)).filter(({ rule }) => rule === "platform-not-known").map(({ message }) => message.replace(/^.*use for /, ""));
  const one = (name: string, type: string, more = "") => `  - { name: ${name}, type: ${type}${more} }\n`;
  assert.deepEqual(found(system + restart), []);
  assert.deepEqual(found(restart + one("Lock", "enable-bitlocker") + one("Here", "apply-linux-settings") + one("Off", "enable-bitlocker", ", disabled: true")), ['"Lock", "Here".']);
  assert.deepEqual(found(one("Asks", "restart", ", when: { registry: HKLM\\Software\\A, exists: true }")), ['"Asks".']);
});

test("a program its package does not have is a reference to nothing; one that a variable names, or of a package nothing is known of, is not", () => {
  const known: LintKnowledge = { objects: new Map([["ABC00005", { kind: "package", name: "Tools", programs: ["Apply"] }], ["ABC00006", { kind: "package", name: "Old" }]]) };
  const found = (id: string, program: string) => lintSequence(read(`${restart}  - { name: P, type: install-package, with: { package: "${id}", program: "${program}" } }\n`), known).filter(({ rule }) => rule === "reference-to-nothing").map(({ message }) => message);
  assert.deepEqual(found("ABC00005", "Remove"), ["program names Remove; the package Tools has only Apply."]);
  assert.deepEqual(found("{ABC00005}", "Remove").length, 1);
  for (const [id, program] of [["ABC00005", "apply"], ["ABC00005", "%PROGRAM%"], ["ABC00006", "Remove"]] as const) assert.deepEqual(found(id, program), []);
});

test("a rule that sets a read-only variable is found as set-variable is, and so is any other setting that names one; what a command sets by prestage-variable is set", () => {
  const found = (steps: string, rule: string) => lintSequence(read(steps)).filter((one) => one.rule === rule).map(({ message }) => message);
  assert.deepEqual(found("  - { name: Rules, type: set-dynamic-variables, with: { rules: [{ make: A, model: B, set: { _SMSTSMake: x, Role: y } }] } }\n", "variable-read-only"), ["_SMSTSMake is read-only."]);
  assert.deepEqual(found("  - { name: Rules, type: set-dynamic-variables, with: { rules: [{ make: A, model: B, set: { _SMSTSType: x, Role: y } }] } }\n", "variable-read-only"), ["_SMSTSType is read-only."]);
  assert.deepEqual(found(command("hostname", ", outputVariable: _Name"), "variable-read-only"), ["_Name is read-only."]);
  assert.deepEqual(found(command("prestage-variable Role kiosk && prestage-variable Other | cat") + command("echo %role% %other%"), "variable-nobody-sets").map((one) => one.split(",")[0]), ["command holds %other%"]);
});

test("disk 0 in the boot environment is the staged one, and so it is in an installed Linux; in an installed Windows it is Windows' own", () => {
  const found = (steps: string, platform?: "linux" | "windows") => lintSequence(read(steps), platform && { platform }).filter((one) => one.rule === "partition-step-unguarded").length;
  const partition = (disk: string, more = "") => `  - { name: Partition, type: partition-disk, with: { disk: "${disk}" }${more} }\n`;
  const guard = ", when: { variable: _SMSTSMediaType, notEquals: OEMMedia }";
  assert.deepEqual([found(partition("0")), found(partition("00")), found(partition("1")), found(partition("10")), found(partition("0", guard))], [1, 1, 0, 0, 0]);
  assert.deepEqual([found(`${restart}${partition("0")}`, "linux"), found(`${restart}${partition("0")}`, "windows"), found(partition("0"), "windows")], [1, 0, 1]);
});

test("a disk that a variable may say is a warning and no certain failure; one that nothing says is both", () => {
  const partition = "  - { name: Partition, type: partition-disk }\n";
  const found = (steps: string, knows: LintKnowledge = {}) => [lintSequence(read(steps), knows).filter(({ rule }) => rule.startsWith("partition")).map(({ level }) => level), certainFailures(read(steps), knows).length];
  const sets = ["  - { name: Which, type: set-variable, with: { name: OSDDiskIndex, value: 1 } }\n", "  - { name: Which, type: run-script, with: { script: lsblk, outputVariable: OSDDiskIndex } }\n", "  - { name: Which, type: run-script, with: { language: javascript, script: \"execFileSync('prestage-variable', ['OSDDiskIndex', '1'])\" } }\n"];
  for (const before of sets) assert.deepEqual(found(before + partition), [["warning"], 0], before);
  assert.deepEqual(found(partition, { media: { ...media, variables: ["OSDDISKINDEX"] } }), [["warning"], 0]);
  const given = (...values: (string | undefined)[]): LintKnowledge => ({ given: values.map((value) => ({ name: "osddiskindex", value })) });
  for (const knows of [given("1"), given("0", "/dev/sdb"), given(undefined)]) assert.deepEqual(found(partition, knows), [["warning"], 0], JSON.stringify(knows));
  for (const knows of [given("0"), given(""), { given: [{ name: "Other", value: "1" }] }]) assert.deepEqual(found(partition, knows), [["error"], 1], JSON.stringify(knows));
  assert.deepEqual(found(partition.replace("disk }", 'disk, with: { disk: "0" } }'), given("1")), [["error"], 1], "a step that names its disk asks no variable");
  for (const steps of [partition, partition + (sets[0] ?? ""), (sets[0] ?? "") + partition.replace("disk }", 'disk, with: { disk: "0" } }')]) assert.deepEqual(found(steps), [["error"], 1], steps);
});

test("secrets are found where they hide, and not where there are none", () => {
  const found = (text: string) => lintSequence(read(command(text))).some((one) => one.rule === "secret-in-plain-text");
  for (const text of ["curl https://user:hunter2@host/x", "join --password hunter2", "net use z: \\\\server\\share /password:hunter2", "tool --token=abcdef", "cat <<E\n-----BEGIN PRIVATE KEY-----\nE"]) assert.equal(found(text), true, text);
  for (const text of ["curl https://host/x", "join --password %JoinPassword%", 'join --password "$JoinPassword"', "passwd -l root", "echo https://host:8443/a@b", "chage --mindays 1 user"]) assert.equal(found(text), false, text);
});

test("every step type's example is a good step of its type", () => {
  for (const type of stepTypes) {
    const sequence = read(type.example.split("\n").map((line) => `  ${line}\n`).join(""));
    assert.equal(sequence.steps[0]?.type, type.type);
    assert.deepEqual(lintSequence(sequence).filter((one) => ["step-type-unknown", "step-settings-invalid"].includes(one.rule)), [], type.type);
  }
});

test("where a sequence is, is followed through restarts and conditions", () => {
  const wrong = (steps: string) => lintSequence(read(steps)).filter((one) => one.rule === "step-in-wrong-environment").map((one) => one.step?.name);
  const install = "  - { name: Tool, type: install-application, with: { application: ABC00002 } }\n";
  assert.deepEqual(wrong(`  - { name: R, type: restart, when: { variable: X, equals: 1 } }\n${install}`), [], "it may have restarted");
  assert.deepEqual(wrong(`  - { name: R, type: restart, disabled: true }\n${install}`), ["Tool"]);
  assert.deepEqual(wrong(`${restart}${system}`), ["Apply", "Set up"]);
  assert.deepEqual(wrong(`${restart}  - { name: B, type: restart, with: { to: environment } }\n${system}`), []);
  assert.deepEqual(wrong("  - name: G\n    type: group\n    when: { variable: _SMSTSInWinPE, equals: false }\n    steps: [{ name: Tool, type: install-application, with: { application: ABC00002 } }]\n"), []);
});

test("behind a step that may ask for a restart the sequence may be in either system", () => {
  const wrong = (steps: string) => lintSequence(read(steps)).filter((one) => one.rule === "step-in-wrong-environment").map((one) => one.step?.name);
  const install = "  - { name: Tool, type: install-application, with: { application: ABC00002 } }\n";
  const asks = ["set-variable, with: { name: SMSTSRebootRequested, value: HD }", "run-script, with: { script: 'prestage-variable smstsRebootRequested HD' }", "run-script, with: { language: javascript, script: \"execFileSync('prestage-variable', ['SMSTSRebootRequested', 'HD'])\" }"];
  for (const one of asks) assert.deepEqual(wrong(`${system}  - { name: Want, type: ${one} }\n${install}`), [], one);
  assert.deepEqual(wrong(`${restart}  - { name: Want, type: set-variable, with: { name: SMSTSRebootRequested, value: WinPE } }\n${system}`), []);
  assert.deepEqual(wrong(`${system}  - { name: Want, type: set-variable, with: { name: SMSTSRebootDelay, value: 30 } }\n${install}`), ["Tool"]);
});

test("variables are set by scripts, rules and downloads, too", () => {
  const setting = (prefix: string) => `  - { name: Rules, type: set-dynamic-variables, with: { rules: [{ make: A, model: "*", set: { ${prefix}Desk: x } }] } }\n  - { name: Script, type: run-script, with: { script: hostname, outputVariable: ${prefix}Host } }\n  - { name: Fetch, type: download-package-content, with: { packages: [ABC00005, ABC00006], variable: ${prefix}Got } }\n`;
  assert.deepEqual(lintSequence(read(setting("") + command("echo %Desk% %Host% %Got02%"))), []);
  assert.deepEqual(lintSequence(read(`${system}${restart}  - { name: Share, type: connect-network-folder, with: { path: //a.example.org/b, variable: Share } }\n${command("ls %Share%", ", outputVariable: Listed")}${command("echo %Listed%")}`)), []);
  assert.deepEqual(lintSequence(read(`  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb, partitions: [{ name: a, variable: Data }] } }\n  - { name: Capture, type: capture-system-settings }\n${system}${restart}  - { name: Network, type: capture-network-settings }\n${command("echo %Data% %OSDTimeZone% %OSDAdapter1IPAddressList%")}`)), []);
  assert.deepEqual(lintSequence(read(setting("") + command("echo %Got03%"))).map(({ rule }) => rule), ["variable-nobody-sets"]);
  assert.deepEqual(lintSequence(read(setting("_"))).map(({ rule, step }) => [rule, step?.id]), [["variable-read-only", "rules"], ["variable-read-only", "script"], ["variable-read-only", "fetch"], ["variable-read-only", "fetch"]]);
});

test("on Windows an account needs its password, and secrets do not reach it", () => {
  const rules = (more: string, secrets = "") => lintSequence(read(`${system}${restart}${command("whoami", more).replace(", with:", `${secrets}, with:`)}`), { platform: "windows" }).map(({ rule }) => rule);
  assert.deepEqual(rules(", account: { name: svc }"), ["step-without-meaning"]);
  assert.deepEqual(rules(", account: { name: svc, password: { secret: RUN } }"), []);
  assert.deepEqual(rules(", account: { name: svc, password: { secret: RUN } }", ", secrets: [LICENCE]"), ["account-out-of-place"]);
});
