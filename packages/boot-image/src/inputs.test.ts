import assert from "node:assert/strict";
import { test } from "node:test";
import { buildBootImage } from "./build-boot-image.ts";
import { parseIndexTargets, sourceLines } from "./debian-sources.ts";
import { grubConfig, initialBootEnvironment } from "./grub-config.ts";
import { moduleName, parseModulesDep, selectModules } from "./kernel-modules.ts";
import { fileTime, replaceXmlTimes } from "./wim-times.ts";

const targets = `MetaKey: main/binary-amd64/Packages
Repo-URI: http://mirror.example/debian/
Origin: Debian
Label: Debian
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

MetaKey: main/binary-amd64/Packages
Repo-URI: http://mirror.example/debian/
Origin: Debian
Label: Debian

Repo-URI: http://mirror.example/debian-security
Origin: Debian
Label: Debian-Security

Repo-URI: http://mirror.example/debian-backports
Origin: Debian Backports
Label: Debian Backports

Repo-URI: https://vendor.example/apt
Origin: Vendor
Label: Debian
`;

test("only archives of Debian's own are taken from the machine's sources, each once, with another suite put in", () => {
  const sources = parseIndexTargets(targets);
  assert.deepEqual(sources.map(({ kind, uri }) => [kind, uri]), [["main", "http://mirror.example/debian"], ["security", "http://mirror.example/debian-security"]]);
  assert.deepEqual(sourceLines(sources, "trixie", ["main", "non-free-firmware"]).map((line) => line.replace(/\[.*?\] /, "")), [
    "deb http://mirror.example/debian trixie main non-free-firmware",
    "deb http://mirror.example/debian trixie-updates main non-free-firmware",
    "deb http://mirror.example/debian-security trixie-security main non-free-firmware",
  ]);
  assert.deepEqual(parseIndexTargets("nothing"), []);
});

const kernel = {
  version: "6.1",
  dependencies: parseModulesDep("kernel/drivers/ata/ahci.ko.xz: kernel/drivers/ata/libahci.ko.xz kernel/drivers/ata/libata.ko.xz\nkernel/drivers/ata/libahci.ko.xz: kernel/drivers/ata/libata.ko.xz\nkernel/drivers/ata/libata.ko.xz:\nkernel/drivers/net/virtio_net.ko.xz: kernel/drivers/net/net-failover.ko.xz\nkernel/drivers/net/net-failover.ko.xz:\nkernel/drivers/net/other.ko.xz:\n"),
  builtin: new Set(["ext4"]),
};

test("modules come with everything they depend on, and excluded ones only when needed", () => {
  const profile = { modules: ["virtio-net"], moduleFolders: ["drivers/ata"], excluded: ["drivers/ata/libata.ko"] };
  assert.deepEqual(selectModules(kernel, profile, ["ext4"]).map(moduleName), ["ahci", "libahci", "libata", "net_failover", "virtio_net"]);
  assert.deepEqual(selectModules(kernel, { modules: ["built_in_elsewhere"], moduleFolders: [], excluded: [] }, []), []);
  assert.throws(() => selectModules(kernel, profile, ["nvme"]), { code: "PRESTAGE_BOOT_IMAGE_MODULE_MISSING" });
});

test("the times in a WIM's XML are replaced without changing its length", () => {
  const xml = "<CREATIONTIME><HIGHPART>0x01DC0001</HIGHPART><LOWPART>0xABCDEF01</LOWPART></CREATIONTIME>";
  const replaced = replaceXmlTimes(xml, fileTime(0));
  assert.equal(replaced, "<CREATIONTIME><HIGHPART>0x019DB1DE</HIGHPART><LOWPART>0xD53E8000</LOWPART></CREATIONTIME>");
  assert.equal(replaced.length, xml.length);
});

test("the boot switch begins at the environment, in a block of 1,024 bytes", () => {
  const block = Buffer.from(initialBootEnvironment());
  assert.equal(block.length, 1024);
  assert.match(block.toString("latin1"), /^# GRUB Environment Block\nboot=environment\n#+$/);
  assert.match(grubConfig, /prestage\.esp=\$espid/);
  assert.match(grubConfig, /"\$boot" = "windows" -a -e \$windows \]; then\n  chainloader \$windows\n/);
});

test("missing inputs are named before anything is downloaded", async () => {
  const options = { profile: "virtual" as const, keyring: new Uint8Array(1), agentBundle: "/nonexistent.mjs", nodeBinary: process.execPath, output: "/tmp/none.wim", cacheDir: "/nonexistent" };
  await assert.rejects(buildBootImage(options), { code: "PRESTAGE_BOOT_IMAGE_BAD_INPUT", message: /agent bundle/ });
  await assert.rejects(buildBootImage({ ...options, agentBundle: import.meta.filename, keyring: new Uint8Array(0) }), { code: "PRESTAGE_BOOT_IMAGE_BAD_INPUT", message: /keyring/ });
});
