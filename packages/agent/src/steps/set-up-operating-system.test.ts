import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { runOrKill, spread } from "../fixtures/killed-run.ts";
import type { CutInput, Hold } from "../fixtures/killed-run.ts";
import { listed } from "../fixtures/listed.ts";

/** What is read of an applied Debian. */
const applied = {
  "etc/os-release": "ID=debian\n", "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n", "etc/group": "root:x:0:\nsudo:x:27:\n", "etc/shadow": "root:*:19000::::::\n",
  "boot/vmlinuz-6.1.0-1-amd64": "kernel", "boot/initrd.img-6.1.0-1-amd64": "initramfs", "etc/hostname": "image\n", "etc/machine-id": "0123456789abcdef0123456789abcdef\n", "home/ann/letter": "dear",
};

async function makeRoot(folder: string, name: string): Promise<string> {
  const root = join(folder, name);
  for (const [path, text] of Object.entries(applied)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

test("set-up-operating-system on Linux, killed wherever it flushes what it has written, and begun again: the system is as after one run that was not; killed again and again, too", { timeout: 240_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-set-up-"));
  try {
    const of = (root: string, hold?: Hold): CutInput => ({
      steps: [{ type: "set-up-operating-system", with: { computerName: "BRANCH-07", serialConsole: true, users: [{ name: "ann", sudo: true, sshKeys: ["ssh-ed25519 AAAA ann"], passwordHash: `$6$saltsalt$${"a".repeat(86)}` }] } }, { type: "set-variable", with: { name: "After", value: "done" } }],
      stepId: "s1", content: [], folders: {}, secrets: {}, journal: `${root}-journal`, ...(hold && { hold }),
      change: { environment: "boot", dataRoot: root, unattended: true, disk: { device: "/dev/null", espPartition: "none", espGuid: "11111111-1111-4111-8111-111111111111", dataPartition: "none", dataGuid: "22222222-2222-4222-8222-222222222222", dataFileSystemUuid: "33333333-3333-4333-8333-333333333333" } },
    });
    const whole = await makeRoot(folder, "whole");
    const uncut = await runOrKill(folder, of(whole));
    assert.ok(uncut !== undefined);
    assert.deepEqual([uncut.result, uncut.begun, uncut.variables["After"]], ["restart", 1, "done"], uncut.log.join("\n"));
    const expected = await listed(whole);
    assert.ok(uncut.flushes > 10, `${uncut.flushes} flushes`);
    const places = spread(uncut.flushes, 5);
    let unfinished = 0;
    for (const flush of places) {
      const root = await makeRoot(folder, `cut-${flush}`);
      assert.equal(await runOrKill(folder, of(root, { flush })), undefined, `killed at ${flush}`);
      if (!isDeepStrictEqual(await listed(root), expected)) unfinished++;
      const again = await runOrKill(folder, of(root));
      assert.deepEqual([again?.result, again?.begun, again?.variables["After"]], ["restart", 2, "done"], again?.log.join("\n"));
      assert.deepEqual(await listed(root), expected, `killed at ${flush} of ${uncut.flushes}`);
    }
    assert.ok(unfinished >= places.length - 1, "but for the very last flush each cut leaves something to do");
    const root = await makeRoot(folder, "again-and-again");
    for (const flush of places.slice(0, 3)) assert.equal(await runOrKill(folder, of(root, { flush })), undefined);
    const last = await runOrKill(folder, of(root));
    assert.deepEqual([last?.result, last?.begun], ["restart", 4]);
    assert.deepEqual(await listed(root), expected);
  } finally {
    await rm(folder, { recursive: true });
  }
});
