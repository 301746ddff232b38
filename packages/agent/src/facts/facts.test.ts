import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { totalmem, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { factKey } from "@prestage/sequence";
import type { FactQuery } from "@prestage/sequence";
import { gatherFacts, windowsFileVersion } from "./gather-facts.ts";

const root = await mkdtemp(join(tmpdir(), "prestage-facts-"));
after(() => rm(root, { recursive: true }));
const logged: string[] = [];

async function ask(subject: FactQuery["subject"], name: string, property = ""): Promise<string | undefined> {
  const query: FactQuery = { subject, name, property };
  const facts = await gatherFacts([query], { root, signal: new AbortController().signal, log: (line) => void logged.push(line) });
  assert.ok(facts.has(factKey(query)));
  return facts.get(factKey(query));
}

test("files and folders of the system that is deployed, its links followed inside of it", async () => {
  await mkdir(join(root, "etc/alternatives"), { recursive: true });
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await writeFile(join(root, "usr/bin/tool"), "12345");
  await utimes(join(root, "usr/bin/tool"), new Date("2026-02-03T04:05:06Z"), new Date("2026-02-03T04:05:06Z"));
  await symlink("/usr/bin/tool", join(root, "etc/alternatives/tool"));
  await symlink("usr/bin", join(root, "bin"));
  await symlink("/../../../../etc/passwd-of-the-host", join(root, "etc/escape"));
  await symlink("loop", join(root, "loop"));
  assert.equal(await ask("file", "/usr/bin/tool"), "/usr/bin/tool");
  assert.equal(await ask("file", "/etc/alternatives/tool", "size"), "5");
  assert.equal(await ask("file", "/bin/tool", "modified"), "2026-02-03T04:05:06.000Z");
  assert.equal(await ask("folder", "/bin"), "/bin");
  for (const path of ["/bin", "/nothing", "/loop", "/etc/escape", "relative"]) assert.equal(await ask("file", path), undefined, path);
  assert.equal(await ask("folder", "/usr/bin/tool"), undefined);
});

test("the system's name, point release, language; its packages' versions, the newest of a pattern", async () => {
  await mkdir(join(root, "etc/default"), { recursive: true });
  await mkdir(join(root, "var/lib/dpkg"), { recursive: true });
  await mkdir(join(root, "usr/lib"), { recursive: true });
  await writeFile(join(root, "usr/lib/os-release"), 'NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n');
  await symlink("../usr/lib/os-release", join(root, "etc/os-release"));
  await writeFile(join(root, "etc/debian_version"), "12.10\n");
  await writeFile(join(root, "etc/default/locale"), 'LANG="fr_FR.UTF-8"\n');
  const entry = (name: string, state: string, version: string) => `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\nVersion: ${version}\nDescription: a\n Package: not this\n`;
  await writeFile(join(root, "var/lib/dpkg/status"), [entry("jq", "install ok installed", "1.6-2.1"), entry("gone", "deinstall ok config-files", "1"), entry("linux-image-6.1.0-9", "install ok installed", "6.1.27-1"), entry("linux-image-6.1.0-40", "install ok installed", "6.1.153-1")].join("\n"));
  assert.deepEqual([await ask("operatingSystem", "name"), await ask("operatingSystem", "version"), await ask("operatingSystem", "language")], ["debian", "12.10", "fr_FR"]);
  assert.deepEqual([await ask("software", "JQ"), await ask("software", "gone"), await ask("software", "linux-image-*"), await ask("software", "j.")], ["1.6-2.1", undefined, "6.1.153-1", undefined]);
});

test("a pattern of many stars is compared at once", async () => {
  const status = join(root, "var/lib/dpkg/status");
  await mkdir(join(root, "var/lib/dpkg"), { recursive: true });
  await writeFile(status, `Package: ${"a".repeat(60)}\nStatus: install ok installed\nVersion: 1\n`);
  const started = performance.now();
  assert.equal(await ask("software", `${"a*".repeat(8)}b`), undefined);
  assert.equal(await ask("software", `${"a*".repeat(12)}a`), "1");
  assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
});

test("hardware as kernel and firmware tell it; a registry there is none of", async () => {
  assert.equal(await ask("hardware", "memoryMiB"), String(Math.round(totalmem() / 2 ** 20)));
  assert.match((await ask("hardware", "firmware")) ?? "", /^(uefi|bios)$/);
  assert.match((await ask("hardware", "virtual")) ?? "", /^(true|false)$/);
  assert.ok(Number(await ask("hardware", "cores")) >= 1);
  assert.equal(await ask("registry", "HKLM\\SOFTWARE\\Vendor", "Version"), undefined);
  assert.ok(logged.some((line) => line.includes("this system has no registry")));
});

test("the version inside a Windows program; what is none has none", () => {
  const fixed = Buffer.alloc(52);
  fixed.writeUInt32LE(0xfeef04bd, 0);
  fixed.writeUInt32LE((10 << 16) | 0, 8);
  fixed.writeUInt32LE((26100 << 16) | 4349, 12);
  const program = Buffer.concat([Buffer.from("MZ"), Buffer.alloc(500), Buffer.from("VS_VERSION_INFO\0", "utf16le"), Buffer.alloc(2), fixed]);
  assert.equal(windowsFileVersion(program), "10.0.26100.4349");
  assert.equal(windowsFileVersion(program.subarray(2)), undefined);
  assert.equal(windowsFileVersion(program.subarray(0, program.length - 45)), undefined);
});

test("a file too large for a program is not read for its version", async () => {
  await writeFile(join(root, "image.wim"), "MZ");
  await truncate(join(root, "image.wim"), 1 << 30);
  assert.equal(await ask("file", "/image.wim", "version"), undefined);
  assert.ok(logged.some((line) => line.includes("/image.wim") && line.includes("not looked for")));
});
