import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { compressTo } from "./compress.ts";
import { icuStub } from "./icu-stub.ts";
import { dhcpScript, initScript } from "./init-script.ts";
import { InitramfsFiles, underUsr } from "./initramfs-files.ts";
import { readNewc, writeNewc } from "./newc.ts";
import { busyboxApplets, programLinks, programs } from "./userland.ts";

function sample(): InitramfsFiles {
  const files = new InitramfsFiles();
  files.file("usr/bin/tool", "abcde", 0o755);
  files.file("etc/empty", "");
  files.link("bin", "usr/bin");
  files.device("dev/console", 0o600, 5, 1);
  return files;
}

test("cpio lists and unpacks what was written, folders before their files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-newc-"));
  try {
    const archive = Buffer.concat([...writeNewc(sample().entries(), 1_700_000_000)]);
    const listing = execFileSync("cpio", ["-itv", "--quiet", "--numeric-uid-gid"], { input: archive, encoding: "utf8", env: { ...process.env, TZ: "UTC", LC_ALL: "C" } });
    assert.match(listing, /^lrwxrwxrwx .* bin -> usr\/bin$/m);
    assert.match(listing, /^crw------- .* 5, +1 .* dev\/console$/m);
    assert.match(listing, /^-rwxr-xr-x +1 0 +0 +5 Nov 14 +2023 usr\/bin\/tool$/m);
    const names = execFileSync("cpio", ["-it", "--quiet"], { input: archive, encoding: "utf8" }).split("\n");
    assert.ok(names.indexOf("usr") < names.indexOf("usr/bin") && names.indexOf("usr/bin") < names.indexOf("usr/bin/tool"));
    execFileSync("cpio", ["-id", "--quiet"], { input: archive, cwd: folder });
    assert.equal(await readFile(join(folder, "bin/tool"), "utf8"), "abcde");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the same entries give the same bytes, in whatever order they were added", () => {
  const other = new InitramfsFiles();
  other.device("dev/console", 0o600, 5, 1);
  other.link("bin", "usr/bin");
  other.file("etc/empty", "");
  other.file("usr/bin/tool", "abcde", 0o755);
  assert.deepEqual(Buffer.concat([...writeNewc(other.entries(), 7)]), Buffer.concat([...writeNewc(sample().entries(), 7)]));
});

test("archives that follow each other read back, and cut-off ones are refused", () => {
  const first = Buffer.concat([...writeNewc(sample().entries(), 1)]);
  assert.equal(first.length % 512, 0);
  const own = new InitramfsFiles();
  own.file("agent/agent.mjs", "agent");
  const both = Buffer.concat([first, ...writeNewc(own.entries(), 1)]);
  assert.deepEqual([...readNewc(both)].map((entry) => (entry.kind === "file" ? { ...entry, data: Buffer.from(entry.data) } : entry)), [...sample().entries(), ...own.entries()]);
  assert.throws(() => [...readNewc(first.subarray(0, 200))], RangeError);
  assert.throws(() => [...readNewc(Buffer.from("no archive at all"))], RangeError);
});

test("compressed parts unpack to what they were", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-compress-"));
  try {
    const parts = Array.from({ length: 300 }, (_, index) => Buffer.alloc(10_000, index));
    await compressTo(join(folder, "a.zst"), parts, 3);
    assert.deepEqual(execFileSync("zstd", ["-dc", join(folder, "a.zst")], { maxBuffer: 1 << 24 }), Buffer.concat(parts));
    await assert.rejects(compressTo(join(folder, "b.zst"), parts, 3, AbortSignal.abort()), { name: "AbortError" });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the scripts of the boot environment are valid, and init brings no network up", () => {
  for (const script of [initScript, dhcpScript]) execFileSync("sh", ["-n"], { input: script });
  assert.ok(!/udhcpc|ip link set (?!lo)/.test(initScript));
});

test("every command the scripts use is in the boot environment", () => {
  const available = new Set([...programs, ...Object.keys(programLinks)].map((path) => path.split("/").at(-1)).concat(busyboxApplets));
  for (const command of ["mount", "umount", "modprobe", "find", "xargs", "sort", "cat", "date", "ip", "setsid", "grep", "cut", "tail", "sync", "reboot", "poweroff", "stty", "mkfifo", "sleep", "uname", "mkdir", "rm"]) assert.ok(available.has(command), command);
});

test("the replacement of ICU's data is a library with the symbol wimlib's chain asks for", async () => {
  const bytes = Buffer.from(await icuStub());
  assert.equal(bytes.toString("latin1", 1, 4), "ELF");
  assert.ok(bytes.includes("icudt72_dat") && bytes.length < 20_000);
});

test("paths of packages that are not merged yet move under usr", () => {
  assert.deepEqual(["bin/x", "lib/modules/y", "usr/bin/z", "etc/a", "library/b"].map(underUsr), ["usr/bin/x", "usr/lib/modules/y", "usr/bin/z", "etc/a", "library/b"]);
});
