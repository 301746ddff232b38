import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const { folder, data, at, tree } = await cliSite();
interface Found { findings: { rule: string; level: string; step?: { name: string } }[] }

test("the text to begin with is a good one, and an existing file is left as it is", async () => {
  const path = join(folder, "deploy.yaml");
  assert.equal((await cli(["sequence", "new", "-o", path])).exitCode, 0);
  const text = await readFile(path, "utf8");
  assert.equal((await cli(["sequence", "new"])).stdout, text);
  const again = await cli(["sequence", "new", "-o", path, "--json"]);
  assert.equal((again.json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT");
  const offline = await cli(["sequence", "lint", path, "--offline", "--json"]);
  assert.deepEqual([offline.exitCode, (offline.json as Found).findings.map((one) => one.rule)], [0, ["variable-nobody-sets"]]);
});

test("at a site its content is looked for; strict fails by warnings; a media is looked at with it", async () => {
  const boot = join(folder, "boot.wim");
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": "#".repeat(1024) }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  await runWimlib(["append", await tree("agent", { "agent.mjs": "agent" }), boot, "2", "--unix-data", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  const tool = await at<{ id: string }>("package", "import", await tree("tool", { "a.txt": "a" }), "--name", "Tool", "--program", "Run=true");
  const write = async (name: string, steps: string) => {
    await writeFile(join(folder, name), `name: T\nsteps:\n${steps}`);
    return join(folder, name);
  };
  const good = await write("good.yaml", `  - { name: Restart, type: restart }\n  - { name: Tool, type: install-package, with: { package: ${tool.id}, program: Run } }\n`);
  assert.match((await cli(["sequence", "lint", good, "--data", data])).stdout, /nothing found/);
  const nothing = await cli(["sequence", "lint", await write("nothing.yaml", `  - { name: Restart, type: restart }\n  - { name: Tool, type: install-package, with: { package: ${tool.id}, program: Walk }, secrets: [NOBODYS] }\n`), "--data", data, "--json"]);
  assert.deepEqual((nothing.json as Found).findings.map(({ rule }) => rule), ["reference-to-nothing", "secret-nobody-set"]);
  const bad = await write("bad.yaml", `  - { name: Tool, type: install-package, with: { package: ABC0FFFF, program: Run } }\n  - { name: Off, type: run-command-line, with: { command: "systemctl reboot" } }\n`);
  const found = await cli(["sequence", "lint", bad, "--data", data]);
  assert.equal(found.exitCode, 1);
  assert.match(found.stdout, /^error {3}Tool: install-package runs in the installed system; here the sequence is in the boot environment\.\n {8}Put a restart step .* \(step-in-wrong-environment\)$/m);
  assert.match(found.stdout, /^error {3}Tool: package names ABC0FFFF; the site has no such object\.$/m);
  assert.match(found.stdout, /^warning Off: The command restarts or stops the computer\.$/m);
  const warned = await write("warned.yaml", `  - { name: Off, type: run-command-line, with: { command: "systemctl reboot" } }\n`);
  assert.deepEqual([(await cli(["sequence", "lint", warned, "--data", data])).exitCode, (await cli(["sequence", "lint", warned, "--strict", "--data", data])).exitCode], [0, 1]);

  const { id } = await at<{ id: string }>("sequence", "add", good);
  assert.deepEqual((await at<Found>("sequence", "lint", id)).findings, []);
  const { mediaId } = await at<{ mediaId: string }>("media", "create", "--task-sequence", id, "--unattended", "-o", join(folder, "media.wim"));
  assert.deepEqual((await at<Found>("sequence", "lint", id, "--media", mediaId)).findings.map((one) => one.rule), ["unattended-without-preferred-deployment"]);
  const source = join(folder, "windows.wim");
  await runWimlib(["capture", await tree("windows", { "Windows/System32/ntoskrnl.exe": "kernel" }), source, "Windows", "--unix-data", "--check", "--compress=LZX:20"]);
  for (const [arch, name, errors] of [[0, "Old", ["boot-image-architecture"]], [9, "New", []]] as const) {
    await runWimlib(["info", source, "1", "--image-property", `WINDOWS/ARCH=${arch}`]);
    const image = await at<{ id: string }>("os-image", "import", source, "--name", name);
    const applied = await cli(["sequence", "lint", await write(`${name}.yaml`, `  - { name: OS, type: apply-os-image, with: { osImage: ${image.id} } }\n  - { name: Set up, type: set-up-operating-system }\n`), "--media", mediaId, "--data", data, "--json"]);
    assert.deepEqual((applied.json as Found).findings.filter(({ level }) => level === "error").map(({ rule }) => rule), errors, name);
  }
  const unknown = await cli(["sequence", "lint", "ABC00001", "--offline", "--json"]);
  assert.equal((unknown.json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT");
});

test("the schema for editors is printed or written", async () => {
  const path = join(folder, "schema.json");
  await cli(["sequence", "schema", "-o", path]);
  const printed = await cli(["sequence", "schema"]);
  assert.equal(printed.stdout, await readFile(path, "utf8"));
  assert.equal((JSON.parse(printed.stdout) as { title: string }).title, "Prestage task sequence");
});

test("what a sequence would do on a described computer or a device of the site, started from a media", async () => {
  const first = await at<{ id: string; contentId: string }>("package", "import", await tree("part", { "a.txt": "a" }), "--name", "Part", "--program", "Run=true");
  const path = join(folder, "simulated.yaml");
  await writeFile(path, `name: S\nsteps:\n  - { name: Restart, type: restart }\n  - { name: Part, type: install-package, with: { package: ${first.id}, program: Run }, when: { hardware: memoryMiB, greaterOrEqual: 4096 } }\n  - { name: Say, type: run-command-line, with: { command: "echo %Who%" } }\n`);
  const described = join(folder, "device.json");
  await writeFile(described, JSON.stringify({ hardware: { memoryMiB: 8192 }, variables: { collection: { Who: "collection" }, media: { Who: "media" } } }));
  const human = await cli(["sequence", "simulate", path, "--device", described]);
  assert.deepEqual([human.exitCode, human.stdout.split("\n")], [0, [
    "run   Restart (restart): it has no condition", "--- restart: in the installed system", 'run   Part (install-package): hardware memoryMiB is "8192"', `        package ${first.id}`,
    "run   Say (run-command-line): it has no condition", '        %Who% = "media" (media, in place of "collection" of collection)', "", "The sequence would have succeeded.", "",
  ]]);
  const { id } = await at<{ id: string }>("sequence", "add", path);
  const { mediaId } = await at<{ mediaId: string }>("media", "create", "--task-sequence", id, "--variable", "Who=from-media", "-o", join(folder, "simulated.wim"));
  await at("package", "import", await tree("part", { "a.txt": "changed" }), "--name", "Part", "--program", "Run=true");
  await at("device", "add", "--name", "PC-17", "--serial-number", "S17", "--variable", "Who=device");
  const run = await at<{ outcome: string; steps: { name: string; action: string; variables: { value: string; insteadOf: unknown }[] }[]; content: { objectId: string; state: string; bytes: number }[]; notDescribed: string[] }>("sequence", "simulate", id, "--record", "pc-17", "--media", mediaId.slice(0, 12));
  assert.deepEqual([run.outcome, run.steps.map((one) => [one.name, one.action]), run.notDescribed, run.content.map(({ objectId, state }) => [objectId, state])], ["succeeded", [["Restart", "runs"], ["Part", "depends"], ["Say", "runs"]], ["hardware memoryMiB"], [[first.id, "revised"]]]);
  assert.deepEqual(run.steps[2]?.variables[0]?.value, "from-media");
  await writeFile(described, JSON.stringify({ outcomes: { say: "failed" } }));
  assert.equal((await cli(["sequence", "simulate", path, "--device", described])).exitCode, 1);
  await writeFile(described, JSON.stringify({ hardware: { smell: 1 } }));
  assert.equal(((await cli(["sequence", "simulate", path, "--device", described, "--json"])).json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT");
});

test("a device's record, a media's content and what the site knows are in what is said", async () => {
  const import_ = async (name: string, text: string) => at<{ id: string }>("package", "import", await tree(name, { "a.txt": text }), "--name", name, "--program", "Run=true");
  const [held, revised, missing] = [await import_("Held", "held"), await import_("Revised", "first"), await import_("Missing", "missing")];
  const path = join(folder, "content.yaml");
  const install = (name: string, id: string) => `  - { name: ${name}, type: install-package, with: { package: "${id}", program: Run } }\n`;
  await writeFile(path, `name: C\nsteps:\n  - { name: Restart, type: restart }\n${install("Held", held.id)}${install("Revised", revised.id)}`);
  const { id } = await at<{ id: string }>("sequence", "add", path);
  const { mediaId } = await at<{ mediaId: string }>("media", "create", "--task-sequence", id, "-o", join(folder, "content.wim"));
  await import_("Revised", "second");
  await at("device", "add", "--name", "PC-18", "--serial-number", "S18", "--mac-address", "52:54:00:12:34:56", "--variable", `Extra=${missing.id}`, "--variable", "Gone=ABC0FFFF");
  const rules = "  - { name: Who, type: set-dynamic-variables, with: { rules: [{ computer: { macAddress: '52-54-00-12-34-*' }, set: { Wing: east } }] } }\n";
  const other = (last: string) => `name: C\nsteps:\n  - { name: Restart, type: restart }\n${rules}${install("Held", held.id)}${install("Revised", revised.id)}${install("Missing", "%Extra%")}  - { name: Out, type: run-script, with: { script: hostname, outputVariable: Branch } }\n  - { name: East, type: run-command-line, with: { command: echo }, when: { all: [{ variable: Wing, equals: east }, { hardware: serialNumber, equals: S18 }] } }\n  - { name: Lyon, type: run-command-line, with: { command: echo }, when: { variable: Branch, equals: Lyon } }\n${last}`;
  await writeFile(path, other(""));
  const found = await cli(["sequence", "simulate", path, "--record", "PC-18", "--media", mediaId, "--data", data]);
  assert.equal(found.exitCode, 0);
  const lines = found.stdout.split("\n");
  const plan = await at<{ content: { objectId: string; state: string; bytes: number }[] }>("sequence", "simulate", path, "--record", "PC-18", "--media", mediaId);
  assert.deepEqual(plan.content.map(({ objectId, state, bytes }) => [objectId, state, bytes > 0]), [[held.id, "hit", false], [revised.id, "revised", true], [missing.id, "missing", true]]);
  for (const line of [`        package ${held.id} Held: hit`, 'run   East (run-command-line): all conditions hold', '?     Lyon (run-command-line): depends on Branch, set by the step "Out" at run time', '        sets Wing = "east"', "        sets when it runs: Branch"]) assert.ok(lines.includes(line), `${line}\n${found.stdout}`);
  assert.match(found.stdout, /^ {8}package \S+ Missing: missing, \S+ \S+ to fetch$/m);
  assert.match(found.stdout, /^3 pieces of content: 1 hit, 1 revised, 1 missing; \S+ \S+ to fetch$/m);
  await writeFile(path, other(install("Gone", "%Gone%") + install("After", held.id)));
  const gone = await cli(["sequence", "simulate", path, "--record", "PC-18", "--data", data]);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stdout, /^FAIL {2}Gone \(install-package\): would fail: it names ABC0FFFF; the site has no such object$/m);
  assert.match(gone.stdout, /^Not come to: After$/m);
});

test("a record's simulation has what the site would give the device: of the deployment it would run, of its collections, of its media; secrets by their names alone", async () => {
  const path = join(folder, "given.yaml");
  await writeFile(path, "name: Given\nsteps:\n  - { name: Boot, type: restart }\n  - { name: Say, type: run-command-line, with: { command: 'echo %Where% %TSDebugMode% %_SMSTSAdvertID%' }, secrets: [JOIN] }\n  - { name: Late, type: run-command-line, with: { command: 'true' }, secrets: [NOBODYS], continueOnError: true }\n  - { name: Chassis, type: run-command-line, with: { command: 'true' }, when: { hardware: chassis, equals: 10 } }\n");
  const { id } = await at<{ id: string }>("sequence", "add", path);
  const device = await at<{ id: string }>("device", "add", "--name", "PC-19", "--serial-number", "S19");
  const collection = async (name: string, value: string) => (await at<{ id: string }>("collection", "create", "--name", name, "--member", device.id, "--variable", `Where=${value}`)).id;
  const [north, south] = [await collection("North", "north"), await collection("South", "south")];
  const none = await cli(["sequence", "simulate", id, "--record", "PC-19", "--data", data]);
  assert.match(none.stdout, /^No deployment of this sequence reaches PC-19\nIt was staged from no media yet/);
  const deploy = async (...more: string[]) => (await at<{ id: string }>("deployment", "create", "--task-sequence", id, "--device", device.id, ...more)).id;
  const hidden = await deploy("--make-available-to", "MediaAndPxeHidden");
  const shown = await deploy();
  assert.equal((await cli(["secret", "set", "--device", device.id, "JOIN", "--data", data], undefined, "hunter2\n")).exitCode, 0);
  type Told = { deployments: { id: string; offered: string; why?: string }[]; steps: { name: string; action: string; wouldFail?: string; secrets: object[]; variables: { name: string; value: string; of?: string }[] }[] };
  const told = await at<Told>("sequence", "simulate", id, "--record", "PC-19");
  assert.deepEqual(told.deployments.map((one) => [one.id, one.offered]), [[shown, "available"], [hidden, "no"]]);
  const [, say, late, chassis] = told.steps;
  assert.deepEqual(say?.variables.map(({ name, value, of }) => [name, value, of]), [["Where", "south", `South (${south})`], ["TSDebugMode", undefined, undefined], ["_SMSTSAdvertID", shown, undefined]]);
  assert.deepEqual([say?.secrets, late?.action, late?.wouldFail, chassis?.action], [[{ name: "JOIN", source: "device" }], "fails", "it asks for the secret NOBODYS; neither the device nor its deployment nor its collections have one", "depends"]);
  const chosen = await cli(["sequence", "simulate", id, "--record", "PC-19", "--deployment", hidden, "--data", data]);
  for (const line of [`Deployment ${hidden} (available; not offered now: it is hidden: only media that names it (SMSTSPreferredAdvertID) is offered it)`, "Hidden, by their names alone: JOIN (device)", "        secret JOIN (device)", `        %Where% = "south" (collection South (${south}), in place of "north" of collection North (${north}))`]) assert.ok(chosen.stdout.split("\n").includes(line), `${line}\n${chosen.stdout}`);
  assert.ok(!chosen.stdout.includes("hunter2"));
  const other = await cli(["sequence", "simulate", id, "--record", "PC-19", "--deployment", "ABC2FFFF", "--data", data, "--json"]);
  assert.equal((other.json as { error: { code: string } }).error.code, "PRESTAGE_SITE_NOT_OFFERED");
  assert.equal(((await cli(["sequence", "simulate", id, "--deployment", shown, "--data", data, "--json"])).json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT");
});

test("a child sequence is in its parent, with its content; a new revision of it makes one of the parent", async () => {
  const extra = await at<{ id: string }>("package", "import", await tree("extra", { "a.txt": "extra" }), "--name", "Extra", "--program", "Run=true");
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const child = await at<{ id: string }>("sequence", "add", await write("child.yaml", "name: Child\nsteps:\n  - { name: Say, type: run-command-line, with: { command: echo } }\n"));
  const parentText = await write("parent.yaml", `name: Parent\nsteps:\n  - { name: Restart, type: restart }\n  - { name: Common, type: run-task-sequence, with: { taskSequence: ${child.id} } }\n`);
  const parent = await at<{ id: string; sha256: string }>("sequence", "add", parentText);
  await at("sequence", "add", await write("child.yaml", `name: Child\nsteps:\n  - { name: Part, type: install-package, with: { package: ${extra.id}, program: Run } }\n`));
  const listed = await at<{ id: string; revision: number; sha256: string }[]>("sequence", "list");
  const renewed = listed.find((one) => one.id === parent.id);
  assert.ok(renewed?.revision === 2 && renewed.sha256 !== parent.sha256, JSON.stringify(listed));
  const { mediaId } = await at<{ mediaId: string }>("media", "create", "--task-sequence", parent.id, "-o", join(folder, "parent.wim"));
  assert.ok((await at<{ objectId: string }[]>("media", "plan", mediaId)).some((one) => one.objectId === extra.id), "what the child names is on the media");
  const { steps } = await at<{ steps: { id: string; action: string }[] }>("sequence", "simulate", parentText);
  assert.deepEqual(steps.map((one) => [one.id, one.action]), [["restart", "runs"], ["common", "group"], ["common.part", "runs"], ["common", "group-ends"]]);
  assert.deepEqual((await at<Found>("sequence", "lint", parent.id)).findings, []);
  const circle = await cli(["sequence", "add", await write("child.yaml", `name: Child\nsteps:\n  - { name: Parent, type: run-task-sequence, with: { taskSequence: ${parent.id} } }\n`), "--data", data, "--json"]);
  assert.equal((circle.json as { error: { code: string } }).error.code, "PRESTAGE_SEQUENCE_CHILD");
});

test("two sequences are compared step by step, files and the site's", async () => {
  const older = join(folder, "older.yaml");
  const newer = join(folder, "newer.yaml");
  await writeFile(older, "name: D\nsteps:\n  - { name: Say, type: run-command-line, with: { command: echo one } }\n  - { name: Restart, type: restart }\n");
  await writeFile(newer, "# a comment\nname: D\nsteps:\n  - { name: Say, type: run-command-line, with: { command: echo two } }\n  - { name: Last, type: restart }\n");
  const { id } = await at<{ id: string }>("sequence", "add", older);
  for (const from of [older, id]) {
    const found = await cli(["sequence", "diff", from, newer, "--data", data]);
    assert.deepEqual([found.exitCode, found.stdout], [1, 'changed  Say\n           with.command: "echo one" -> "echo two"\nadded    Last\nremoved  Restart\n']);
  }
  assert.deepEqual([(await cli(["sequence", "diff", older, id, "--data", data])).stdout, (await cli(["sequence", "diff", older, older])).exitCode], ["no differences\n", 0]);
});

test("added, what lint finds is said; with --strict it is not added; exported, it is the text with its comments, and its content beside it", async () => {
  const tool = await at<{ id: string }>("package", "import", await tree("tool-2", { "b.txt": "b" }), "--name", "Tool 2", "--program", "Run=true");
  const path = join(folder, "commented.yaml");
  await writeFile(path, `# why it is so\nname: Commented\nsteps:\n  - { name: Restart, type: restart } # first\n  - { name: Tool, type: install-package, with: { package: ${tool.id}, program: Run } }\n  - { name: Off, type: run-command-line, with: { command: "reboot" } }\n`);
  const strict = await cli(["sequence", "add", path, "--strict", "--data", data, "--json"]);
  assert.equal((strict.json as { error: { code: string } }).error.code, "PRESTAGE_CLI_LINT");
  const added = await cli(["sequence", "add", path, "--data", data]);
  assert.match(added.stderr, /command-restarts-by-itself/);
  const id = /^[A-Z0-9]{8}/.exec(added.stdout)?.[0] ?? "";
  const [text, content] = [join(folder, "exported.yaml"), join(folder, "exported.wim")];
  assert.equal((await cli(["sequence", "export", id, "-o", text, "--content", content, "--data", data])).exitCode, 0);
  assert.equal(await readFile(text, "utf8"), `# ${id} revision 1\n${await readFile(path, "utf8")}`);
  assert.ok((await stat(content)).size > 0);
  assert.equal((await cli(["sequence", "export", id, "-o", text, "--data", data])).exitCode, 1, "no file is overwritten");
});

test("an exported text knows its revision: somebody else's change is not lost in it; elsewhere the line says nothing", async () => {
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const first = await at<{ id: string; yaml: string }>("sequence", "add", await write("edited.yaml", "name: Edited\nsteps:\n  - { name: One, type: restart }\n"));
  const exported = join(folder, "edited-by-me.yaml");
  await at("sequence", "export", first.id, "-o", exported);
  const mine = (await readFile(exported, "utf8")).replace("One", "Mine");
  await writeFile(exported, mine);
  await at("sequence", "add", await write("edited.yaml", "name: Edited\nsteps:\n  - { name: Theirs, type: restart }\n"));
  const code = async (...args: string[]) => ((await cli(["sequence", "add", ...args, "--data", data, "--json"])).json as { error?: { code: string } }).error?.code;
  assert.equal(await code(exported), "PRESTAGE_SITE_REVISION_OLD");
  assert.equal(await code(exported, "--based-on", "2"), undefined, "said by hand, once it was looked at");
  assert.equal(await code(exported, "--update", first.id, "--based-on", "2"), "PRESTAGE_SITE_REVISION_OLD");
  assert.equal(await code(await write("other.yaml", mine.replace("name: Edited", "name: Another")), "--based-on", "1"), "PRESTAGE_CLI_BAD_ARGUMENT");
  const other = await at<{ id: string; yaml: string }>("sequence", "add", join(folder, "other.yaml"));
  assert.notEqual(other.id, first.id);
  assert.doesNotMatch(other.yaml, /revision/, "the line is not kept");
  assert.equal(await code(join(folder, "other.yaml")), undefined);
});

test("steps are found by what they say, and a sequence is copied under another name", async () => {
  const path = join(folder, "found.yaml");
  await writeFile(path, "# kept\nname: Found here\nsteps:\n  - { name: Say Grüß Gott, type: run-command-line, with: { command: 'echo %Greeting%' }, continueOnError: true }\n  - { name: Restart, type: restart }\n");
  const { id } = await at<{ id: string }>("sequence", "add", path);
  const found = await at<{ sequenceId: string; name: string; scopes: string[] }[]>("sequence", "find", "greeting", "--scope", "variable");
  assert.deepEqual(found.map((one) => [one.sequenceId, one.name, one.scopes]), [[id, "Say Grüß Gott", ["variable"]]]);
  const copy = await at<{ id: string; yaml: string; name: string }>("sequence", "copy", id, "--name", "Found: there");
  assert.deepEqual([copy.name, copy.yaml.startsWith("# kept\nname: \"Found: there\"\n")], ["Found: there", true]);
  assert.deepEqual((await at<{ sequenceId: string }[]>("sequence", "find", "", "--continue-on-error")).map((one) => one.sequenceId).slice(-2), [id, copy.id]);
  assert.equal((await cli(["sequence", "find", "no such text anywhere", "--data", data])).exitCode, 1);
  for (const args of [["copy", id, "--name", "Found here"], ["find", "x", "--sequence", "ABC0FFFF"]]) assert.equal(((await cli(["sequence", ...args, "--data", data, "--json"])).json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT", args.join(" "));
});

test("run on a system in a folder: variables, content, secrets; a restart and a second start go on where it was; a changed sequence is refused", async () => {
  const root = join(folder, "system");
  const tool = await at<{ id: string }>("package", "import", await tree("tool-3", { "c.txt": "of the package" }), "--name", "Tool 3", "--program", "Say=cat c.txt");
  const path = join(folder, "try.yaml");
  const write = (last: string) => writeFile(path, `name: Try\nsteps:\n  - { name: Say, type: install-package, with: { package: ${tool.id}, program: Say } }\n  - { name: Count, type: run-command-line, with: { command: "echo x >> ${root}/count; exit 194", restartCodes: [194] } }\n  - { name: Secret, type: run-command-line, with: { command: 'test "$JOIN" = hunter22 && echo role %Role% $JOIN' }, secrets: [JOIN] }\n${last}`);
  await write("");
  process.env["PRESTAGE_SECRET_JOIN"] = "hunter22";
  const run = () => cli(["sequence", "run", path, "--root", root, "--variable", "Role=desk", "--content", `${tool.id}=${join(folder, "tool-3")}`, "--data", data]);
  const first = await run();
  assert.deepEqual([first.exitCode, /of the package/.test(first.stdout), /Restart this computer/.test(first.stdout)], [3, true, true], first.stderr);
  // The agent starts again in the same start of the machine: the restart is still to come.
  assert.equal((await run()).exitCode, 3);
  const journal = join(root, "var/lib/prestage/sequence-run/journal");
  const text = await readFile(journal, "utf8");
  assert.ok(!text.includes("hunter22") && text.includes("step-finished"));
  assert.equal(await readFile(join(root, "count"), "utf8"), "x\n");
  await write("  - { name: More, type: restart }\n");
  const changed = await run();
  assert.deepEqual([changed.exitCode, /PRESTAGE_AGENT_STATE_DAMAGED/.test(changed.stderr)], [1, true]);
});
