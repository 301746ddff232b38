import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { runWimlib, ContentLibrary, importImage } from "@prestage/content";
import { runProgram } from "@prestage/disk";
import { buildMedia } from "@prestage/media";
import { checkReceiptOfDisk, verifyDisk } from "@prestage/staging";
import { generateSigningKey, openReceipt, signKeyring } from "@prestage/trust";
import { cli } from "./fixtures/run-cli.ts";

const folder = await mkdtemp(join(tmpdir(), "prestage-bundle-"));
const root = join(folder, "root");
const keyringFile = join(folder, "keyring.dsse.json");
after(() => rm(folder, { recursive: true, force: true }));

/** A media whose one file has a name beyond ASCII: the bundle brings the locale it needs. */
async function makeMedia(): Promise<string> {
  const tree = async (name: string, files: Record<string, string>) => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(folder, name, path, ".."), { recursive: true });
      await writeFile(join(folder, name, path), text);
    }
    return join(folder, name);
  };
  const boot = join(folder, "boot.wim");
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": `# GRUB Environment Block\nboot=environment\n${"#".repeat(982)}` }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  await runWimlib(["append", await tree("agent", { "agent.mjs": "agent", "données/été.txt": "é" }), boot, "2", "--unix-data", "--check"]);
  const [key, mediaKey, other] = [generateSigningKey(), generateSigningKey(), generateSigningKey().public];
  const keyring = signKeyring({ siteCode: "ABC", version: 1, issued: "2026-01-01T00:00:00Z", expires: "2036-01-01T00:00:00Z", tlsCa: "", roles: { root: [key.public], media: [mediaKey.public], policy: [other], time: [other], url: [other] } }, [key]);
  await writeFile(keyringFile, keyring);
  const version = await importImage(new ContentLibrary(join(folder, "library")), boot, [1, 2]);
  const built = await buildMedia({
    manifest: {
      formatVersion: 1, leastAgentVersion: "0.1.0", version: "1", createdBy: "Workshop", comment: "", floor: "2026-01-01T00:00:00Z", architecture: "x64", site: { code: "ABC" }, managementPoints: { mode: "site-based", urls: ["https://10.0.2.2:8443"] }, distributionPoints: [],
      unknownComputers: true, passwordRequired: false, unattended: true, userDeviceAffinity: "none", taskSequence: { id: "ABC00001", name: "Debian" }, variables: [], keyboardLayout: "us", language: "en", damaged: "repair",
    },
    keyring: { version: 1, envelope: keyring }, bootImage: { content: { objectId: "ABC00010", kind: "boot-image", name: "Boot", revision: 1, contentId: version.contentId }, version }, content: [], mediaKey, output: join(folder, "media.wim"),
  });
  return built.path;
}

/**
 * A root folder with nothing but busybox. Its own loader and libc lie where nothing else looks for a loader, so a program
 * that is not started by the bundle's loader does not start at all.
 */
async function makeBareRoot(): Promise<void> {
  for (const name of ["bin", "busybox", "lib/x86_64-linux-gnu", "dev", "proc", "sys", "tmp", "out"]) await mkdir(join(root, name), { recursive: true });
  const [common, own] = ["/lib64/ld-linux-x86-64.so.2", "/busybox/ld-linux-x86-64.so"];
  const busybox = await readFile("/bin/busybox");
  const at = busybox.indexOf(`${common}\0`);
  if (at > 0) {
    busybox.write(own, at, "latin1");
    await copyFile(await realpath(common), join(root, own));
    for (const name of ["libc.so.6", "libresolv.so.2"]) await copyFile(await realpath(join("/lib/x86_64-linux-gnu", name)), join(root, "lib/x86_64-linux-gnu", name));
  }
  await writeFile(join(root, "bin/busybox"), busybox, { mode: 0o755 });
  for (const name of ["sh", "sha256sum", "ls"]) await symlink("busybox", join(root, "bin", name));
  for (const [name, minor] of [["null", "3"], ["zero", "5"], ["urandom", "9"]] as const) await runProgram("mknod", ["-m", "666", join(root, "dev", name), "c", "1", minor]);
}

/** Runs a command in the bare root: no network, its own processes and mounts. */
async function bare(...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const script = `mount -t sysfs sysfs ${root}/sys && exec chroot ${root} "$@"`;
  const args = ["--net", "--mount", "--pid", "--fork", `--mount-proc=${root}/proc`, "sh", "-c", script, "sh", ...command];
  return promisify(execFile)("unshare", args, { env: { PATH: process.env["PATH"], HOME: "/out" }, maxBuffer: 1 << 26 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

/** Why the bare root cannot be entered on this machine; undefined where it can. */
let closed: string | undefined;

before(async () => {
  const media = await makeMedia();
  await makeBareRoot();
  const made = await cli(["stage", "--bundle", join(root, "bundle"), "--media", media, "--keyring", keyringFile, "--json"]);
  assert.equal(made.exitCode, 0, made.stdout + made.stderr);
  const { stderr } = await bare("/bin/sh", "-c", ":");
  if (/unshare|mount:/.test(stderr)) closed = `this machine gives no namespaces: ${stderr}`;
});

test("a bundle is complete: checksums of every file, instructions in two languages, and it is not made over another", async () => {
  await runProgram("sha256sum", ["--check", "--quiet", "--strict", "SHA256SUMS"], { cwd: join(root, "bundle") });
  for (const name of ["media.wim", "media.wim.sha256", "run.sh", "README.txt", "LISEZMOI.txt", "keyring.dsse.json"]) assert.ok((await stat(join(root, "bundle", name))).size > 0, name);
  for (const name of ["README.txt", "LISEZMOI.txt"]) {
    const text = await readFile(join(root, "bundle", name), "utf8");
    assert.ok(text.split("\n").every((line) => line.length <= 80), name);
    assert.match(text, /\.\/run\.sh --disk \/dev\/sdb/);
  }
  const again = await cli(["stage", "--bundle", join(root, "bundle"), "--media", join(folder, "media.wim"), "--json"]);
  assert.match(again.stdout, /PRESTAGE_STAGING_BUNDLE/);
});

test("in a root with busybox alone, without Node and network, it stages an image file that reads back", async (context) => {
  if (closed !== undefined) return context.skip(closed);
  const empty = await bare("/bin/sh", "-c", "node --version; wimlib-imagex --version; /bundle/runner/programs/sync /; ls /lib64");
  assert.notEqual(empty.code, 0, "nothing of the host is there");
  assert.match(empty.stderr, /node: not found[^]*wimlib-imagex: not found[^]*sync: not found[^]*lib64/);
  const depot = await bare("/bin/sh", "/bundle/run.sh", "depot", "init", "--name", "Depot 3", "--json");
  assert.equal(depot.code, 0, depot.stdout + depot.stderr);
  const staged = await bare("/bin/sh", "/bundle/run.sh", "--disk", "/out/disk.img", "--size", "1400M", "--operator", "Ann", "--json");
  assert.equal(staged.code, 0, staged.stdout + staged.stderr);
  const { found, files } = await verifyDisk(join(root, "out/disk.img"), { trustedKeyring: await readFile(keyringFile) });
  assert.ok(files.some((file) => file.path === "/prestage/agent/données/été.txt"), files.map((file) => file.path).join("\n"));
  const opened = openReceipt(await readFile(join(root, "out/disk.img.receipt.dsse.json")));
  assert.deepEqual([opened.receipt.depot?.name, opened.receipt.mediaId], ["Depot 3", found.mediaId]);
  await checkReceiptOfDisk(opened, join(root, "out/disk.img"));
});

test("there too: a golden disk and its copy, a block device, and a refusal with its exit code", async (context) => {
  if (closed !== undefined) return context.skip(closed);
  const loop = await runProgram("losetup", ["--find"]).then((result) => result.output.trim(), () => undefined);
  if (loop === undefined) return context.skip("this machine gives no loop devices");
  const golden = await bare("/bin/sh", "/bundle/run.sh", "--golden", "--disk", "/out/golden.img", "--size", "1400M", "--json");
  assert.equal(golden.code, 0, golden.stdout + golden.stderr);
  const made = await bare("/bin/sh", "/bundle/run.sh", "receipt", "create", "--disk", "/out/golden.img", "--json");
  assert.equal(made.code, 0, made.stdout + made.stderr);
  await verifyDisk(join(root, "out/golden.img"));
  await rm(join(root, "out/golden.img"));
  const file = join(folder, "loop.img");
  await writeFile(file, "");
  await truncate(file, 1400 << 20);
  const device = (await runProgram("losetup", ["--find", "--show", file])).output.trim();
  try {
    const status = await stat(device);
    await runProgram("mknod", [join(root, device), "b", String(Math.floor(status.rdev / 256)), String(status.rdev % 256)]);
    const staged = await bare("/bin/sh", "/bundle/run.sh", "--disk", device, "--receipts", "/out/receipts", "--work-folder", "/out", "--json");
    assert.equal(staged.code, 0, staged.stdout + staged.stderr);
    const refused = await bare("/bin/sh", "/bundle/run.sh", "--disk", device);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /--wipe loop\.img/);
  } finally {
    await runProgram("losetup", ["--detach", device]);
  }
  await verifyDisk(file);
});

test("a program of the bundle that was altered on the way is not run", async (context) => {
  if (closed !== undefined) return context.skip(closed);
  const program = join(root, "bundle/runner/programs/sfdisk");
  const bytes = await readFile(program);
  await writeFile(program, Buffer.concat([bytes, Buffer.from("x")]));
  const refused = await bare("/bin/sh", "/bundle/run.sh", "--disk", "/out/x.img", "--size", "1400M");
  await writeFile(program, bytes);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /they are not/);
});
