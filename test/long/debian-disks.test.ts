import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import type { StatusRecord } from "@prestage/contract";
import { approveWhenShown, silenceMs, waitForSequence } from "../../demo/deploy.ts";
import { bytesSent, largestChunk } from "../support/access-log.ts";
import { alterByte, espHash, volumeTree } from "../support/disk-faults.ts";
import { documentBlocks } from "../support/document-blocks.ts";
import { withMachine } from "../support/machines.ts";
import type { MachineOptions } from "../support/machines.ts";
import { checkDisk, checkStatus, openDebianFixture } from "../support/power-cuts.ts";
import type { DebianFixture } from "../support/power-cuts.ts";

const limit = { timeout: 40 * 60_000 };
const run = promisify(execFile);
const document = new URL("../../docs/by-hand.md", import.meta.url);
let debian: DebianFixture;

before(async () => {
  debian = await openDebianFixture("debian-disks");
}, limit);

after(() => debian?.fixture.close());

test("a disk prepared by hand, by the document's own commands, starts and deploys like any other, with Secure Boot on", limit, async (t) => {
  const folder = join(debian.fixture.folder, "by-hand");
  await mkdir(folder);
  const disk = join(folder, "disk.img");
  const commands = (await documentBlocks(document)).get("image");
  assert.ok(commands);
  await run("sh", ["-e", "-c", commands], { cwd: folder, env: { ...process.env, DISK: disk, SIZE: "5G", MEDIA: debian.media } });
  await deploys(t, "by-hand", { disk, secureBoot: true });
});

test("on a device: the document's own commands, by loop devices", limit, async (t) => {
  if (!(await readFile("/proc/filesystems", "utf8")).includes("\tvfat")) return t.skip("this kernel has no vfat: it can mount no EFI system partition");
  const folder = join(debian.fixture.folder, "by-device");
  await mkdir(folder);
  const disk = join(folder, "disk.img");
  const commands = (await documentBlocks(document)).get("device") ?? "";
  await run("truncate", ["-s", "5G", disk]);
  const loop = async (...args: string[]): Promise<string> => (await run("losetup", ["--find", "--show", ...args, disk])).stdout.trim();
  const mebibyte = 1 << 20;
  const esp = await loop("--offset", String(mebibyte), "--sizelimit", String(1024 * mebibyte));
  const volume = await loop("--offset", String(1025 * mebibyte), "--sizelimit", String((5120 - 1025 - 1) * mebibyte));
  try {
    await run("sh", ["-e", "-c", commands], { cwd: folder, env: { ...process.env, DISK: disk, ESP: esp, VOLUME: volume, MEDIA: debian.media } });
  } finally {
    for (const device of [esp, volume]) await run("losetup", ["--detach", device]);
  }
  await deploys(t, "by-device", { disk });
});

test("powered on three times without a network nothing changes but the log and the state; then altered files of the OS image and an application are named, one chunk is fetched for each, and the deployment succeeds", limit, async (t) => {
  const { fixture, osImage, jq } = debian;
  const disk = await fixture.copy(debian.staged, "altered");
  const without = ["prestage/log", "prestage/state"];
  const before = { esp: await espHash(disk.path), tree: await volumeTree(disk.path, { without }) };
  for (const start of [1, 2, 3]) {
    await withMachine(t, fixture, `offline-${start}`, { disk: disk.path }, async ({ machine, event }) => {
      await machine.setLink(false);
      await event("waiting", { with: '"failures":1' });
      await machine.powerOff();
    });
    assert.deepEqual(await volumeTree(disk.path, { without }), before.tree, `start ${start}`);
    assert.equal(await espHash(disk.path), before.esp, `start ${start}`);
  }
  const [application] = before.tree.flatMap((line) => new RegExp(`^(prestage/content/${jq.contentId}/files/jq_\\S+) file`).exec(line)?.[1] ?? []);
  assert.ok(application);
  await alterByte(disk.path, `prestage/content/${osImage.contentId}/files/image.wim`, 90_000_000);
  await alterByte(disk.path, application, 20_000);
  const status = await deploys(t, "altered", { disk: disk.path });
  const named = status.filter(({ message }) => message.kind === "file-damaged").map(({ message }) => message.text ?? "");
  assert.equal(named.length, 2);
  for (const { contentId, files } of [{ contentId: osImage.contentId, files: ["content.wim"] }, { contentId: jq.contentId, files: ["content.wim", "storage.json.zst"] }]) {
    const sent = await bytesSent(fixture.site, contentId);
    assert.deepEqual([...sent.keys()].sort(), files);
    assert.ok((sent.get("content.wim") ?? 0) <= largestChunk, JSON.stringify([...sent]));
  }
  assert.ok(named.some((text) => /image\.wim: (span|chunk) at \d+/.test(text)) && named.some((text) => text.startsWith(`/${application}: `)), named.join("\n"));
});

/** The whole deployment, to the switched-off computer with what was asked for on it. */
async function deploys(t: TestContext, name: string, options: MachineOptions): Promise<StatusRecord[]> {
  const { fixture } = debian;
  const status = await withMachine(t, fixture, name, options, async ({ machine }) => {
    const device = await approveWhenShown(fixture.site, machine);
    await waitForSequence(fixture.site, machine, device.id);
    await machine.serial.waitFor(/@@prestage done \{/, { timeoutMs: silenceMs });
    await machine.powerButton();
    assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
    return fixture.site.run<StatusRecord[]>(["status", "list", "--device", device.id, "--all"]);
  });
  checkStatus(status.map((record) => record.message));
  await checkDisk(options.disk);
  return status;
}
