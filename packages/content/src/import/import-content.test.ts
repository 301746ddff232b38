import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { appendFile, chmod, copyFile, mkdir, open, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { openWimFile } from "@prestage/wim";
import { ContentLibrary } from "../library/content-library.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { importFolder, importImage } from "./import-content.ts";
import { checkChunkLists, openStorageMap } from "../description/index-document.ts";
import { runWimlib } from "./wimlib.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const run = promisify(execFile);
const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const big = halfNoise(600_000);
const tree = { "setup.sh": "#!/bin/sh\n", "data/big.bin": big, "data/twin.bin": big, "empty.txt": "", "pagefile.sys": "kept", "deep/er/x": "x" };
let imageWim = "";

before(async () => {
  imageWim = join(folder, "image.wim");
  await writeTree(join(folder, "os"), { "etc/hostname": "image", "usr/big": big });
  await symlink("../etc/hostname", join(folder, "os/usr/link"));
  await runWimlib(["capture", join(folder, "os"), imageWim, "the image", "--unix-data", "--compress=LZX:20"]);
});

/** Nothing half-made stays behind in the library. */
async function nothingIncoming(): Promise<void> {
  assert.deepEqual(await readdir(join(library.root, "incoming")).catch(() => []), []);
}

test("a folder becomes a version whose index describes it and whose WIM holds it", async () => {
  const source = await writeTree(join(folder, "first"), tree);
  await chmod(join(source, "setup.sh"), 0o755);
  await mkdir(join(source, "hollow/folder"), { recursive: true });
  const version = await importFolder(library, source);
  assert.deepEqual(version.index.files.map((file) => file.path), Object.keys(tree).sort());
  assert.deepEqual(version.index.directories, ["hollow/folder"]);
  for (const file of version.index.files) {
    const bytes = await readFile(join(source, file.path));
    assert.deepEqual([file.size, file.sha256, file.executable], [bytes.length, sha256(bytes), file.path === "setup.sh" ? true : undefined]);
    assert.equal(file.chunks !== undefined, bytes.length > 65_536);
  }
  checkChunkLists(version.index, await readFile(join(version.folder, "chunks.bin")));
  const storage = openStorageMap(await readFile(join(version.folder, "storage.json")), version.storageSha256);
  assert.equal(storage.wimSha256, sha256(await readFile(version.wimPath)));
  assert.equal(storage.files.length, 5);
  assert.ok(version.storedBytes < 600_000, "equal files are stored once, compressed");
  await runWimlib(["verify", version.wimPath]);
  await runWimlib(["apply", version.wimPath, "1", join(folder, "applied")]);
  await run("diff", ["-r", source, join(folder, "applied")]);
  await nothingIncoming();
});

test("equal files give the same id whatever their times, place and order; nothing is added", async () => {
  const again = await writeTree(join(folder, "elsewhere/second"), Object.fromEntries(Object.entries(tree).reverse()));
  await chmod(join(again, "setup.sh"), 0o711);
  await mkdir(join(again, "hollow/folder"), { recursive: true });
  await utimes(join(again, "setup.sh"), 1e9, 1e9);
  const [first] = await readdir(join(library.root, "content"));
  const before = await stat(join(library.folderOf(first ?? ""), "content.wim"));
  const version = await importFolder(library, again);
  assert.equal(version.contentId, first);
  assert.equal((await stat(version.wimPath)).ino, before.ino);
  await nothingIncoming();
});

test("a changed byte, name or execute bit makes a new version; the old one stays", async () => {
  const source = join(folder, "elsewhere/second");
  const { contentId } = await importFolder(library, source);
  const ids = new Set([contentId]);
  await appendFile(join(source, "deep/er/x"), "y");
  ids.add((await importFolder(library, source)).contentId);
  await chmod(join(source, "setup.sh"), 0o644);
  ids.add((await importFolder(library, source)).contentId);
  await writeFile(join(source, "deep/er/z"), "x");
  ids.add((await importFolder(library, source)).contentId);
  assert.equal(ids.size, 4);
  assert.equal((await library.open(contentId)).index.files.length, 6);
});

test("links, devices, pipes, twins and empty folders are refused by name", async () => {
  const refused = async (name: string, code: string, make: (path: string) => Promise<unknown>) => {
    const source = await writeTree(join(folder, name), { ok: "ok" });
    await make(source);
    await assert.rejects(importFolder(library, source), { code }, name);
  };
  await refused("link", "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", (path) => symlink("/etc/passwd", join(path, "leak")));
  await refused("dir-link", "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", (path) => symlink("/etc", join(path, "leak")));
  await refused("pipe", "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", (path) => run("mkfifo", [join(path, "pipe")]));
  await refused("bad-utf8", "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED", (path) => writeFile(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff, 0xfe)]), "x"));
  await refused("twins", "PRESTAGE_CONTENT_PATH_UNSAFE", (path) => writeFile(join(path, "OK"), "x"));
  await refused("windows-name", "PRESTAGE_CONTENT_PATH_UNSAFE", (path) => writeFile(join(path, "aux.txt"), "x"));
  await refused("empty", "PRESTAGE_CONTENT_SOURCE_EMPTY", (path) => rm(join(path, "ok")));
  await assert.rejects(importFolder(library, join(folder, "nowhere")), { code: "PRESTAGE_CONTENT_SOURCE_UNSUPPORTED" });
  await nothingIncoming();
});

test("an aborted import leaves nothing behind", async () => {
  const abort = new AbortController();
  const source = await writeTree(join(folder, "long"), Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, noise(700_000, i)])));
  await assert.rejects(importFolder(library, source, { signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) }), /enough|aborted/);
  await nothingIncoming();
});

test("an image without integrity table gets one; its index describes the WIM and the files in it", async () => {
  const version = await importImage(library, imageWim, [1]);
  const wim = await openWimFile(version.wimPath);
  assert.ok(wim.integrity !== undefined);
  await wim.close();
  await runWimlib(["verify", version.wimPath]);
  const [file] = version.index.files;
  assert.deepEqual([version.index.shape, file?.path, file?.sha256], ["image", "image.wim", sha256(await readFile(version.wimPath))]);
  assert.deepEqual(version.index.images?.map(({ index, name, files }) => [index, name, files.map((one) => one.path)]), [[1, "the image", ["etc/hostname", "usr/big"]]]);
  assert.equal(version.index.images?.[0]?.files[1]?.sha256, sha256(big));
  checkChunkLists(version.index, await readFile(join(version.folder, "chunks.bin")));
});

test("an image with an integrity table is kept as it came, byte for byte", async () => {
  const withTable = join(folder, "checked.wim");
  await runWimlib(["export", imageWim, "all", withTable, "--check"]);
  assert.deepEqual(await readFile((await importImage(library, withTable, [1])).wimPath), await readFile(withTable));
});

test("a solid image (.esd) is recompressed once, at import", async () => {
  const solid = join(folder, "solid.esd");
  await runWimlib(["export", imageWim, "all", solid, "--solid"]);
  const version = await importImage(library, solid, [1]);
  assert.equal(version.index.images?.[0]?.files[1]?.sha256, sha256(big));
});

test("names its system could not hold refuse an image: those of Windows on a Windows or for booting, and on a Linux only what it cannot hold itself", async () => {
  const names = { "aux.txt": "device", "dir/CON": "device", "trailing.": "dot", 'a"b': "reserved" };
  for (const [i, tree] of [...Object.entries(names).map(([name]) => ({ [name]: "x" })), { "twin/readme": "x", "twin/README": "y" }].entries()) {
    const linux = join(folder, `linux-${i}.wim`);
    await runWimlib(["capture", await writeTree(join(folder, `named-${i}`), { ok: "ok", ...tree }), linux, "named", "--unix-data"]);
    assert.equal((await importImage(library, linux, [1])).index.images?.length, 1);
    await assert.rejects(importImage(library, linux, [1], { forBoot: true }), { code: "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED" });
    const neither = join(folder, `neither-${i}.wim`);
    await runWimlib(["capture", join(folder, `named-${i}`), neither, "named"]);
    await assert.rejects(importImage(library, neither, [1]), { code: "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED" });
    const windows = join(folder, `windows-${i}.wim`);
    await copyFile(linux, windows);
    await runWimlib(["info", windows, "1", "--image-property", "WINDOWS/ARCH=9"]);
    await assert.rejects(importImage(library, windows, [1]), (cause: Error) => /Expected names that a disk of Windows can hold in image 1; found /.test(cause.message));
  }
  // What Linux itself cannot hold: made by altering the directory entry, as wimlib would not write it.
  const long = join(folder, "long.wim");
  await runWimlib(["capture", await writeTree(join(folder, "long-name"), { ["n".repeat(200)]: "x" }), long, "long", "--compress=none"]);
  const wim = await openWimFile(long);
  const { resource, sha1 } = wim.imageMetadata(1);
  await wim.close();
  const bytes = await readFile(long);
  const name = Buffer.from("n".repeat(200), "utf16le");
  const at = bytes.indexOf(name);
  assert.ok(at > 0);
  Buffer.from("\u20ac".repeat(200), "utf16le").copy(bytes, at);
  const tree = bytes.subarray(resource.offset, resource.offset + resource.size);
  bytes.set(createHash("sha1").update(tree).digest(), bytes.lastIndexOf(Buffer.from(sha1, "hex")));
  await writeFile(long, bytes);
  await assert.rejects(importImage(library, long, [1]), { code: "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED" });
  await nothingIncoming();
});

test("what is no WIM, has no such image, is cut short or damaged is refused", async () => {
  await assert.rejects(importImage(library, imageWim, [2]), { code: "PRESTAGE_CONTENT_IMAGE_UNSUPPORTED" });
  await writeFile(join(folder, "text.wim"), "not a WIM at all ".repeat(100));
  await assert.rejects(importImage(library, join(folder, "text.wim"), [1]), { code: "PRESTAGE_WIM_NOT_A_WIM" });
  const short = join(folder, "short.wim");
  await writeFile(short, (await readFile(imageWim)).subarray(0, 100_000));
  await assert.rejects(importImage(library, short, [1]), { code: /^PRESTAGE_WIM_/ });
  await assert.rejects(importImage(library, join(folder, "none.wim"), [1]), { code: "PRESTAGE_WIM_IO" });
  for (const table of [false, true]) {
    const damaged = join(folder, `damaged-${table}.wim`);
    if (table) await runWimlib(["export", imageWim, "all", damaged, "--check"]);
    else await copyFile(imageWim, damaged);
    const handle = await open(damaged, "r+");
    await handle.write(Buffer.of(0x5a, 0xa5, 0x5a), 0, 3, 150_000);
    await handle.close();
    await assert.rejects(importImage(library, damaged, [1]), { code: /^PRESTAGE_(WIM_(INTEGRITY|DECOMPRESS|RESOURCE)|CONTENT_IMAGE_DAMAGED|CONTENT_WIMLIB)$/ }, `table ${table}`);
  }
  await nothingIncoming();
});

test("what an import left whose process is gone is swept; that of a running one, and what is nobody's, stays", async () => {
  const mine = await library.prepare();
  const [root, name] = [dirname(mine), basename(mine)];
  const ended = spawn("true");
  await once(ended, "close");
  const left = [
    `${ended.pid}-1795382000000-abc`, // as named by an earlier release
    name.replace(/^\d+-\d+-/, `${process.pid}-1-`), // this process's number, of an earlier process
    name.replace(/-[0-9a-f]{32}-/, `-${"0".repeat(32)}-`), // before the computer restarted
    name.replace(/^\d+-\d+-/, `${ended.pid}-gone-`).replace(/-[0-9a-f]{32}-/, `-${"0".repeat(32)}-`),
  ];
  for (const one of left) await writeTree(join(root, one), { "content.wim": "half", "deep/er/file": "x" });
  await mkdir(join(root, "lost+found"));
  assert.deepEqual((await library.sweep()).toSorted(), left.toSorted());
  assert.deepEqual((await readdir(root)).toSorted(), [name, "lost+found"].toSorted());
  assert.deepEqual(await new ContentLibrary(join(folder, "no library")).sweep(), []);
  await rm(mine, { recursive: true });
  await rm(join(root, "lost+found"), { recursive: true });
});
