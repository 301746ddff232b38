import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import { runOrKill } from "../fixtures/killed-run.ts";
import type { CutInput, Enter, Hold } from "../fixtures/killed-run.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import type { RunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { installedPackages, securityUpdates } from "./updates/apt.ts";
import { dnfCommand, zypperCommands } from "./updates/rpm.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

async function write(root: string, files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function makeDeb(work: string, target: string, name: string, version: string, depends = "", scripts: Record<string, string> = {}): Promise<void> {
  const tree = join(work, `${name}_${version}`);
  await write(tree, Object.fromEntries(Object.entries(scripts).map(([script, text]) => [`DEBIAN/${script}`, `#!/bin/sh\nset -e\n${text}\n`])));
  for (const script of Object.keys(scripts)) await chmod(join(tree, "DEBIAN", script), 0o755);
  await write(tree, { "DEBIAN/control": `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n${depends === "" ? "" : `Depends: ${depends}\n`}Description: of a test\n`, [`usr/share/${name}`]: `${version}\n` });
  await mkdir(target, { recursive: true });
  await runProgram("dpkg-deb", ["--root-owner-group", "-b", tree, join(target, `${name}_${version}_all.deb`)]);
}

/** A Debian in a folder, with a dpkg of its own, and repositories that are folders. */
async function makeSystem(fixture: RunFixture, archives: readonly string[]): Promise<void> {
  const { folder } = fixture;
  const sources = archives.map((archive) => `deb [trusted=yes] file:${join(folder, "repositories", archive)} ./`).join("\n");
  await write(folder, { "usr/bin/apt-get": "", "var/lib/dpkg/status": "", "etc/apt/sources.list": `${sources}\n`, "etc/apt/apt.conf.d/none": "", "etc/apt/preferences.d/none": "" });
  for (const path of ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib", "var/cache", "var/log", "var/run"]) await mkdir(join(folder, path), { recursive: true });
}

async function makeRepository(fixture: Pick<RunFixture, "folder">, archive: string, label: string): Promise<void> {
  const folder = join(fixture.folder, "repositories", archive);
  await mkdir(folder, { recursive: true });
  const entries = (await readdir(folder)).map(async (file) => {
    const { output: control } = await runProgram("dpkg-deb", ["-f", join(folder, file)]);
    const { output: sum } = await runProgram("sha256sum", [join(folder, file)]);
    return `${control.trim()}\nFilename: ./${file}\nSize: ${(await stat(join(folder, file))).size}\nSHA256: ${sum.slice(0, 64)}\n`;
  });
  const output = (await Promise.all(entries)).join("\n");
  await writeFile(join(folder, "Packages"), output);
  await writeFile(join(folder, "Release"), `Origin: Debian\nLabel: ${label}\nSuite: ${archive}\nVersion: 12\nCodename: ${archive}\nSHA256:\n ${(await runProgram("sha256sum", [join(folder, "Packages")])).output.slice(0, 64)} ${Buffer.byteLength(output)} Packages\n`);
}

async function versions(fixture: RunFixture): Promise<Record<string, string>> {
  const { output } = await runProgram("dpkg-query", [`--admindir=${join(fixture.folder, "var/lib/dpkg")}`, "-W", "-f", "${Package} ${Version}\n"], { accept: [0, 1] });
  return Object.fromEntries(output.split("\n").filter((line) => line !== "").map((line) => line.split(" ")) as [string, string][]);
}

async function install(fixture: RunFixture, ...names: string[]): Promise<void> {
  const debs = (await readdir(join(fixture.folder, "first"))).filter((file) => names.some((name) => file.startsWith(`${name}_`)));
  await runProgram("dpkg", [`--root=${fixture.folder}`, "--force-not-root", "--force-depends", "-i", ...debs.map((file) => join(fixture.folder, "first", file))]);
}

test("from repositories: those of security alone, then one by its name, then all with what they need; what is not installed stays so", { timeout: 60_000 }, async () => {
  const step = (settings: object) => ({ type: "install-updates", with: { ...settings } });
  const shown = (): string => fixture.logged.join("\n");
  const fixture = await makeRunFixture([step({ updates: "security" }), step({ names: ["b"] }), step({ updates: "all", server: "http://wsus.example.org:8530" }), step({ updates: "all" })]);
  await makeSystem(fixture, ["stable", "stable-security"]);
  const work = join(fixture.folder, "work");
  for (const name of ["a", "b", "c"]) await makeDeb(work, join(fixture.folder, "first"), name, "1");
  await makeDeb(work, join(fixture.folder, "repositories/stable-security"), "a", "2");
  for (const [name, depends] of [["b", ""], ["c", "d (>= 2)"], ["d", ""], ["e", ""]] as const) await makeDeb(work, join(fixture.folder, "repositories/stable"), name, "2", depends);
  await makeRepository(fixture, "stable", "Debian");
  await makeRepository(fixture, "stable-security", "Debian-Security");
  await install(fixture, "a", "b", "c");
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" }, shown());
  assert.deepEqual(await versions(fixture), { a: "2", b: "2", c: "2", d: "2" });
  assert.equal(await readFile(join(fixture.folder, "usr/share/d"), "utf8"), "2\n");
  assert.match(shown(), /\[s1\] updates of security: a\n/);
  const settingUp = (id: string) => [...shown().matchAll(new RegExp(`\\[${id}\\] Setting up (\\S+)`, "g"))].map((match) => match[1] ?? "");
  assert.deepEqual([settingUp("s1"), settingUp("s2"), settingUp("s3").toSorted((a, b) => a.localeCompare(b)), settingUp("s4")], [["a"], ["b"], ["c", "d"], []]);
});

test("from a package without a network: the newest of what is installed, with what it needs; a wanted restart has the code 3010 and is made", { timeout: 60_000 }, async () => {
  const step = (settings: object) => ({ type: "install-updates", with: { package: "ABC00001", ...settings } });
  const fixture = await makeRunFixture([step({ restart: "false" }), step({}), step({})], [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await makeSystem(fixture, ["gone"]);
  const work = join(fixture.folder, "work");
  const content = join(fixture.folder, "content/ABC00001/debs");
  for (const name of ["a", "b"]) await makeDeb(work, join(fixture.folder, "first"), name, "1");
  for (const [name, version, depends] of [["a", "3", "new-for-a | other"], ["a", "2", ""], ["b", "0", ""], ["new-for-a", "1", ""], ["foreign", "1", ""]] as const) await makeDeb(work, content, name, version, depends);
  await install(fixture, "a", "b");
  await writeFile(join(fixture.folder, "var/run/reboot-required"), "");
  const context = await fixture.context({ environment: "installed" });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine }), { result: "succeeded" }, fixture.logged.join("\n"));
  assert.deepEqual(await versions(fixture), { a: "3", b: "1", "new-for-a": "1" });
  await context.status.flush();
  const codes = fixture.kept.filter((message) => message.kind === "step-finished").map((message) => [message.exitCode, message.outputTail]);
  assert.equal(codes[0]?.[0], 3010);
  // Nothing was updated: what had asked for a restart is no business of these.
  assert.deepEqual(codes.slice(1), [[undefined, "nothing is to be updated"], [undefined, "nothing is to be updated"]]);
});

test("after updates that ask for it the computer is restarted; a repository that does not answer is a failure", { timeout: 60_000 }, async () => {
  const fixture = await makeRunFixture([{ type: "install-updates", with: { package: "ABC00001" } }, { type: "install-updates" }], [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await makeSystem(fixture, ["gone"]);
  await makeDeb(join(fixture.folder, "work"), join(fixture.folder, "first"), "a", "1");
  await makeDeb(join(fixture.folder, "work"), join(fixture.folder, "content/ABC00001"), "a", "2");
  await install(fixture, "a");
  await writeFile(join(fixture.folder, "var/run/reboot-required"), "");
  const run = async (bootId: string) => runSequence(await fixture.context({ environment: "installed" }), { bootId, machine });
  assert.deepEqual(await run("1"), { result: "restart", to: "installed" }, fixture.logged.join("\n"));
  assert.deepEqual(await run("2"), { result: "failed" });
  assert.match(fixture.logged.join("\n"), /Expected the repositories to answer to end with 0/);
});

test("in the boot environment updates are laid onto the Windows that was applied, and Windows Setup adds them in their order", async () => {
  const step = { type: "install-updates", with: { package: "ABC00001" } };
  const fixture = await makeRunFixture([step, step, { type: "install-updates" }], [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await write(fixture.folder, { "Windows/System32/a": "", "content/ABC00001/2-second.cab": "b", "content/ABC00001/1-first.MSU": "a", "content/ABC00001/readme.txt": "", "Windows/Prestage/Updates/ABC00001.partial/rest": "" });
  assert.deepEqual(await runSequence(await fixture.context(), { bootId: "1", machine }), { result: "failed" });
  const text = await readFile(join(fixture.folder, "Windows/Panther/unattend.xml"), "utf8");
  assert.deepEqual([...text.matchAll(/Updates\\([^&"]*)&quot;/g)].map((match) => match[1]), ["ABC00001\\1-first.MSU", "ABC00001\\2-second.cab"]);
  assert.deepEqual([...text.matchAll(/<Order>(\d)</g)].map((match) => match[1]), ["1", "2"]);
  assert.deepEqual(await readdir(join(fixture.folder, "Windows/Prestage/Updates")), ["ABC00001"]);
  assert.match(fixture.logged.join("\n"), /step Step 3 failed .*: PRESTAGE_AGENT_STEP_INVALID: Expected a package of updates/);
});

test("which updates are of security is told by the archive they come from", () => {
  const text = "Inst libc6 [2.36-9+deb12u8] (2.36-9+deb12u9 Debian-Security:12/stable-security [amd64])\nInst bash [5.1] (5.2 Debian:12.5/stable [amd64])\nInst new (1 Debian-Security:12/stable-security [amd64])\nInst curl [7.8] (7.9 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64]) []\nConf libc6 (2.36-9+deb12u9 Debian-Security:12/stable-security [amd64])\n";
  assert.deepEqual(securityUpdates(text), ["libc6", "curl"]);
});

test("what a cut has left half of is there and broken; what is removed, or wanted no more, is not there", () => {
  const found = installedPackages("ii \ta\t1\niHR\tb\t1\niU \tc\t2\nhi \td\t1\nrc \te\t1\nun \tf\t\nin \tg\t\n");
  assert.deepEqual([...found], [["a", { version: "1", broken: false }], ["b", { version: "1", broken: true }], ["c", { version: "2", broken: false }], ["d", { version: "1", broken: false }]]);
});

test("dnf and zypper are asked as their manuals say", () => {
  assert.equal(dnfCommand({ updates: "security", names: undefined }, undefined), "dnf -y upgrade --security");
  assert.equal(dnfCommand({ updates: "all", names: ["openssl"] }, undefined), "dnf -y upgrade 'openssl'");
  assert.equal(dnfCommand({ updates: "all", names: undefined }, ["/a b.rpm"]), "dnf -y '--disablerepo=*' upgrade '/a b.rpm'");
  assert.deepEqual(zypperCommands({ updates: "security", names: undefined }, undefined), ["zypper --non-interactive refresh", "zypper --non-interactive patch --category security"]);
  assert.deepEqual(zypperCommands({ updates: "all", names: undefined }, ["/it's.rpm"]), ["zypper --non-interactive --no-refresh install '/it'\\''s.rpm'"]);
});

test("a folder of many packages is read a few at a time", { timeout: 60_000 }, async () => {
  const fixture = await makeRunFixture([{ type: "install-updates", with: { package: "ABC00001" } }], [contentOf("ABC00001", { kind: "package", programs: [] })]);
  await makeSystem(fixture, []);
  const content = join(fixture.folder, "content/ABC00001");
  await makeDeb(join(fixture.folder, "work"), content, "a", "2");
  const [deb = ""] = await readdir(content);
  for (let i = 0; i < 40; i++) await copyFile(join(content, deb), join(content, `copy-${i}.deb`));
  // Each says how many there are while it runs.
  const [programs, running] = [join(fixture.folder, "programs"), join(fixture.folder, "running")];
  await mkdir(running);
  await write(programs, { "dpkg-deb": `#!/bin/sh\nmkdir ${running}/$$; ls ${running} | wc -l >> ${running}.log; PATH=/usr/bin:/bin dpkg-deb "$@"; rmdir ${running}/$$\n` });
  await chmod(join(programs, "dpkg-deb"), 0o755);
  const path = process.env["PATH"];
  process.env["PATH"] = `${programs}:${path ?? ""}`;
  try {
    assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" }, fixture.logged.join("\n"));
  } finally {
    process.env["PATH"] = path;
  }
  const counts = (await readFile(`${running}.log`, "utf8")).trim().split("\n").map(Number);
  assert.equal(counts.length, 41);
  assert.ok(Math.max(...counts) <= 8, `${Math.max(...counts)} at once`);
});

/**
 * A root of its own for the real apt-get and dpkg: this system's, with what is written kept in $1/upper (on $1's own file system, which is no part of it), and
 * packages of its own. What it is started with ends with it. $2: this checkout, $3: the folder node lies in.
 */
const ownRoot = `set -e
mkdir -p "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for place in /proc /dev "$1" "$2" "$3"; do mkdir -p "$1/root$place"; mount --rbind "$place" "$1/root$place"; done
for place in var/lib/dpkg var/lib/apt var/cache/apt var/log etc/apt; do mkdir -p "$1/root/$place"; mount --bind "$1/system/$place" "$1/root/$place"; done
root=$1; shift 3
exec chroot "$root/root" "$@"`;

test("killed in the middle of dpkg, at each script of the packages, and begun again: dpkg finishes what it had begun, and the system is as after one run that was not", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-updates-cut-"));
  await runProgram("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", folder]);
  try {
    const checkout = join(import.meta.dirname, "../../../..");
    const says = (name: string, script: string) => `echo "script ${script} of ${name}"; sleep 0.2`;
    const scripts = (name: string) => ({ preinst: says(name, "preinst"), postinst: `${says(name, "postinst")}; echo set up >> /usr/share/${name}-log` });
    for (const [name, depends] of [["a", "b (>= 2)"], ["b", ""]] as const) {
      await makeDeb(join(folder, "debs"), join(folder, "first"), name, "1");
      await makeDeb(join(folder, "debs"), join(folder, "newer"), name, "2", depends, scripts(name));
    }
    const make = async (name: string) => {
      const place = join(folder, name);
      const system = join(place, "system");
      for (const path of ["../upper", "../work", "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt", "var/cache/apt", "var/log", "../repositories", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"]) await mkdir(join(system, path), { recursive: true });
      await write(system, { "var/lib/dpkg/status": "", "etc/apt/sources.list": `deb [trusted=yes] file:${place}/repositories/stable ./\n` });
      return place;
    };
    const enter = (place: string): Enter => (command) => ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child", "sh", "-c", ownRoot, "sh", place, checkout, dirname(process.execPath), ...command];
    const start = (place: string, from: object, hold?: Hold) => {
      const input: CutInput = {
        steps: [{ type: "run-command-line", with: { command: `dpkg --force-depends -i ${place}/first/*.deb` }, once: { file: "/usr/share/a", exists: true } }, { type: "install-updates", with: { ...from } }],
        stepId: "s2", content: [contentOf("ABC00001", { kind: "package", programs: [] })], folders: { ABC00001: join(place, "newer") }, secrets: {}, journal: join(place, "journal"), ...(hold && { hold }),
        change: { environment: "installed", dataRoot: "/", unattended: true },
      };
      return runOrKill(place, input, enter(place));
    };
    const begin = async (name: string, from: object, hold?: Hold) => {
      const place = await make(name);
      for (const debs of ["first", "newer"]) await runProgram("cp", ["-r", join(folder, debs), place]);
      await runProgram("cp", ["-r", join(folder, "newer"), join(place, "repositories/stable")]);
      await makeRepository({ folder: place }, "stable", "Debian");
      return { place, ended: await start(place, from, hold) };
    };
    const state = async (place: string) => {
      const { output } = await runProgram("dpkg-query", [`--admindir=${join(place, "system/var/lib/dpkg")}`, "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n"]);
      const files = (await readdir(join(place, "upper/usr/share"))).filter((name) => !name.endsWith("-log")).toSorted();
      return [output, await readdir(join(place, "system/var/lib/dpkg/updates")), await Promise.all(files.map(async (name) => [name, await readFile(join(place, "upper/usr/share", name), "utf8")]))];
    };
    const [package_, repositories] = [{ package: "ABC00001" }, { updates: "all" }];
    const whole = await begin("whole", package_);
    assert.deepEqual([whole.ended?.result, whole.ended?.begun], ["succeeded", 1], whole.ended?.log.join("\n"));
    const expected = await state(whole.place);
    assert.deepEqual(expected, ["a 2 installed\nb 2 installed\n", [], [["a", "2\n"], ["b", "2\n"]]]);
    let mended = 0;
    const places: [string, object][] = [...["to update: ", "script preinst of b", "script postinst of b", "script preinst of a", "script postinst of a"].map((at): [string, object] => [at, package_]), ["script preinst of a", repositories], ["script postinst of b", repositories], ["script preinst of a", { names: ["a"] }]];
    for (const [i, [at, from]] of places.entries()) {
      const { place, ended } = await begin(`at-${i}`, from, { says: at });
      assert.equal(ended, undefined, `held at ${at}: ${ended?.log.join("\n") ?? ""}`);
      const before = await state(place);
      assert.notDeepEqual(before, expected, at);
      const again = await start(place, from);
      assert.deepEqual([again?.result, again?.begun], ["succeeded", 2], `${at}\n${again?.log.join("\n") ?? ""}`);
      assert.deepEqual(await state(place), expected, at);
      if (/half|unpacked/.test(String(before[0]))) mended++;
    }
    assert.ok(mended >= 3, `${mended} cuts left packages half installed`);
  } finally {
    await runProgram("umount", [folder]);
    await rm(folder, { recursive: true });
  }
});
