import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runCommand } from "../run-command.ts";
import { plainText } from "../screens/line.ts";
import type { Line } from "../screens/line.ts";
import { TerminalScreen } from "../screens/terminals.ts";
import { copyLog, copyLogToPartition } from "./copy-log.ts";
import type { CopyOutcome } from "./copy-log.ts";
import { logStickTool } from "./log-stick-tool.ts";
import { removablePartitions } from "./removable-partitions.ts";
import type { RemovablePartition } from "./removable-partitions.ts";

const time = new Date("2026-11-22T22:13:05.123Z");

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-log-stick-"));
  try {
    await mkdir(join(folder, "log/old"), { recursive: true });
    await mkdir(join(folder, "stick"));
    await writeFile(join(folder, "log/agent.log"), "one\n");
    await writeFile(join(folder, "log/old/a:b.log"), "two\n");
    await symlink("/etc/shadow", join(folder, "log/link"));
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("the log lands in a new folder; links are not followed, and a folder that is there is left alone", async () => {
  await withFolder(async (folder) => {
    const source = { folder: join(folder, "log"), recent: ["last"], computer: "PC 0042/../x", time };
    const name = "prestage-log-PC0042x-20261122T221305Z";
    assert.deepEqual(await copyLog(source, join(folder, "stick")), { kind: "copied", folder: name });
    const copied = join(folder, "stick", name);
    assert.deepEqual((await readdir(copied, { recursive: true })).sort(), ["agent.log", "old", "old/a_b.log", "recent.log"]);
    assert.equal(await readFile(join(copied, "agent.log"), "utf8"), "one\n");
    assert.equal(await readFile(join(copied, "recent.log"), "utf8"), "last\n");
    assert.equal((await copyLog({ ...source, recent: [] }, join(folder, "stick"))).kind, "failed");
    assert.equal(await readFile(join(copied, "recent.log"), "utf8"), "last\n");
  });
});

test("on a real file system: copied, too small, write-protected; what lay there is left as it was", async (context) => {
  await withFolder(async (folder) => {
    const image = join(folder, "stick.img");
    await writeFile(image, "");
    await truncate(image, 4 << 20);
    assert.equal((await runCommand("mke2fs", ["-q", "-t", "ext4", image])).code, 0);
    let loop = (await runCommand("losetup", ["--find", "--show", image])).output;
    if (!loop.startsWith("/dev/loop")) return context.skip("this machine gives no loop devices");
    try {
      const at = join(folder, "mounted");
      const partition = { path: loop, fileSystem: "ext4" as const };
      const source = { folder: join(folder, "log"), recent: ["last"], computer: "PC1", time };
      assert.deepEqual(await copyLogToPartition(partition, source, runCommand, at), { kind: "copied", folder: "prestage-log-PC1-20261122T221305Z" });
      assert.deepEqual(await readdir(at), [], "it is unmounted");
      await writeFile(join(folder, "log/large.log"), Buffer.alloc(8 << 20));
      assert.deepEqual(await copyLogToPartition(partition, { ...source, computer: "PC2" }, runCommand, at), { kind: "full" });
      assert.equal((await runCommand("mount", ["-r", "-t", "ext4", loop, at])).code, 0);
      assert.deepEqual((await readdir(at)).sort(), ["lost+found", "prestage-log-PC1-20261122T221305Z"]);
      assert.equal(await readFile(join(at, "prestage-log-PC1-20261122T221305Z/recent.log"), "utf8"), "last\n");
      await runCommand("umount", [at]);
      await runCommand("losetup", ["--detach", loop]);
      loop = (await runCommand("losetup", ["--read-only", "--find", "--show", image])).output;
      assert.deepEqual(await copyLogToPartition({ ...partition, path: loop }, source, runCommand, at), { kind: "read-only" });
    } finally {
      await runCommand("losetup", ["--detach", loop]);
    }
  });
});

test("only removable partitions are offered: none of the start disk, none in use, none of another file system", async () => {
  const disk = (path: string, more: object, children?: object[]) => ({ path, type: "disk", size: 1000, mountpoints: [null], rm: false, hotplug: false, tran: null, model: "Stick ", ...more, ...(children && { children }) });
  const part = (path: string, mountpoints: (string | null)[] = [null]) => ({ path, type: "part", size: 900, mountpoints });
  const blockdevices = [
    disk("/dev/sda", { rm: true, hotplug: true, tran: "usb" }, [part("/dev/sda1")]),
    disk("/dev/sdb", { tran: "sata" }, [part("/dev/sdb1")]),
    disk("/dev/sdc", { tran: "usb" }, [part("/dev/sdc1"), part("/dev/sdc2", ["/mnt/data"]), part("/dev/sdc3")]),
    disk("/dev/sdd", { rm: true }),
  ];
  const types: Record<string, string> = { "/dev/sda1": "vfat", "/dev/sdb1": "ext4", "/dev/sdc1": "exfat", "/dev/sdc2": "vfat", "/dev/sdc3": "ntfs", "/dev/sdd": "vfat" };
  const run: typeof runCommand = async (program, args) => ({ code: 0, output: program === "lsblk" ? JSON.stringify({ blockdevices }) : args.includes("TYPE") ? (types[args.at(-1) ?? ""] ?? "") : "LABEL" });
  assert.deepEqual(await removablePartitions("/dev/sda", run), [
    { path: "/dev/sdc1", fileSystem: "exfat", label: "LABEL", size: 900, model: "Stick" },
    { path: "/dev/sdd", fileSystem: "vfat", label: "LABEL", size: 1000, model: "Stick" },
  ]);
});

test("what this machine's lsblk prints is understood", async () => {
  assert.ok(Array.isArray(await removablePartitions("/dev/none")));
});

function onScreen(partitions: RemovablePartition[], copy: (partition: RemovablePartition) => Promise<CopyOutcome>) {
  const screen = new TerminalScreen();
  let last: Line[] = [];
  screen.addTerminal({ style: "screen", size: { width: 99, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: () => undefined, print: () => undefined });
  screen.message({ screen: "s", title: "below", lines: [] });
  screen.addTool(logStickTool({ partitions: async () => partitions, copy }));
  return { screen, shown: () => plainText(last) };
}
const f10 = "\u001b[21~";
const sticks: RemovablePartition[] = ["A", "B"].map((label) => ({ path: `/dev/${label}1`, fileSystem: "vfat", label, size: 1e9, model: "" }));

test("F10: choose by arrows and Enter, the folder's name is said, Esc leaves; while it copies nothing interrupts", async () => {
  const { promise, resolve } = Promise.withResolvers<CopyOutcome>();
  const copied: string[] = [];
  const { screen, shown } = onScreen(sticks, (partition) => (copied.push(partition.label), promise));
  screen.typed(f10);
  await new Promise(setImmediate);
  assert.match(shown(), /Log to a USB stick[^]*\/dev\/A1 {2}vfat {2}1\.0 GB[^]*F10 Log to USB/);
  screen.typed("\u001b[B\r\u001b");
  screen.typed(`${f10}\r`);
  assert.match(shown(), /Do not pull the stick out/);
  assert.deepEqual(copied, ["B"]);
  resolve({ kind: "copied", folder: "prestage-log-x" });
  await new Promise(setImmediate);
  assert.match(shown(), /folder prestage-log-x\./);
  screen.typed("\u001b");
  assert.match(shown(), /below/);
});

test("F10 says so when there is no stick, when it is full and when it is read-only", async () => {
  for (const [list, outcome, said] of [[[], { kind: "full" }, /no USB stick/], [sticks, { kind: "full" }, /is full/], [sticks, { kind: "read-only" }, /is read-only/], [sticks, { kind: "failed", detail: "why" }, /copied: why/]] as const) {
    const { screen, shown } = onScreen([...list], async () => outcome);
    screen.typed(f10);
    await new Promise(setImmediate);
    screen.typed("1");
    await new Promise(setImmediate);
    assert.match(shown(), said);
  }
});
