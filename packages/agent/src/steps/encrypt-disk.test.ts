import assert from "node:assert/strict";
import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { mountExt4, runProgram, unmount } from "@prestage/disk";
import { withLoopDisk } from "../fixtures/loop-disk.ts";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { withCrypttabLine } from "./encrypt-disk.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const passphrase = "recovery of the site";

async function run(disk: string, partitions: string[], settings: Record<string, unknown>, folder?: string) {
  const fixture = await makeRunFixture([{ type: "encrypt-disk", with: { disk, partition: 3, passphrase: { secret: "RECOVERY" }, mountPoint: "/srv/data", name: "prestagetest", ...settings } }, { type: "run-command-line", with: { command: "exit 1" } }]);
  const context = await fixture.context({
    environment: "installed", ...(folder !== undefined && { dataRoot: folder }), disk: { device: disk, espPartition: partitions[0] ?? "", espGuid: "", dataPartition: partitions[1] ?? "", dataGuid: "", dataFileSystemUuid: "" },
    secrets: { open: async () => ({ RECOVERY: passphrase }) },
  });
  await runSequence(context, { bootId: "1", machine });
  await context.status.flush();
  const finished = fixture.kept.find((message) => message.kind === "step-finished");
  assert.ok(![JSON.stringify(fixture.kept), ...fixture.logged, ...fixture.events].join("\n").includes(passphrase));
  return { root: folder ?? fixture.folder, outcome: finished?.error?.code ?? finished?.outcome, message: finished?.error?.message ?? "" };
}

test("the deployment's own partitions and one in use are never encrypted; a literal passphrase is refused", async () => {
  await withLoopDisk(60, [10, 10, 36], async (disk, partitions) => {
    for (const partition of [1, 2]) assert.equal((await run(disk, partitions, { partition })).outcome, "PRESTAGE_AGENT_DISK_PROTECTED");
    assert.equal((await run(disk, partitions, { passphrase })).outcome, "PRESTAGE_AGENT_STEP_INVALID");
    assert.equal((await run(disk, partitions, { mountPoint: "/usr/data" })).outcome, "PRESTAGE_DISK_BAD_SETTING");
    const [, , free = ""] = partitions;
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", free]);
    const { root } = await run(disk, partitions, { partition: 1 });
    const place = join(root, "place");
    await mountExt4(free, place);
    assert.equal((await run(disk, partitions, {})).outcome, "PRESTAGE_AGENT_DISK_PROTECTED");
    await unmount(place);
    await runProgram("cryptsetup", ["luksFormat", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-", free], { input: "somebody's" });
    assert.equal((await run(disk, partitions, {})).outcome, "PRESTAGE_DISK_ENCRYPTED");
  });
});

test("the volume is made, opened, kept with what is in it when the step is run again, and never opened without a key", async (t) => {
  // A kernel without device-mapper makes the volume but cannot open it: the step says so, and leaves it marked as unfinished.
  const canOpen = (await runProgram("dmsetup", ["targets"], { accept: [0, 1] })).exitCode === 0;
  await withLoopDisk(60, [10, 10, 36], async (disk, partitions) => {
    const first = await run(disk, partitions, {});
    const key = join(first.root, "etc/cryptsetup-keys.d/prestagetest.key");
    assert.deepEqual([(await stat(key)).mode & 0o777, (await readFile(key, "utf8")).length], [0o600, 64]);
    const label = async () => /^Label:\s*(\S+)/m.exec((await runProgram("cryptsetup", ["luksDump", partitions[2] ?? ""])).output)?.[1];
    if (!canOpen) {
      t.diagnostic("no device-mapper in this kernel: opening is tested in test/long/steps");
      assert.deepEqual([first.outcome, await label()], ["PRESTAGE_DISK_PROGRAM_FAILED", "prestage-making"]);
      return;
    }
    assert.deepEqual([first.outcome, await label()], ["succeeded", "prestage-made-prestagetest"], first.message);
    const place = join(first.root, "place");
    await mountExt4("/dev/mapper/prestagetest", place);
    await mkdir(join(place, "folder"));
    await unmount(place);
    assert.equal((await run(disk, partitions, {}, first.root)).outcome, "succeeded");
    await mountExt4("/dev/mapper/prestagetest", place);
    assert.ok((await stat(join(place, "folder"))).isDirectory());
    await unmount(place);
    await runProgram("cryptsetup", ["close", "prestagetest"]);
    assert.match(await readFile(join(first.root, "etc/crypttab"), "utf8"), /^prestagetest UUID=[0-9a-f-]{36} \/etc\/cryptsetup-keys\.d\/prestagetest\.key luks,nofail\n$/);
  });
});

test("crypttab keeps other volumes' lines, and has each volume once", () => {
  const table = "# comment\nswap /dev/sda3 /dev/urandom swap\ndata UUID=old none luks\n";
  assert.equal(withCrypttabLine(table, "data", "new", "/k"), "# comment\nswap /dev/sda3 /dev/urandom swap\ndata UUID=new /k luks,nofail\n");
  assert.equal(withCrypttabLine(withCrypttabLine("", "a", "1", "/k"), "a", "1", "/k"), "a UUID=1 /k luks,nofail\n");
});
