import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeNtfs, mountNtfs, runProgram, unmount, withLoopDevice, withNtfs } from "@prestage/disk";
import { Journal } from "../journal/journal.ts";
import { LogFile } from "../log-file.ts";
import { StatusSpool } from "../status/status-spool.ts";
import { findHolders } from "./find-volume.ts";
import { mountData, withVolumeReleased } from "./mount-volumes.ts";

/** ntfs-3g is a FUSE file system. */
const skip = existsSync("/dev/fuse") ? false : "this kernel has no FUSE";

async function onNtfs(use: (device: string, place: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-ntfs-boot-"));
  try {
    const image = join(folder, "volume.img");
    await writeFile(image, "");
    await truncate(image, 32 << 20);
    await withLoopDevice(image, { start: 0, size: 32 << 20 }, async (device) => {
      await makeNtfs(device, { label: "OS", startSector: 2048 });
      await use(device, join(folder, "data"));
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a media on an NTFS is found as one on ext4 is; one without is none", { skip }, async () => {
  await onNtfs(async (device) => {
    assert.deepEqual(await findHolders([{ node: device, guid: "1" }]), []);
    await withNtfs(device, async (root) => {
      await mkdir(join(root, "prestage"));
      await writeFile(join(root, "prestage/manifest.dsse.json"), "{}");
    });
    const [found, ...more] = await findHolders([{ node: device, guid: "1" }]);
    assert.deepEqual([found?.device, found?.fileSystem, more], [device, "ntfs", []]);
    assert.match(found?.uuid ?? "", /^[0-9A-F]{16}$/);
  });
});

test("while the volume is released nothing is mounted; what is logged and reported meanwhile is on the disk afterwards, in order, and journal and spool go on", { skip }, async () => {
  await onNtfs(async (device, place) => {
    await mountNtfs(device, place);
    try {
      await mkdir(join(place, "prestage/state"), { recursive: true });
      const logFile = new LogFile();
      logFile.open(place);
      const status = await StatusSpool.open(join(place, "prestage/state/status"), "boot", () => new Date(0));
      const journal = await Journal.open(join(place, "prestage/state/journal"));
      journal.append({ kind: "sequence-started", environment: "environment", bootId: "1" });
      logFile.write("before");
      const sent: number[] = [];
      status.start(async (messages) => {
        sent.push(...messages.map((one) => one.number));
        return { highest: messages.at(-1)?.number ?? 0 };
      });
      status.post({ kind: "enrolled" });
      const result = await withVolumeReleased({ dataPartition: device, dataFileSystem: "ntfs" }, { status, logFile }, async () => {
        assert.ok(!existsSync(join(place, "prestage")), "not mounted");
        const before = [...sent];
        logFile.write("meanwhile");
        status.post({ kind: "restart", text: "meanwhile" });
        assert.equal(await status.flush(50), false);
        assert.deepEqual(sent, before, "nothing is sent that is not on the disk");
        await withNtfs(device, (root) => writeFile(join(root, "from-outside"), "x"));
        return "done";
      }, place);
      assert.equal(result, "done");
      assert.ok(existsSync(join(place, "from-outside")));
      assert.match(await readFile(join(place, "prestage/log/agent.log"), "utf8"), /before\n.*meanwhile\n/);
      assert.equal(await status.flush(5000), true);
      assert.deepEqual(sent, [1, 2]);
      status.stop();
      assert.equal((await StatusSpool.open(join(place, "prestage/state/status"), "boot", () => new Date(0))).lastNumber, 2);
      journal.append({ kind: "restarted", environment: "environment", bootId: "2" });
      assert.equal((await Journal.open(journal.path)).events.length, 2);

      // What fails in between is told, and the volume is there again.
      await assert.rejects(withVolumeReleased({ dataPartition: device, dataFileSystem: "ntfs" }, { status, logFile }, () => Promise.reject(new Error("of the image")), place), /of the image/);
      assert.ok(existsSync(join(place, "prestage")));
      // In use it stays as it is.
      const holder = await runProgram("sh", ["-c", 'cd "$1" && sleep 20 >/dev/null 2>&1 & echo $!', "sh", place]);
      await assert.rejects(withVolumeReleased({ dataPartition: device, dataFileSystem: "ntfs" }, { status, logFile }, async () => assert.fail("released"), place), { code: "PRESTAGE_DISK_PROGRAM_FAILED" });
      process.kill(Number(holder.output.trim()));
      assert.ok(existsSync(join(place, "prestage")));
      logFile.write("after all");
      assert.match(await readFile(join(place, "prestage/log/agent.log"), "utf8"), /after all/);
    } finally {
      await unmount(place).catch(() => runProgram("umount", ["-l", place]));
    }
  });
});

test("what the agent makes on an NTFS, Windows opens to nobody but SYSTEM and administrators", { skip }, async () => {
  const before = process.umask(0o022);
  try {
    await onNtfs(async (device, place) => {
      await mountData({ dataPartition: device, dataFileSystem: "ntfs" }, place);
      try {
        await mkdir(join(place, "prestage/state"), { recursive: true });
        await writeFile(join(place, "prestage/state/journal"), "x");
        for (const path of ["prestage", "prestage/state", "prestage/state/journal"]) {
          const descriptor = Buffer.from((await runProgram("getfattr", ["--absolute-names", "--encoding=hex", "--name=system.ntfs_acl", join(place, path)])).output.match(/=0x([0-9a-f]+)/)?.[1] ?? "", "hex");
          assert.equal(opensToEveryone(descriptor) & readOrChange, 0, path);
        }
      } finally {
        await unmount(place);
      }
    });
  } finally {
    process.umask(before);
  }
});

/** FILE_READ_DATA, FILE_WRITE_DATA, FILE_APPEND_DATA, FILE_EXECUTE and FILE_DELETE_CHILD ([MS-DTYP] 2.4.3; of a folder likewise to list it and to make files in it). */
const readOrChange = 0x67;

/** What the entries that allow (type 0) allow to S-1-1-0 ([MS-DTYP] 2.4.4.2, 2.4.5, 2.4.6). */
function opensToEveryone(descriptor: Buffer): number {
  const everyone = Buffer.from("010100000000000100000000", "hex");
  const list = descriptor.readUInt32LE(16);
  assert.ok(list > 0, "a descriptor without a list opens all to everyone");
  let allowed = 0;
  for (let [at, i] = [list + 8, 0]; i < descriptor.readUInt16LE(list + 4); i++, at += descriptor.readUInt16LE(at + 2)) {
    if (descriptor[at] === 0 && descriptor.subarray(at + 8, at + 20).equals(everyone)) allowed |= descriptor.readUInt32LE(at + 4);
  }
  return allowed;
}
