import assert from "node:assert/strict";
import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, rename, rmdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import type { Step } from "@prestage/sequence";
import { makeRunFixture } from "../../fixtures/run-fixture.ts";
import { Journal } from "../../journal/journal.ts";
import { runSequence } from "../../run/run-sequence.ts";
import { placeOfFolder } from "../network-folders.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const passwd = (more: string) => `root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534::/home/nobody:/bin/sh\n${more}`;

/** Runs steps on a system of a folder. */
async function run(environment: "boot" | "installed", steps: Partial<Step>[], dataRoot?: string) {
  const fixture = await makeRunFixture([...steps.map((step) => ({ ...step, continueOnError: true })), { type: "run-command-line", with: { command: "exit 1" } }]);
  const root = dataRoot ?? fixture.folder;
  return {
    root,
    go: async () => {
      const context = await fixture.context({ environment, dataRoot: root });
      await runSequence(context, { bootId: "1", machine });
      await context.status.flush();
      const { events } = await Journal.open(join(fixture.folder, "prestage/state/journal"));
      return {
        outcomes: fixture.kept.filter((message) => message.kind === "step-finished").slice(0, steps.length).map((message) => message.error?.code ?? message.outcome),
        variables: events.flatMap((event) => (event.kind === "variable-set" ? [[event.name, event.value]] : [])),
      };
    },
  };
}

async function makeSystem(root: string, users: string): Promise<void> {
  await mkdir(join(root, "etc"), { recursive: true });
  await mkdir(join(root, "home"), { recursive: true });
  await writeFile(join(root, "etc/passwd"), passwd(users));
  await writeFile(join(root, "etc/group"), "root:x:0:\n");
  await writeFile(join(root, "etc/shadow"), "root:*:19000::::::\n");
  await writeFile(join(root, "etc/login.defs"), "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n");
}

test("homes are captured in the boot environment and put back in another system under its own numbers; what that has already stays", async () => {
  const old = await run("boot", [{ type: "request-state-store", with: { action: "capture", store: "local" } }, { type: "capture-user-state", with: { exclude: ["/.cache", "*.iso"] } }]);
  await makeSystem(old.root, "ann:x:1000:1000::/home/ann:/bin/bash\nbo:x:1001:1001::/home/bo:\nlink:x:1002:1002::/home/link:/bin/sh\ngone:x:1003:1003::/home/gone:/bin/sh\n");
  const ann = join(old.root, "home/ann");
  await mkdir(join(ann, "Documents"), { recursive: true });
  await mkdir(join(ann, ".cache"));
  await mkdir(join(old.root, "home/bo"));
  for (const [path, text] of [["Documents/letter", "dear"], [".cache/x", "x"], ["disk.iso", "iso"], ["tool", "#!/bin/sh\n"]] as const) await writeFile(join(ann, path), text);
  await symlink("../../etc/shadow", join(ann, "escape"));
  await symlink("ann", join(old.root, "home/link"));
  await chown(join(ann, "Documents/letter"), 1000, 1000);
  await chmod(join(ann, "Documents/letter"), 0o600);
  await chmod(join(ann, "tool"), 0o4755);
  await runProgram("mknod", [join(ann, "Documents/null"), "c", "1", "3"]);
  await runProgram("mkfifo", [join(ann, "pipe")]);
  const store = join(old.root, "prestage/user-state");
  const captured = await old.go();
  assert.deepEqual(captured, { outcomes: ["succeeded", "succeeded"], variables: [["OSDStateStorePath", store]] });
  assert.deepEqual((await readdir(store)).toSorted(), ["user-state.json", "user-state.wim"]);
  assert.deepEqual([(await stat(store)).mode & 0o777, (await stat(join(store, "user-state.wim"))).mode & 0o777], [0o700, 0o600]);
  assert.deepEqual([(await stat(join(store, "user-state.json"))).mode & 0o777, (JSON.parse(await readFile(join(store, "user-state.json"), "utf8")) as { users: { name: string }[] }).users.map((user) => user.name)], [0o600, ["ann", "bo"]]);

  const steps = [{ type: "request-state-store", with: { action: "restore", store } }, { type: "restore-user-state" }];
  const first = await run("installed", steps);
  await makeSystem(first.root, "ann:x:1007:1007::/home/ann:/bin/bash\nother:x:1001:1001::/home/other:/bin/sh\n");
  const home = join(first.root, "home/ann");
  await mkdir(join(home, ".ssh"), { recursive: true });
  await mkdir(join(home, "Documents"));
  await writeFile(join(home, ".ssh/authorized_keys"), "key");
  await writeFile(join(home, "Documents/new"), "new", { mode: 0o640 });
  await mkdir(join(home, "Documents/news"));
  await writeFile(join(home, "Documents/news/today"), "today");
  await writeFile(join(home, "Documents/letter"), "the new system's");
  await mkdir(join(home, "escape"));
  await writeFile(join(home, "escape/passwd"), "a folder where a link was captured");
  // What a program leaves in a home.
  await runProgram("mkfifo", [join(home, "Documents/fifo")]);
  assert.deepEqual((await first.go()).outcomes, ["succeeded", "succeeded"]);
  // Cut between the two renames, with a half-made home beside: done again.
  await rename(home, join(first.root, "home/.prestage-former-ann"));
  await mkdir(join(first.root, "home/.prestage-restored-ann/half"), { recursive: true });
  assert.deepEqual((await (await run("installed", steps, first.root)).go()).outcomes, ["succeeded", "succeeded"]);
  assert.deepEqual((await readdir(join(first.root, "home"))).toSorted(), ["ann", "bo"]);
  assert.deepEqual((await readdir(home, { recursive: true })).toSorted(), [".ssh", ".ssh/authorized_keys", "Documents", "Documents/letter", "Documents/new", "Documents/news", "Documents/news/today", "escape", "tool"]);
  const letter = await stat(join(home, "Documents/letter"));
  assert.deepEqual([await readFile(join(home, "Documents/letter"), "utf8"), await readFile(join(home, "Documents/news/today"), "utf8"), (await stat(join(home, "Documents/new"))).mode & 0o777, (await stat(join(home, "Documents/new"))).uid], ["dear", "today", 0o640, 1007]);
  assert.deepEqual([letter.uid, letter.gid, letter.mode & 0o7777, (await lstat(join(home, "escape"))).uid, (await stat(join(home, "tool"))).mode & 0o7777], [1007, 1007, 0o600, 1007, 0o755]);
  assert.equal(await readlink(join(home, "escape")), "../../etc/shadow");
  // Her number was taken.
  const bo = (await readFile(join(first.root, "etc/passwd"), "utf8")).split("\n").find((line) => line.startsWith("bo:"))?.split(":") ?? [];
  assert.deepEqual([bo[2] === "1001", bo[5], (await stat(join(first.root, "home/bo"))).uid], [false, "/home/bo", Number(bo[2])]);

  const end = await run("installed", [...steps.slice(0, 1), { type: "release-state-store", with: { remove: "true" } }, { type: "restore-user-state" }, { type: "release-state-store", with: { remove: true } }], first.root);
  const released = await end.go();
  assert.deepEqual(released, { outcomes: ["succeeded", "succeeded", "PRESTAGE_AGENT_NO_STATE_STORE", "succeeded"], variables: [["OSDStateStorePath", store], ["OSDStateStorePath", ""], ["OSDStateStorePath", ""]] });
  assert.deepEqual(await readdir(store), []);
  const lost = await run("installed", [{ type: "set-variable", with: { name: "OSDStateStorePath", value: join(store, "gone") } }, { type: "release-state-store", with: { remove: true } }, { type: "release-state-store" }], first.root);
  assert.deepEqual((await lost.go()).outcomes, ["succeeded", "PRESTAGE_AGENT_NO_STATE_STORE", "succeeded"], "what was captured is not deleted where its store is not there");
});

test("a store at the site is none yet; nothing is restored from one that was altered, or where nothing was requested", async () => {
  const system = await run("installed", [
    { type: "capture-user-state" }, { type: "request-state-store", with: { action: "capture" } }, { type: "request-state-store", with: { action: "restore", store: "local" } }, { type: "request-state-store", with: { action: "capture", store: "/a/../b" } },
    { type: "request-state-store", with: { action: "capture", store: "local" } }, { type: "capture-user-state", with: { users: ["nobody-here"] } }, { type: "capture-user-state" },
  ]);
  await makeSystem(system.root, "ann:x:1000:1000::/home/ann:/bin/bash\n");
  await mkdir(join(system.root, "home/ann"));
  await writeFile(join(system.root, "home/ann/file"), "text");
  assert.deepEqual((await system.go()).outcomes, ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED", "PRESTAGE_AGENT_STEP_INVALID", "succeeded", "PRESTAGE_AGENT_STEP_INVALID", "succeeded"]);
  const wim = join(system.root, "prestage/user-state/user-state.wim");
  const bytes = await readFile(wim);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(wim, bytes);
  const restore = [{ type: "request-state-store", with: { action: "restore", store: "local" } }, { type: "restore-user-state" }];
  assert.deepEqual((await (await run("installed", restore, system.root)).go()).outcomes, ["succeeded", "PRESTAGE_AGENT_STATE_STORE_DAMAGED"]);
  const list = join(system.root, "prestage/user-state/user-state.json");
  await writeFile(list, (await readFile(list, "utf8")).replace("/home/ann", "/home/../etc"));
  assert.deepEqual((await (await run("installed", restore, system.root)).go()).outcomes, ["PRESTAGE_AGENT_STATE_STORE_DAMAGED", "PRESTAGE_AGENT_NO_STATE_STORE"]);
});

test("the place of a file server's folder that is not mounted is no store: nothing is written or made there", async () => {
  const place = placeOfFolder("//files.example.org/user states of a test");
  const store = join(place, "ann");
  const steps: Partial<Step>[] = [
    { type: "request-state-store", with: { action: "capture", store } }, { type: "request-state-store", with: { action: "restore", store: `/var${store}` } },
    { type: "set-variable", with: { name: "OSDStateStorePath", value: place } }, { type: "capture-user-state" }, { type: "restore-user-state" },
  ];
  const lost = await run("installed", steps);
  await makeSystem(lost.root, "ann:x:1000:1000::/home/ann:/bin/bash\n");
  await mkdir(join(lost.root, "home/ann"));
  const none = "PRESTAGE_AGENT_NO_STATE_STORE";
  assert.deepEqual((await lost.go()).outcomes, [none, none, "succeeded", none, none]);
  await assert.rejects(lstat(place), { code: "ENOENT" });
  await mkdir(place, { recursive: true, mode: 0o700 });
  try {
    assert.deepEqual((await (await run("installed", steps, lost.root)).go()).outcomes, [none, none, "succeeded", none, none], "a folder that a mount has left behind");
    assert.deepEqual(await readdir(place), []);
    await runProgram("mount", ["-t", "tmpfs", "none", place]);
    try {
      assert.deepEqual((await (await run("installed", [...steps.slice(0, 1), { type: "capture-user-state" }], lost.root)).go()).outcomes, ["succeeded", "succeeded"]);
    } finally {
      await runProgram("umount", [place]);
    }
  } finally {
    await rmdir(place);
  }
});

test("who is in which local group is kept, and put back where the user is known; groups are made, nobody is taken out", async () => {
  const old = await run("boot", [{ type: "capture-local-groups" }, { type: "request-state-store", with: { action: "capture", store: "local" } }, { type: "capture-local-groups" }]);
  await makeSystem(old.root, "ann:x:1000:1000::/home/ann:/bin/bash\nbo:x:1001:1001::/home/bo:/bin/sh\n");
  await writeFile(join(old.root, "etc/group"), "root:x:0:\nann:x:1000:\nsudo:x:27:ann,root,bo\ndrawings:x:1500:ann\nold:x:99:bo\ntaken:x:1600:ann\nmail:x:8:daemon\nbad name:x:5:ann\n");
  assert.deepEqual((await old.go()).outcomes, ["PRESTAGE_AGENT_NO_STATE_STORE", "succeeded", "succeeded"]);
  const store = join(old.root, "prestage/user-state");
  const list = join(store, "local-groups.json");
  assert.deepEqual((JSON.parse(await readFile(list, "utf8")) as { groups: { name: string; members: string[] }[] }).groups.map(({ name, members }) => [name, ...members]), [["sudo", "ann", "bo"], ["drawings", "ann"], ["old", "bo"], ["taken", "ann"]]);
  const restored = (more: Record<string, string | boolean | string[]>) => [{ type: "restore-local-groups", with: { store, ...more } }];
  const fresh = await run("installed", restored({ createGroups: false, groups: ["drawings", "sudo"] }));
  await makeSystem(fresh.root, "ann:x:1007:1007::/home/ann:/bin/bash\ncy:x:1008:1008::/home/cy:/bin/sh\n");
  await writeFile(join(fresh.root, "etc/group"), "root:x:0:\nann:x:1007:\nsudo:x:27:cy\nother:x:1600:\n");
  const groups = async () => (await readFile(join(fresh.root, "etc/group"), "utf8")).trim().split("\n").map((line) => line.split(":"));
  assert.deepEqual((await fresh.go()).outcomes, ["succeeded"]);
  assert.deepEqual((await groups()).map(([name, , , members]) => [name, members]), [["root", ""], ["ann", ""], ["sudo", "cy,ann"], ["other", ""]]);
  for (let i = 0; i < 2; i++) assert.deepEqual((await (await run("installed", restored({}), fresh.root)).go()).outcomes, ["succeeded"]);
  const made = await groups();
  assert.deepEqual(made.map(([name, , , members]) => [name, members]), [["root", ""], ["ann", ""], ["sudo", "cy,ann"], ["other", ""], ["drawings", "ann"], ["old", ""], ["taken", "ann"]]);
  assert.deepEqual(made.filter(([name = ""]) => ["drawings", "taken"].includes(name)).map(([, , number]) => number === "1500"), [true, false], "a number that is taken is another's");
  await writeFile(list, (await readFile(list, "utf8")).replace('"ann"', '"ann,root:x"'));
  assert.deepEqual((await (await run("installed", restored({}), fresh.root)).go()).outcomes, ["PRESTAGE_AGENT_STATE_STORE_DAMAGED"]);
});

test("the deployment's record is read back by a shell as it was said", async () => {
  const system = await run("installed", [{ type: "record-deployment", with: { taskSequenceName: 'It\'s "ours" $(id) `x` \\', more: { ImageVersion: "2026.11" } } }, { type: "record-deployment", with: { more: { Bad: "two\nlines" } } }]);
  await makeSystem(system.root, "");
  assert.deepEqual((await system.go()).outcomes, ["succeeded", "PRESTAGE_AGENT_STEP_INVALID"]);
  const { output } = await runProgram("sh", ["-c", '. "$1"; printf "%s|%s|%s|%s" "$PRESTAGE_TASK_SEQUENCE_NAME" "$PRESTAGE_IMAGE_VERSION" "$PRESTAGE_DEPLOYMENT" "$PRESTAGE_TIME"', "sh", join(system.root, "etc/prestage-deployment")]);
  const [name, version, deployment = "", time = ""] = output.split("|");
  assert.deepEqual([name, version, /^[A-Z0-9]{8}$/.test(deployment), Number.isNaN(Date.parse(time))], ['It\'s "ours" $(id) `x` \\', "2026.11", true, false]);
});
