import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installedSystemSettings, type InstalledSystemOptions } from "./installed-system.ts";
import { newestKernel, readAppliedImage, writeSettings } from "./write-settings.ts";

const options: InstalledSystemOptions = {
  computerName: "PC-0042",
  rootFileSystemUuid: "11111111-2222-3333-4444-555555555555",
  rootPartitionGuid: "AAAAAAAA-0000-0000-0000-000000000002",
  espPartitionGuid: "aaaaaaaa-0000-0000-0000-000000000001",
  image: {
    passwd: "root:x:0:0:root:/root:/bin/bash\nbuild:x:1000:1000::/home/build:/bin/bash\n",
    group: "root:x:0:\nsudo:x:27:\nshadow:x:42:\nbuild:x:1000:\n",
    shadow: "root:*:19000:0:99999:7:::\n",
    kernel: { vmlinuz: "vmlinuz-6.1.0-56", initrd: "initrd.img-6.1.0-56" },
    network: { manager: "systemd-networkd", resolved: true },
  },
  users: [{ name: "anna", passwordHash: "$6$salt$abcdefghijklmnop", authorizedKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 anna"], groups: ["sudo", "none"] }],
  serialConsole: true,
};

test("settings name the disk's own partitions and the newest kernel", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-settings-"));
  try {
    await mkdir(join(folder, "etc/ssh"), { recursive: true });
    await writeFile(join(folder, "etc/ssh/ssh_host_rsa_key"), "the image's");
    await writeFile(join(folder, "etc/hostname"), "image\n");
    await writeFile(join(folder, "etc/resolv.conf"), "nameserver 192.0.2.1\n");
    await writeSettings(folder, installedSystemSettings(options));
    await writeSettings(folder, installedSystemSettings(options)); // a step interrupted by a power cut runs again
    const read = (path: string): Promise<string> => readFile(join(folder, path), "utf8");
    assert.match(await read("etc/fstab"), /^PARTUUID=aaaaaaaa-0000-0000-0000-000000000002 \/ ext4 /);
    assert.equal(await read("etc/hostname"), "PC-0042\n");
    assert.equal(await read("etc/machine-id"), "");
    assert.match(await read("boot/grub/grub.cfg"), /linux \/boot\/vmlinuz-6.1.0-56 root=PARTUUID=aaaaaaaa-0000-0000-0000-000000000002 ro console=tty0 console=ttyS0,115200/);
    await assert.rejects(stat(join(folder, "etc/ssh/ssh_host_rsa_key")), { code: "ENOENT" });
    assert.equal(await readlink(join(folder, "etc/resolv.conf")), "/run/systemd/resolve/stub-resolv.conf");
    assert.match(await read("etc/passwd"), /^anna:x:1001:1001:anna:\/home\/anna:\/bin\/bash$/m);
    assert.match(await read("etc/group"), /^sudo:x:27:anna$/m);
    assert.match(await read("etc/shadow"), /^anna:\$6\$salt\$abcdefghijklmnop:/m);
    assert.equal((await stat(join(folder, "etc/shadow"))).mode & 0o777, 0o640);
    assert.equal((await stat(join(folder, "home/anna/.ssh/authorized_keys"))).mode & 0o777, 0o600);
    assert.ok((await lstat(join(folder, "etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"))).isSymbolicLink());
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("host keys of which a power cut left one half are made again, whole ones stay; the service goes when they are there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-host-keys-"));
  try {
    const unit = installedSystemSettings(options).find((one) => one.kind === "file" && one.path.endsWith("/prestage-ssh-host-keys.service"));
    const [, script = ""] = /^ExecStart=\/bin\/sh -c '(.*)'$/m.exec(unit?.kind === "file" ? String(unit.content) : "") ?? [];
    await mkdir(join(folder, "ssh"));
    // As ssh-keygen -A: a private key that is there and not empty is left, whatever became of the public one.
    await writeFile(join(folder, "ssh-keygen"), `#!/bin/sh\nfor type in rsa ecdsa ed25519; do [ -s ${folder}/ssh/ssh_host_$type\\_key ] || { echo new > ${folder}/ssh/ssh_host_$type\\_key; echo new > ${folder}/ssh/ssh_host_$type\\_key.pub; }; done\n`, { mode: 0o755 });
    await writeFile(join(folder, "unit"), "");
    for (const [name, text] of [["rsa_key", "old"], ["rsa_key.pub", "old"], ["ecdsa_key", "old"], ["ecdsa_key.pub", ""], ["ed25519_key", "old"]]) await writeFile(join(folder, `ssh/ssh_host_${name}`), text ?? "");
    const run = script.replaceAll("$$", "$").replaceAll("/etc/ssh", join(folder, "ssh")).replaceAll("/usr/bin/ssh-keygen", join(folder, "ssh-keygen")).replaceAll("; ssh-keygen -A", `; ${join(folder, "ssh-keygen")} -A`).replace(/rm -f \/etc\/systemd.*$/, `rm -f ${join(folder, "unit")}`);
    execFileSync("sh", ["-c", run]);
    const found = await Promise.all(["rsa", "ecdsa", "ed25519"].flatMap((type) => ["", ".pub"].map(async (half) => (await readFile(join(folder, `ssh/ssh_host_${type}_key${half}`), "utf8")).trim())));
    assert.deepEqual(found, ["old", "old", "new", "new", "new", "new"]);
    await assert.rejects(stat(join(folder, "unit")), { code: "ENOENT" });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("nothing is written through a link in the image", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-settings-"));
  try {
    await mkdir(join(folder, "outside"));
    await mkdir(join(folder, "root"));
    await symlink(join(folder, "outside"), join(folder, "root/etc"));
    await assert.rejects(writeSettings(join(folder, "root"), installedSystemSettings(options)), { code: "PRESTAGE_DISK_IMAGE_REFUSED" });
    await assert.rejects(stat(join(folder, "outside/fstab")), { code: "ENOENT" });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("values that would start a new field or line are refused", () => {
  const withUser = (user: object): InstalledSystemOptions => ({ ...options, users: [{ name: "anna", ...user }] });
  for (const bad of [withUser({ name: "a:b" }), withUser({ passwordHash: "plain" }), withUser({ passwordHash: "$6$a$b:0:0\nroot::" }), withUser({ authorizedKeys: ["ssh-ed25519 AAAA\nroot"] }), { ...options, computerName: "a b" }, { ...options, computerName: "-a" }]) {
    assert.throws(() => installedSystemSettings(bad), { code: "PRESTAGE_DISK_BAD_SETTING" });
  }
});

test("the newest kernel is the one with the highest version that has an initramfs", async () => {
  assert.deepEqual(newestKernel(["vmlinuz-6.1.0-9", "initrd.img-6.1.0-9", "vmlinuz-6.1.0-56", "initrd.img-6.1.0-56", "vmlinuz-6.2"]), { vmlinuz: "vmlinuz-6.1.0-56", initrd: "initrd.img-6.1.0-56" });
  assert.throws(() => newestKernel(["vmlinuz-6.2"]), { code: "PRESTAGE_DISK_NO_KERNEL" });
  await assert.rejects(readAppliedImage("/nonexistent"));
});
