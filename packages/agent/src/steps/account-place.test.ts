import assert from "node:assert/strict";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const asRoot = userInfo().uid === 0 ? {} : { skip: "only root can become another account" };
const account = { name: "nobody" };
const run = (command: string, more: Record<string, unknown> = {}) => ({ type: "run-command-line", with: { command, account, ...more }, continueOnError: true });

/** Runs steps, each going on after a failure, and returns what each said. */
async function outcomesOf(steps: Parameters<typeof makeRunFixture>[0], environment: "boot" | "installed" = "installed", content: Parameters<typeof makeRunFixture>[1] = [contentOf("ABC00007", { kind: "package", programs: [] })]) {
  const fixture = await makeRunFixture([...steps, { type: "run-command-line", with: { command: "exit 1" } }], content);
  await chmod(fixture.folder, 0o711);
  await mkdir(join(fixture.folder, "prestage"), { mode: 0o700 });
  const folder = join(fixture.folder, "content/ABC00007");
  await mkdir(join(folder, "bin"), { recursive: true });
  await chmod(join(fixture.folder, "content"), 0o700);
  await writeFile(join(folder, "bin/tool"), "#!/bin/sh\necho \"tool $*\"\n", { mode: 0o700 });
  await writeFile(join(folder, "data"), "of the package\n", { mode: 0o600 });
  await runSequence(await fixture.context({ environment, variables: [{ name: "Branch", value: "Lyon", source: "device" }] }), { bootId: "1", machine });
  await (await fixture.context({ environment })).status.flush();
  const told = fixture.kept.filter((message) => message.kind === "step-finished").slice(0, steps.length);
  return { fixture, told: told.map((one) => ({ code: one.error?.code ?? one.outcome, output: one.outputTail ?? "", message: one.error?.message ?? "" })) };
}

test("a command runs as the account, with its home and its groups, out of a copy of the package that it can read and not change; nothing is left", asRoot, async () => {
  const { fixture, told } = await outcomesOf([
    run("id -un; id -gn; echo $HOME $USER $LOGNAME; pwd | sed 's/step-[^/]*/step/'; cat data; bin/tool a", { package: "ABC00007" }),
    run("echo x > data; rm data; echo y >> bin/tool; ls", { package: "ABC00007", workingFolder: "bin" }),
    { type: "run-script", with: { account, script: 'echo "$1"; id -un', parameters: ["it's"] } },
    { type: "run-script", with: { account, language: "javascript", script: "console.log(process.getuid() !== 0, process.argv[2]);", parameters: ["x"] } },
    { type: "run-script", with: { account, package: "ABC00007", file: "bin/tool", parameters: ["b"] } },
    { type: "run-script", with: { account, package: "ABC00007", script: "pwd | sed 's,.*/step-[^/]*,,'", workingFolder: "bin" } },
  ]);
  assert.match(told[0]?.output ?? "", /^nobody\nnogroup\n\/\S+ nobody nobody\n\S+\/var\/lib\/prestage-accounts\/step\/package\nof the package\ntool a$/);
  assert.ok(told[1]?.output.includes("Permission denied") && !/^y$/m.test(told[1].output) && told[1].output.endsWith("tool"), told[1]?.output);
  assert.deepEqual(told.slice(2).map((one) => one.output), ["it's\nnobody", "true x", "tool b", "/package/bin"]);
  assert.deepEqual((await readdir(join(fixture.folder, "var/lib"))), []);
});

test("the account reaches nothing of the agent's: not its folder, not the original package, not another step's place", asRoot, async () => {
  const { told } = await outcomesOf([
    run("cd ../../../../.. && ls prestage content; ls content/ABC00007; ls -la var/lib/prestage-accounts", { package: "ABC00007" }),
    run("true", { workingFolder: "/root" }),
  ]);
  assert.equal(told[0]?.output.match(/Permission denied/g)?.length, 4, told[0]?.output);
  assert.match(told[1]?.message ?? "", /can't cd to \/root/);
});

test("prestage-variable reads and sets variables for the account; a file it lays in the place of theirs is not read", asRoot, async () => {
  const { told, fixture } = await outcomesOf([
    run('prestage-variable Greeting "hello $(prestage-variable branch)"'),
    { type: "run-command-line", with: { command: "echo %Greeting%" } },
    // It owns the folder around: it can put another there, and only fools itself.
    run('d=$(dirname $(dirname $PRESTAGE_VARIABLES)); chmod 700 $d; mv $d/variables-* $d/old; mkdir -p "$(dirname $PRESTAGE_VARIABLES)"; ln -s /etc/shadow $PRESTAGE_VARIABLES; ls -l $PRESTAGE_VARIABLES'),
    run("prestage-variable _SMSTSPackageName other"),
    run("head -c 1100000 /dev/zero | tr '\\0' x >> $PRESTAGE_VARIABLES"),
  ]);
  assert.equal(told[1]?.output, "hello Lyon");
  assert.ok(told[2]?.code === "succeeded" && told[2].output.includes("/etc/shadow"), told[2]?.output);
  assert.deepEqual(told.slice(3).map((one) => one.code), ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID"]);
  assert.match(told[4]?.message ?? "", /more than 1048576 bytes/);
  assert.ok(!fixture.logged.join("\n").includes("root:"));
});

test("an account that is not there, or a number, is refused by its code; so is every account in the boot environment", asRoot, async () => {
  const { told } = await outcomesOf([run("true", { account: { name: "nobody-of-that-name" } }), run("true", { account: { name: "0" } })]);
  assert.deepEqual(told.map((one) => one.code), ["PRESTAGE_AGENT_ACCOUNT_UNKNOWN", "PRESTAGE_AGENT_ACCOUNT_UNKNOWN"]);
  const boot = await outcomesOf([run("true"), { type: "run-script", with: { script: "true", account }, continueOnError: true }], "boot");
  assert.deepEqual(boot.told.map((one) => one.code), ["PRESTAGE_AGENT_STEP_ENVIRONMENT", "PRESTAGE_AGENT_STEP_ENVIRONMENT"]);
});

test("what an interrupted step left is removed by the next; a step that runs out of time leaves nothing", asRoot, async () => {
  const fixture = await makeRunFixture([run("sleep 600", { timeoutSeconds: 1 }), run("ls -A ..")]);
  await chmod(fixture.folder, 0o711);
  await mkdir(join(fixture.folder, "var/lib/prestage-accounts/step-old/package"), { recursive: true });
  await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine });
  assert.deepEqual(await readdir(join(fixture.folder, "var/lib")), []);
});
