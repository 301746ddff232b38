import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, chown, link, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { ContentLibrary, importImage } from "@prestage/content";
import { applyOsImage, makeNtfs, mountExt4, mountNtfs, runProgram, unmount, withNtfs } from "@prestage/disk";
import { openWimFile } from "@prestage/wim";
import { withLoopDisk } from "../../fixtures/loop-disk.ts";
import { makeRunFixture } from "../../fixtures/run-fixture.ts";
import type { RunFixture } from "../../fixtures/run-fixture.ts";
import { cleanUp } from "../../run/clean-up.ts";
import type { RunContext } from "../../run/run-context.ts";
import { runSequence } from "../../run/run-sequence.ts";
import { leftOutOfLinux } from "./left-out.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const limit = { timeout: 120_000 };
let work = "";
before(async () => void (work = await mkdtemp(join(tmpdir(), "prestage-capture-test-"))));
after(() => rm(work, { recursive: true, force: true }));

/** What stays in an image, and what is one computer's own. */
const stays: Record<string, string> = {
  "etc/hostname": "REF-01\n", "etc/fstab": "PARTUUID=1 / ext4 defaults 0 1\n/data/swap none swap sw 0 0\n", "usr/bin/tool": "#!/bin/sh\n", "boot/vmlinuz": "kernel", "var/lib/dpkg/status": "", "home/ann/letter": "dear", "etc/ssh/sshd_config": "Port 22\n",
  "etc/NetworkManager/system-connections/office.nmconnection": "[wifi]", "data/file": "x", "var/log/README": "",
};
const goes: Record<string, string> = {
  "etc/ssh/ssh_host_ed25519_key": "secret", "etc/ssh/ssh_host_ed25519_key.pub": "public", "var/lib/systemd/random-seed": "seed", "var/lib/dhcp/dhclient.leases": "lease", "var/log/apt/history.log": "log", "var/log/syslog": "log", "var/log/journal/0123/system.journal": "j",
  "etc/krb5.keytab": "key", "etc/crypttab": "data UUID=1 /etc/cryptsetup-keys.d/data.key\n", "etc/cryptsetup-keys.d/data.key": "key", "etc/systemd/system/srv-data.mount": "[Unit]\nDescription=Data at /srv/data\n\n[Mount]\nWhat=/dev/disk/by-uuid/1\n",
  "etc/systemd/system/prestage-agent.service": "[Unit]\n", "etc/systemd/network/05-prestage-0.network": "[Match]\n", "var/lib/prestage/user-state/user-state.wim": "homes", "root/.bash_history": "history", "home/ann/.bash_history": "history", "var/cache/apt/pkgcache.bin": "cache",
};
const useless: Record<string, string> = { "tmp/rest": "x", "var/tmp/rest": "x", "data/swap": "pages", "swapfile": "pages", "prestage/content/big": "content", "prestage/state/device.key": "secret" };

async function fill(root: string): Promise<void> {
  for (const [path, text] of Object.entries({ ...stays, ...goes, ...useless, "etc/machine-id": "0123456789abcdef\n" })) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  for (const path of ["proc", "run", "dev"]) await mkdir(join(root, path), { recursive: true });
  await rm(join(root, "var/log/README"));
  await link(join(root, "usr/bin/tool"), join(root, "usr/bin/tool-by-another-name"));
  await symlink("/usr/bin/tool", join(root, "etc/link"));
  await chmod(join(root, "usr/bin/tool"), 0o4755);
  await chown(join(root, "home/ann/letter"), 1000, 1000);
  await runProgram("mknod", [join(root, "dev/null"), "c", "1", "3"]);
  await runProgram("mknod", ["-m", "600", join(root, "usr/pipe"), "p"]);
  await runProgram("setfattr", ["-n", "user.note", "-v", "kept", join(root, "usr/bin/tool")]);
}

/** Everything a file system keeps of a tree, but times. */
async function treeOf(root: string, without: readonly string[] = []): Promise<string[]> {
  const lines: string[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(root, below), { withFileTypes: true })) {
      const path = join(below, entry.name);
      if (without.includes(path)) continue;
      const place = join(root, path);
      const status = entry.isSymbolicLink() ? undefined : await stat(place);
      const data = entry.isSymbolicLink() ? await readlink(place) : entry.isFile() ? createHash("sha256").update(await readFile(place)).digest("hex") : "";
      lines.push(JSON.stringify([path, status?.mode.toString(8), status?.uid, status?.gid, entry.isFile() ? status?.nlink : undefined, status?.rdev, data]));
      if (entry.isDirectory()) await visit(path);
    }
  };
  await visit(".");
  return lines.toSorted((a, b) => (a < b ? -1 : 1));
}

async function names(wim: string): Promise<string[]> {
  const file = await openWimFile(wim);
  try {
    return file.xml.images.map((image) => image.name);
  } finally {
    await file.close();
  }
}

async function run(steps: object[], change: Partial<RunContext>): Promise<{ fixture: RunFixture; log: string; result: string }> {
  const fixture = await makeRunFixture(steps.map((settings) => ({ type: "capture-os-image", with: { file: "a.wim", compression: "xpress", ...settings } })));
  const { result } = await runSequence(await fixture.context({ unattended: true, ...change }), { bootId: "1", machine });
  return { fixture, result, log: fixture.logged.join("\n") };
}

test("what is captured of an installed system is imported and deployed again, equal to it but for what is one computer's own", limit, async () => {
  await withLoopDisk(200, [90, 90], async (_disk, [first = "", second = ""]) => {
    for (const device of [first, second]) await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", device]);
    const [source, target] = [join(work, "source"), join(work, "target")];
    await mountExt4(first, source);
    await mountExt4(second, target);
    try {
      await fill(source);
      const before = await treeOf(source, ["prestage"]);
      const { result, log } = await run([{ name: "Office", description: "Debian for offices", creator: "IT", version: "7" }, { name: "Backup", append: true, everything: true }, { name: "Backup", append: "true", everything: true }], { dataRoot: source });
      assert.equal(result, "succeeded", log);
      assert.deepEqual(await treeOf(source, ["prestage"]), before, "the system itself is as it was");
      const wim = join(source, "prestage/captured-images/a.wim");
      assert.match(log, /step Step 3 succeeded/);
      assert.deepEqual(await names(wim), ["Office", "Backup"]);
      assert.equal((await stat(wim)).mode & 0o777, 0o600);
      assert.deepEqual(await readdir(join(source, "prestage/captured-images")), ["a.wim"]);

      const library = new ContentLibrary(join(work, "library"));
      const { wimPath } = await importImage(library, wim, [1, 2]);
      await applyOsImage({ wim: wimPath, index: 1, target });
      const gone = new Set([...Object.keys(goes), ...Object.keys(useless), "etc/machine-id"]);
      // An emptied file, and the folders of what was left out with everything in it.
      const folders = ["prestage", "prestage/content", "prestage/state", "prestage/captured-images", "prestage/captured-images/a.wim", "prestage/work", "lost+found", "var/lib/prestage", "var/lib/prestage/user-state", "var/log/journal/0123", "dev/null"];
      const path = (line: string) => (JSON.parse(line) as [string])[0];
      const expected = before.filter((line) => !gone.has(path(line)) && !folders.includes(path(line)));
      const applied = await treeOf(target, ["lost+found"]);
      assert.deepEqual(applied.filter((line) => path(line) !== "etc/machine-id"), expected);
      assert.deepEqual([(await stat(join(target, "etc/machine-id"))).size, (await stat(join(target, "etc/machine-id"))).mode & 0o777], [0, 0o444]);
      assert.match((await runProgram("getfattr", ["--absolute-names", "-n", "user.note", join(target, "usr/bin/tool")])).output, /"kept"/);

      await applyOsImage({ wim: wimPath, index: 2, target });
      assert.equal(await readFile(join(target, "etc/machine-id"), "utf8"), "0123456789abcdef\n");
      for (const [name, text] of Object.entries(goes).filter(([name]) => !name.includes("prestage-agent"))) assert.equal(await readFile(join(target, name), "utf8"), text, name);
      for (const name of Object.keys(useless)) assert.equal(existsSync(join(target, name)), false, name);
    } finally {
      await unmount(source);
      await unmount(target);
    }
  });
});

test("cut short, what was there stays; the next attempt begins anew, and adds its image once", limit, async () => {
  await withLoopDisk(60, [50], async (_disk, [device = ""]) => {
    await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", device]);
    const root = join(work, "cut");
    await mountExt4(device, root);
    try {
      await fill(root);
      await writeFile(join(root, "usr/large"), Buffer.alloc(4 << 20, "text "));
      const images = join(work, "images");
      await mkdir(images);
      const first = await run([{ to: images, name: "First" }], { dataRoot: root });
      assert.equal(first.result, "succeeded", first.log);
      const former = await readFile(join(images, "a.wim"));
      const stopped = new AbortController();
      const fixture = await makeRunFixture([{ type: "capture-os-image", with: { to: images, file: "a.wim", name: "Second", append: true } }]);
      const context = await fixture.context({ dataRoot: root, unattended: true, signal: stopped.signal });
      const show = context.screen.steps.bind(context.screen);
      context.screen.steps = (model) => {
        if (model.progress !== undefined) stopped.abort();
        show(model);
      };
      await assert.rejects(runSequence(context, { bootId: "1", machine }));
      assert.ok((await readFile(join(images, "a.wim"))).equals(former));
      // What a cut leaves that nobody could clean up after.
      await mkdir(join(images, ".a.wim.unfinished"));
      await writeFile(join(images, ".a.wim.unfinished/a.wim"), "half");
      for (const wanted of ["Second", "Second", "First"]) assert.equal((await run([{ to: images, name: wanted, append: true }], { dataRoot: root })).result, "succeeded");
      assert.deepEqual(await names(join(images, "a.wim")), ["Second", "First"]);
      assert.deepEqual(await readdir(images), ["a.wim"]);
      assert.equal((await run([{ to: images, name: "Second" }], { dataRoot: root })).result, "succeeded");
      assert.deepEqual(await names(join(images, "a.wim")), ["Second"]);
    } finally {
      await unmount(root);
    }
  });
});

test("an image goes neither into itself nor into memory nor where nothing is; without a system or room nothing is begun", limit, async () => {
  const root = join(work, "refused");
  await fill(root);
  const empty = join(work, "empty");
  await mkdir(empty);
  const memory = await mkdtemp("/dev/shm/prestage-capture-");
  const code = async (settings: object, change: Partial<RunContext>) => /: (PRESTAGE_\w+): /.exec((await run([settings], change)).log)?.[1];
  try {
    for (const to of [root, join(root, "data"), "/nowhere/at/all", "/run/prestage/folders/0123456789abcdef", memory]) assert.equal(await code({ to }, { dataRoot: root }), "PRESTAGE_AGENT_CAPTURE_REFUSED", to);
    assert.equal(await code({ to: work }, { dataRoot: empty }), "PRESTAGE_AGENT_CAPTURE_REFUSED");
    assert.equal(await code({ to: "local" }, { dataRoot: root, disk: { device: "", espPartition: "", espGuid: "", dataPartition: "", dataGuid: "", dataFileSystemUuid: "", dataFileSystem: "ntfs" } }), "PRESTAGE_AGENT_CAPTURE_REFUSED");
    assert.equal(await code({ to: work }, { dataRoot: root, environment: "installed" }), "PRESTAGE_AGENT_STEP_ENVIRONMENT");
    await withLoopDisk(12, [8], async (_disk, [device = ""]) => {
      await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", "-O", "^has_journal", device]);
      const small = join(work, "small");
      await mountExt4(device, small);
      try {
        assert.equal(await code({ to: small, compression: "none" }, { dataRoot: root }), "PRESTAGE_AGENT_CAPTURE_NO_ROOM");
        assert.deepEqual(await readdir(small), ["lost+found"]);
      } finally {
        await unmount(small);
      }
    });
  } finally {
    await rm(memory, { recursive: true });
  }
});

test("a Windows is captured from its NTFS, without the deployment and its answers; Sysprep is for others to have run", { ...limit, skip: existsSync("/dev/fuse") ? false : "this kernel has no FUSE" }, async () => {
  await withLoopDisk(80, [70], async (_disk, [device = ""]) => {
    await makeNtfs(device, { label: "Windows", startSector: 2048 });
    const files = ["Windows/System32/ntoskrnl.exe", "Windows/Panther/unattend.xml", "Windows/Prestage/Drivers/a.inf", "Windows/Temp/rest", "prestage/state/device.key", "pagefile.sys", "Users/ann/letter", "System Volume Information/tracking.log"];
    await withNtfs(device, async (root) => {
      for (const path of files) {
        await mkdir(dirname(join(root, path)), { recursive: true });
        await writeFile(join(root, path), path);
      }
    });
    const images = join(work, "windows");
    await mkdir(images);
    const disk: RunContext["disk"] = { device: "", espPartition: "", espGuid: "", dataPartition: device, dataGuid: "", dataFileSystemUuid: "", dataFileSystem: "ntfs" };
    const { result, log } = await run([{ to: images, name: "Windows" }, { to: images, name: "Backup", everything: true, append: true }], { dataRoot: join(work, "nowhere"), disk });
    assert.equal(result, "succeeded", log);
    // In the boot environment the volume is mounted: it is let go of meanwhile.
    const place = join(work, "mounted");
    await mkdir(place);
    await mountNtfs(device, place);
    let released = 0;
    const releaseVolume: RunContext["releaseVolume"] = async (use) => {
      released++;
      await unmount(place);
      try {
        return await use();
      } finally {
        await mountNtfs(device, place);
      }
    };
    try {
      await writeFile(join(place, "Users/ann/written last"), "x");
      const third = await run([{ to: images, name: "Mounted", file: "mounted.wim" }], { dataRoot: place, disk, releaseVolume });
      assert.equal(third.result, "succeeded", third.log);
      assert.equal(released, 1);
      assert.match((await runProgram("wimlib-imagex", ["dir", join(images, "mounted.wim"), "1"])).output, /written last/);
      assert.ok(existsSync(join(place, "Users/ann/letter")), "it is mounted again");
    } finally {
      await unmount(place);
    }
    const list = async (index: string) => (await runProgram("wimlib-imagex", ["dir", join(images, "a.wim"), index])).output.split("\n").filter((line) => files.includes(line.slice(1)));
    assert.deepEqual(await list("1"), ["/Users/ann/letter", "/Windows/System32/ntoskrnl.exe"]);
    assert.deepEqual(await list("2"), ["/Users/ann/letter", "/Windows/Panther/unattend.xml", "/Windows/Prestage/Drivers/a.inf", "/Windows/System32/ntoskrnl.exe", "/Windows/Temp/rest"]);
  });
});

test("prepared, a system has left its directory and holds no downloads; one with a package half installed is refused", limit, async () => {
  const prepare = async (change: Record<string, string>, settings: object = {}) => {
    const fixture = await makeRunFixture([{ type: "prepare-capture", with: { ...settings } }, { type: "prepare-capture" }]);
    for (const path of ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"]) await mkdir(join(fixture.folder, path), { recursive: true });
    for (const [path, text] of Object.entries({ "var/lib/dpkg/status": "", "var/cache/apt/archives/a_1_all.deb": "x", "var/lib/sss/db/cache.ldb": "x", ...change })) {
      await mkdir(dirname(join(fixture.folder, path)), { recursive: true });
      await writeFile(join(fixture.folder, path), text);
    }
    const { result } = await runSequence(await fixture.context({ environment: "installed", unattended: true }), { bootId: "1", machine });
    return { result, log: fixture.logged.join("\n"), has: (path: string) => existsSync(join(fixture.folder, path)) };
  };
  const joined = { "etc/krb5.keytab": "key", "etc/sssd/sssd.conf": "[sssd]", "etc/krb5.conf": "# Written by the deployment.\n[libdefaults]\n" };
  const done = await prepare(joined);
  assert.equal(done.result, "succeeded", done.log);
  for (const path of [...Object.keys(joined), "var/lib/sss/db/cache.ldb", "var/cache/apt/archives/a_1_all.deb"]) assert.equal(done.has(path), false, path);
  const kept = await prepare(joined, { leaveDirectory: false });
  assert.match(kept.log, /PRESTAGE_AGENT_NOT_READY_FOR_CAPTURE: Expected a computer that belongs to no directory/);
  assert.ok(kept.has("etc/krb5.keytab"));
  assert.ok((await prepare({ "etc/krb5.conf": "[libdefaults]\n" })).has("etc/krb5.conf"));
  const half = await prepare({ "var/lib/dpkg/status": "Package: a\nStatus: install ok half-configured\nPriority: optional\nSection: misc\nMaintainer: a\nArchitecture: all\nVersion: 1\nDescription: a\n" });
  assert.match(half.log, /PRESTAGE_AGENT_NOT_READY_FOR_CAPTURE: Expected every package to be whole/);
});

test("what is left out names the swap files of the system itself, and nothing of two lines", async () => {
  const root = await mkdtemp(join(work, "names-"));
  await mkdir(join(root, "var/log"), { recursive: true });
  await mkdir(join(root, "etc"));
  await writeFile(join(root, "var/log/a\n[ExclusionList]\n"), "");
  await mkdir(join(root, "var/swap"));
  for (const name of ["file", "my file", "two\nlines"]) await writeFile(join(root, "var/swap", name), "");
  await writeFile(join(root, "etc/fstab"), "# comment\n/var/swap/file none swap sw 0 0\n/var/swap/my\\040file none swap sw 0 0\n/var/swap/two\\012lines none swap sw 0 0\n/dev/sda3 none swap sw 0 0\nUUID=1 none swap sw 0 0\n/ none swap sw 0 0\n/var none swap sw 0 0\n/gone none swap sw 0 0\n");
  for (const everything of [true, false]) {
    const named = (await leftOutOfLinux(root, everything)).exclude.filter((path) => ["/", "/var", "/gone", "/dev/sda3"].includes(path) || path.startsWith("/var/swap"));
    assert.deepEqual(named, ["/var/swap/file", "/var/swap/my file"], "files alone: a line that names a folder must not leave out the system");
  }
  const { exclude, empty } = await leftOutOfLinux(root, false);
  assert.ok(exclude.every((path) => /^\/[^\n\r]+$/.test(path)));
  assert.deepEqual(empty, []);
});

test("captured images that are beside the deployment when it ends are kept", async () => {
  const root = await mkdtemp(join(work, "kept-"));
  const clean = async () => cleanUp({ dataRoot: root, espRoot: join(root, "boot/efi"), log: () => undefined });
  const kept = join(root, "var/lib/prestage");
  for (const text of ["first", "second"]) {
    await mkdir(join(root, "prestage/captured-images"), { recursive: true });
    await writeFile(join(root, "prestage/captured-images/a.wim"), text);
    await clean();
  }
  await mkdir(join(root, "prestage/captured-images/.a.wim.unfinished"), { recursive: true });
  await clean();
  assert.deepEqual(await readdir(kept), ["captured-images", "captured-images.1"]);
  assert.equal(await readFile(join(kept, "captured-images/a.wim"), "utf8"), "second");
  assert.equal(existsSync(join(root, "prestage")), false);
});
