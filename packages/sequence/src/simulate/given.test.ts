import assert from "node:assert/strict";
import { test } from "node:test";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import { parseTaskSequenceYaml } from "../parse-yaml.ts";
import { deviceDescriptionSchema } from "./device-description.ts";
import { explanationText } from "./explain.ts";
import type { Given } from "./given.ts";
import { simulate } from "./simulate.ts";

const run = (steps: string, { device = {}, site = {}, knows = {} }: { device?: object; site?: Given; knows?: LintKnowledge } = {}) => simulate(parseTaskSequenceYaml(`name: t\nsteps:\n${steps}`), deviceDescriptionSchema.parse(device), [], knows, site);
const command = (name: string, when: string, more = "") => `  - { name: ${name}, type: run-command-line, with: { command: "echo %Who%" }, when: ${when}${more} }\n`;
const echo = (text: string, more = "") => `  - { name: Say, type: run-command-line, with: { command: "echo ${text}" }${more} }\n`;
const apply = "  - { name: Apply, type: apply-os-image, with: { osImage: ABC00003 } }\n  - { name: Set up, type: set-up-operating-system }\n";
const restart = "  - { name: Restart, type: restart }\n";

test("of a computer of which only some is known, what else a condition asks is unknown and not false; others may decide it", () => {
  const steps = command("Memory", "{ hardware: memoryMiB, greaterOrEqual: 4096 }") + command("Chassis", "{ hardware: chassis, equals: 10 }") + command("No file", "{ file: /etc/a, notExists: true }")
    + command("Both", "{ all: [{ hardware: chassis, equals: 10 }, { hardware: model, equals: X }] }") + command("Either", "{ any: [{ hardware: chassis, equals: 10 }, { hardware: model, equals: Y }] }");
  const known = { hardware: { memoryMiB: 8192, model: "Y" } };
  const found = run(steps, { device: { ...known, notDescribed: "unknown" } });
  assert.deepEqual(found.steps.map(({ name, action, why }) => [name, action, why]), [
    ["Memory", "runs", 'hardware memoryMiB is "8192"'], ["Chassis", "depends", "depends on hardware chassis, which only the computer can say"], ["No file", "depends", "depends on file /etc/a, which only the computer can say"],
    ["Both", "skipped", 'hardware model is "Y"'], ["Either", "runs", 'hardware model is "Y"'],
  ]);
  assert.deepEqual(found.notDescribed, ["hardware chassis", "file /etc/a"]);
  assert.deepEqual(run(steps, { device: known }).steps.map(({ action }) => action), ["runs", "skipped", "runs", "skipped", "runs"], "a description says all there is");
});

test("what the agent says of where its disk is, is so in the boot environment and after the restart into the installed system", () => {
  const names = ["OSDTargetSystemDrive", "_SMSTSClientCache", "_SMSTSProtectedPaths", "_SMSTSUserStatePath"];
  const at = (steps: string, knows: LintKnowledge = {}) => {
    const { variables } = run(steps, { knows });
    return names.map((name) => variables.find((one) => one.name === name)).map((one) => one?.value ?? one?.by);
  };
  const back = "  - { name: Back, type: restart, with: { to: environment } }\n";
  const there = ["/mnt/data", "/mnt/data/prestage/content", "/mnt/data/prestage", "/mnt/data/prestage/user-state"];
  assert.deepEqual(at(apply), there);
  assert.deepEqual(at(apply + restart, { platform: "linux" }), ["/", "/prestage/content", "/prestage", "/prestage/user-state"]);
  assert.deepEqual(at(apply + restart, { platform: "windows" }), ["C:", "C:\\prestage\\content", "C:\\prestage", "C:\\prestage\\user-state"]);
  assert.deepEqual(at(apply + restart), ["agent", "agent", "agent", "agent"], "nothing says what the system is");
  assert.deepEqual(at(apply + restart + back), there);
  assert.deepEqual(at(restart, { platform: "linux" })[0], undefined, "nobody has set it: the agent does not, either");
  const skipped = run(`  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb }, when: { variable: _SMSTSClientCache, notExists: true } }\n`).steps[0];
  assert.deepEqual([skipped?.action, skipped?.why], ["skipped", '_SMSTSClientCache is "/mnt/data/prestage/content"']);
});

test("a restart of which only the run knows leaves open where the disk is", () => {
  const { steps } = run(`${apply}  - { name: Ask, type: run-script, with: { script: lsblk, outputVariable: X } }\n  - { name: Perhaps, type: restart, when: { variable: X, equals: 1 } }\n${command("Cache", "{ variable: _SMSTSClientCache, like: /mnt/* }")}${command("Drive", "{ variable: OSDTargetSystemDrive, equals: / }")}`, { knows: { platform: "linux" } });
  assert.deepEqual(steps.slice(-2).map(({ why }) => why), ["depends on _SMSTSClientCache, set by the step \"Perhaps\" at run time", "depends on OSDTargetSystemDrive, set by the step \"Perhaps\" at run time"]);
});

test("what only the agent can say is known to nobody before, and the time zone is that", () => {
  const { steps } = run(command("Zone", "{ variable: _SMSTSTimezone, equals: Europe/Berlin }") + command("Boot", "{ variable: _TSSecureBoot, equals: Enabled }"), { device: { hardware: { secureBoot: "Enabled" } } });
  assert.deepEqual(steps.map(({ action, why }) => [action, why]), [["depends", "depends on _SMSTSTimezone, set by the agent at run time"], ["runs", '_TSSecureBoot is "Enabled"']]);
});

test("a value says whose it is, and what it took the place of, of its own source too; what is described wins", () => {
  const site: Given = { variables: [{ name: "Who", value: "first", source: "collection", of: "North (ABC00010)" }, { name: "Who", value: "second", source: "collection", of: "South (ABC00011)" }, { name: "Who", value: "deployment", source: "deployment", of: "ABC20001" }] };
  const said = (device: object) => run(echo("%Who%"), { site, device }).steps[0]?.variables.map(explanationText);
  assert.deepEqual(said({}), ['= "deployment" (deployment ABC20001, in place of "second" of collection South (ABC00011), "first" of collection North (ABC00010))']);
  assert.deepEqual(said({ variables: { deployment: { Who: "described" } } })?.[0]?.startsWith('= "described" (deployment, in place of "deployment" of deployment ABC20001, '), true);
});

test("a secret is named with whose it is; one that nobody would give fails the step, where it is known who would", () => {
  const step = echo("x", ", secrets: [join]");
  const join = { name: "JOIN", source: "deployment" as const, of: "ABC20001" };
  const told = (site: Given) => run(step, { site }).steps.map(({ secrets, wouldFail }) => [secrets, wouldFail]);
  assert.deepEqual(told({ secrets: [join], allSecrets: true }), [[[{ ...join, name: "join" }], undefined]]);
  assert.deepEqual(told({}), [[[{ name: "join" }], undefined]]);
  assert.deepEqual(told({ secrets: [] }), [[[{ name: "join" }], undefined]], "it may be the deployment's own");
  assert.deepEqual(told({ secrets: [], allSecrets: true }).map(([, why]) => why), ["it asks for the secret join; neither the device nor its deployment nor its collections have one"]);
  assert.deepEqual(told({ secrets: [join], allSecrets: true, secretsRefused: "not let in" }).map(([, why]) => why), ["it asks for the secret join: not let in"]);
});

test("what the prestart command sets is known only to the run, and what it may set, where its text does not say the names", () => {
  const steps = command("Named", "{ variable: Role, equals: desk }") + command("Other", "{ variable: Other, equals: x }") + command("Given", "{ variable: Who, equals: me }");
  const told = (prestart: Given["prestart"]) => run(steps, { site: { ...(prestart && { prestart }), variables: [{ name: "Who", value: "me", source: "device" }, { name: "Role", value: "kiosk", source: "media" }] } }).steps.map(({ why }) => why);
  const set = "depends on Role, set by the media's prestart command at run time";
  assert.deepEqual(told({ command: "prestage-variable Role desk" }), [set, "Other does not exist", 'Who is "me"']);
  assert.deepEqual(told({ command: "prestage-variable Role desk; sh ask.sh", package: "ABC00005" }), [set, "Other may be set by the media's prestart command at run time", 'Who is "me"']);
  assert.deepEqual(told(undefined), ['Role is "kiosk"', "Other does not exist", 'Who is "me"']);
});
