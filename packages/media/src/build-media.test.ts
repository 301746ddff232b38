import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { openIndex, runWimlib } from "@prestage/content";
import { exportPrivateKey } from "@prestage/trust";
import { buildMedia } from "./build-media.ts";
import { captureImages, makeSite } from "./fixtures/site.ts";
import { openManifest } from "./manifest.ts";
import { contentFolder, dataPaths } from "./media-layout.ts";
import { inspectMedia, verifyMedia } from "./verify-media.ts";

const run = promisify(execFile);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const site = await makeSite();
const built = await buildMedia(site.input(join(site.folder, "media.wim")));

/** Files below a folder with size and SHA-256. */
async function listing(folder: string): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    found.push([path.slice(folder.length + 1), entry.isFile() ? sha256(await readFile(path)) : "no plain file"]);
  }
  return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

test("wimlib accepts the media: verify, info, two images", async () => {
  await runWimlib(["verify", built.path]);
  const { stdout } = await run("wimlib-imagex", ["info", built.path], { env: { ...process.env, LC_ALL: "C.UTF-8" } });
  for (const line of [/Image Count:\s+2/, /Compression:\s+LZX/, /Attributes:.*Integrity info/, /Name:\s+boot/, /Name:\s+data/]) assert.match(stdout, line);
});

test("image 1 applied is exactly the boot image's first image, image 2 exactly the files of manifest and indexes and those documents themselves", async () => {
  const { manifest } = await inspectMedia(built.path, { trustedKeyring: site.keyring });
  for (const [index, name] of [[1, "esp"], [2, "data"]] as const) await runWimlib(["apply", built.path, String(index), join(site.folder, name), "--unix-data"]);
  assert.deepEqual(await listing(join(site.folder, "esp")), await listing(join(site.folder, "boot.wim.0")));
  const expected = new Map(manifest.files.filter((file) => file.volume === "data").map((file) => [file.path, file.sha256]));
  const data = join(site.folder, "data");
  const ids = manifest.content.map((content) => content.contentId);
  assert.equal(ids.length, 3);
  for (const id of ids) {
    const folder = contentFolder(id);
    for (const file of openIndex(await readFile(join(data, folder, "index.json")), id).files) expected.set(`${folder}/files/${file.path}`, file.sha256);
    for (const name of ["index.json", "chunks.bin"]) expected.set(`${folder}/${name}`, sha256(await readFile(join(site.library.folderOf(id), name))));
  }
  expected.set(dataPaths.manifest, sha256(await readFile(join(data, dataPaths.manifest))));
  assert.deepEqual(await listing(data), Object.fromEntries([...expected].sort(([a], [b]) => (a < b ? -1 : 1))));
  assert.equal((await stat(join(data, "prestage"))).mode & 0o777, 0o700);
  assert.equal((await stat(join(data, dataPaths.manifest))).mode & 0o777, 0o600);
  assert.equal(openManifest(await readFile(join(data, dataPaths.manifest)), [site.mediaKey.public]).mediaId, built.mediaId);
});

test("the same inputs give the same bytes in another folder, time zone, umask, locale and process, whatever the order of options", async () => {
  const output = join(site.folder, "other folder/elsewhere/media.wim");
  await mkdir(join(site.folder, "other folder/elsewhere"), { recursive: true });
  const input = site.input(output);
  // Another process: the input as JSON, the key as PEM.
  const { mediaKey, keyring, ...plain } = input;
  const script = `
    process.umask(0o077);
    const { buildMedia } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "index.ts")).href)});
    const { importSigningKey } = await import("@prestage/trust");
    const input = JSON.parse(process.argv[1]);
    input.content.reverse();
    const result = await buildMedia({ ...input, keyring: { version: 1, envelope: Buffer.from(input.keyringBase64, "base64") }, mediaKey: importSigningKey(input.pem) });
    console.log(result.sha256);`;
  const argument = JSON.stringify({ ...plain, keyringBase64: Buffer.from(keyring.envelope).toString("base64"), pem: exportPrivateKey(mediaKey) });
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script, argument], { cwd: import.meta.dirname, env: { ...process.env, TZ: "Asia/Tokyo", LC_ALL: "C", NODE_NO_WARNINGS: "1" } });
  assert.equal(stdout.trim(), built.sha256);
  assert.deepEqual(await readFile(output), await readFile(built.path));
});

test("a changed input gives another media id and other bytes", async () => {
  const base = site.input(join(site.folder, "changed.wim"));
  const changed = await buildMedia({ ...base, manifest: { ...base.manifest, comment: "another" } });
  assert.notEqual(changed.mediaId, built.mediaId);
  assert.notEqual(changed.sha256, built.sha256);
});

test("beside it stand a checksum sha256sum reads and a readable sheet of 80 columns", async () => {
  await run("sha256sum", ["-c", `${basename(built.path)}.sha256`], { cwd: site.folder });
  const sheet = await readFile(`${built.path}.txt`, "utf8");
  for (const part of [built.sha256, built.mediaId, "ABC00001", "prestage stage media.wim", "ABC00012"]) assert.ok(sheet.includes(part), part);
  for (const line of sheet.split("\n")) assert.ok(line.length <= 84, line);
});

test("media without OS image or further content is whole too", async () => {
  const { osImage: _, ...base } = site.input(join(site.folder, "bare.wim"));
  const bare = await buildMedia({ ...base, content: [] });
  assert.deepEqual((await verifyMedia(bare.path)).findings, []);
  assert.deepEqual([bare.manifest.content, bare.manifest.osImage], [[], undefined]);
});

test("no secret is on a media: the private key is nowhere in its bytes", async () => {
  const der = site.mediaKey.privateKey.export({ type: "pkcs8", format: "der" });
  assert.equal((await readFile(built.path)).indexOf(der.subarray(-32)), -1);
});

test("a file that is there is not overwritten", async () => {
  const output = join(site.folder, "taken.wim");
  await writeFile(output, "mine");
  await assert.rejects(buildMedia(site.input(output)), { code: "PRESTAGE_MEDIA_OUTPUT_EXISTS" });
  assert.equal(await readFile(output, "utf8"), "mine");
});

test("a folder that is not there is named, not the file that was to be made in it", async () => {
  const folder = join(site.folder, "missing");
  await assert.rejects(buildMedia(site.input(join(folder, "media.wim"))), (error: Error & { code?: string }) => error.code === "PRESTAGE_MEDIA_OUTPUT_FOLDER" && error.message.includes(`folder ${folder} to write media.wim`));
});

test("what a build of the same name left when it was cut off is swept by the next one; what another process writes, and other names, stay", async () => {
  const folder = join(site.folder, "swept");
  await mkdir(folder);
  const ended = run("true");
  const dead = ended.child.pid ?? 0;
  await ended;
  const stay = [`.media.wim.partial-${process.ppid}`, `.other.wim.partial-${dead}`, ".media.wim.partial-notes"];
  for (const name of [`.media.wim.partial-${dead}`, ...stay]) await writeFile(join(folder, name), "x");
  await buildMedia(site.input(join(folder, "media.wim")));
  assert.deepEqual((await readdir(folder)).toSorted(), [...stay, "media.wim", "media.wim.sha256", "media.wim.txt"].toSorted());
});

test("an aborted build leaves nothing", async () => {
  const folder = join(site.folder, "aborted");
  await mkdir(folder);
  for (const phase of ["copy", "checksum"] as const) {
    const abort = new AbortController();
    await assert.rejects(buildMedia(site.input(join(folder, "media.wim")), { signal: abort.signal, onProgress: (event) => event.phase === phase && abort.abort(new Error("enough")) }), /enough|aborted/);
    assert.deepEqual(await readdir(folder), []);
  }
});

test("a boot image with a name no disk could hold, or without files, is refused", async () => {
  const { importImage } = await import("@prestage/content");
  for (const [name, tree, code] of [["aux", { "EFI/aux.efi": "x" }, "PRESTAGE_CONTENT_PATH_UNSAFE"], ["none", {}, "PRESTAGE_MEDIA_NOT_MEDIA"]] as const) {
    const wim = await captureImages(join(site.folder, `${name}.wim`), [{ "keep/x": "x", ...tree }, { agent: "x" }]);
    const version = await importImage(site.library, wim, [1, 2]);
    const base = site.input(join(site.folder, `${name}-media.wim`));
    const bootImage = { content: { ...base.bootImage.content, contentId: version.contentId }, version: name === "none" ? { ...version, index: { ...version.index, images: [] } } : version };
    await assert.rejects(buildMedia({ ...base, bootImage }), { code });
  }
});
