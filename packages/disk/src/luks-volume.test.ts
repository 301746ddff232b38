import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { volumeFacts } from "./data-volume.ts";
import { finishLuks, prepareLuks, type LuksOptions } from "./luks-volume.ts";
import { withLoopDevice } from "./ntfs-volume.ts";
import { runProgram } from "./run-program.ts";

let folder = "";
let disk = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-luks-"));
  disk = join(folder, "disk.img");
  await writeFile(disk, "");
  await truncate(disk, 64 << 20);
  await writeFile(join(folder, "key"), "random text of the key file");
  await writeFile(join(folder, "other"), "random text of another system");
});
after(() => rm(folder, { recursive: true }));

const on = (use: (options: LuksOptions) => Promise<void>) => withLoopDevice(disk, { start: 0, size: 64 << 20 }, (device) => use({ device, name: "data", passphrase: "the site's own\nsecret", keyFile: join(folder, "key"), stretching: ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"] }));
const tries = async (device: string, keyFile: string, input = "") => (await runProgram("cryptsetup", ["open", "--test-passphrase", "--key-file", keyFile, device], { input, accept: [0, 2] })).exitCode === 0;

test("both keys open it; a finished one is kept with its key, whatever the key file of the system; a strange one is refused", async () => {
  await on(async (options) => {
    const { device, passphrase, keyFile } = options;
    assert.equal(await prepareLuks(options), "new");
    assert.deepEqual([await tries(device, "-", passphrase), await tries(device, keyFile), await tries(device, "-", "wrong")], [true, true, false]);
    const first = await volumeFacts(device);
    assert.equal(await prepareLuks(options), "new", "cut before what it holds was whole");
    assert.notEqual((await volumeFacts(device)).uuid, first.uuid);
    await finishLuks(options);
    const made = await volumeFacts(device);
    assert.deepEqual([made.type, made.label], ["crypto_LUKS", "prestage-made-data"]);
    for (const keys of [keyFile, join(folder, "other"), keyFile]) {
      assert.equal(await prepareLuks({ ...options, keyFile: keys }), "kept");
      assert.equal(await tries(device, keys), true);
    }
    assert.equal(await tries(device, join(folder, "other")), false);
    // Cut between taking the old key out and putting the new one in.
    await runProgram("cryptsetup", ["luksKillSlot", "--batch-mode", "--key-file", "-", device, "0"], { input: passphrase });
    assert.equal(await prepareLuks(options), "kept");
    assert.equal(await tries(device, keyFile), true);
    assert.equal((await volumeFacts(device)).uuid, made.uuid);
    for (const change of [{ name: "other" }, { passphrase: "wrong" }]) await assert.rejects(prepareLuks({ ...options, ...change }), { code: "PRESTAGE_DISK_ENCRYPTED" });
    await assert.rejects(prepareLuks({ ...options, passphrase: "wrong" }), (cause: Error) => !cause.message.includes("wrong"));
  });
});

test("killed in the middle of formatting, it begins anew", async () => {
  await on(async (options) => {
    await runProgram("wipefs", ["-q", "--all", options.device]);
    const child = spawn("cryptsetup", ["luksFormat", "--batch-mode", "--type", "luks2", "--label", "prestage-making", "--pbkdf", "pbkdf2", "--iter-time", "3000", "--key-file", "-", options.device], { stdio: ["pipe", "ignore", "ignore"] });
    child.stdin.end(options.passphrase);
    // Either its header or its end: whatever comes first, it is killed then.
    const file = await open(options.device);
    const head = Buffer.alloc(6);
    while (child.exitCode === null && head.toString("latin1") !== "LUKS\xba\xbe") {
      await file.read(head, 0, 6, 0);
      await new Promise(setImmediate);
    }
    await file.close();
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");
    assert.equal(await prepareLuks(options), "new");
    assert.equal(await tries(options.device, "-", options.passphrase), true);
  });
});
