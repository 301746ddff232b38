import assert from "node:assert/strict";
import { copyFile, open, readdir, readFile, rm, symlink, truncate, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { generateSigningKey, signDocument } from "@prestage/trust";
import { findEntry, openWimFile } from "@prestage/wim";
import { buildMedia } from "./build-media.ts";
import { makeSite } from "./fixtures/site.ts";
import { contentFolder } from "./media-layout.ts";
import { inspectMedia, verifyMedia } from "./verify-media.ts";

const site = await makeSite();
const built = await buildMedia(site.input(join(site.folder, "media.wim")));

let copies = 0;
async function copy(): Promise<string> {
  const path = join(site.folder, `copy-${copies++}.wim`);
  await copyFile(built.path, path);
  return path;
}

/** Where the stored bytes of a file of an image lie in the media. */
async function placeOf(image: number, path: string): Promise<{ offset: number; storedSize: number }> {
  const wim = await openWimFile(built.path);
  try {
    const entry = findEntry(await wim.readImage(image), path);
    assert.ok(entry?.sha1 !== undefined, path);
    return wim.blob(entry.sha1).resource;
  } finally {
    await wim.close();
  }
}

async function flip(path: string, at: number): Promise<void> {
  const handle = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, at);
  byte[0] = byte[0]! ^ 0x01;
  await handle.write(byte, 0, 1, at);
  await handle.close();
}

/** The media with its data image's tree changed by hand, as somebody with wimlib could. */
async function retouched(change: (root: string) => Promise<unknown>, image = 2): Promise<string> {
  const path = join(site.folder, `retouched-${copies++}.wim`);
  for (const index of [1, 2]) {
    const root = `${path}.${index}`;
    await runWimlib(["apply", built.path, String(index), root, "--unix-data"]);
    if (index === image) await change(root);
    await runWimlib([index === 1 ? "capture" : "append", root, path, index === 1 ? "boot" : "data", "--unix-data", "--norpfix", "--check", ...(index === 1 ? ["--compress=LZX:20"] : [])]);
  }
  return path;
}
const found = async (path: string) => (await verifyMedia(path, { trustedKeyring: site.keyring })).findings.map((finding) => [finding.code.replace("PRESTAGE_MEDIA_FILE_", ""), finding.path]);

test("a good media has no findings; every byte of every file was counted", async () => {
  let last = { done: 0, total: 0 };
  const result = await verifyMedia(built.path, { trustedKeyring: site.keyring, onProgress: (event) => void (last = event) });
  assert.deepEqual(result.findings, []);
  assert.equal(result.media.mediaId, built.mediaId);
  assert.deepEqual([last.done, last.total], [result.bytes, result.bytes]);
  await symlink(built.path, join(site.folder, "link.wim"));
  assert.deepEqual((await verifyMedia(join(site.folder, "link.wim"))).findings, []);
});

test("one altered byte in any file is a finding that names the file", async () => {
  const content = contentFolder(built.manifest.content.find((one) => one.kind === "package")?.contentId ?? "");
  const os = contentFolder(built.manifest.osImage?.contentId ?? "");
  for (const [image, name] of [[1, "prestage/initrd"], [1, "EFI/BOOT/BOOTX64.EFI"], [2, "prestage/agent/node"], [2, `${content}/files/setup.sh`], [2, `${os}/files/image.wim`]] as const) {
    const path = await copy();
    const { offset, storedSize } = await placeOf(image, name);
    await flip(path, offset + (storedSize >> 1));
    assert.deepEqual(await found(path), [["DAMAGED", `${image === 1 ? "esp" : "data"}:/${name}`]], name);
  }
});

test("an altered index or chunk list is a finding of its own", async () => {
  const folder = contentFolder(built.manifest.content.find((one) => one.kind === "package")?.contentId ?? "");
  for (const name of ["index.json", "chunks.bin"]) {
    const path = await copy();
    const { offset, storedSize } = await placeOf(2, `${folder}/${name}`);
    await flip(path, offset + (storedSize >> 1));
    assert.deepEqual(await found(path), [["DAMAGED", `data:/${folder}/${name}`]]);
  }
});

test("an altered manifest or keyring is no finding but an end: nothing on the media can be believed", async () => {
  const altered = await copy();
  await flip(altered, (await placeOf(2, "prestage/manifest.dsse.json")).offset + 200);
  await assert.rejects(verifyMedia(altered, { trustedKeyring: site.keyring }), { code: /^PRESTAGE_TRUST_(SIGNATURE_INVALID|DOCUMENT_MALFORMED)$/ });
  await assert.rejects(inspectMedia(altered, { trustedKeyring: site.keyring }), { code: /^PRESTAGE_TRUST_/ });
  const keyring = await copy();
  await flip(keyring, (await placeOf(2, "prestage/keyring.dsse.json")).offset + 200);
  await assert.rejects(verifyMedia(keyring, { trustedKeyring: site.keyring }), { code: "PRESTAGE_MEDIA_KEYRING_MISMATCH" });
  await assert.rejects(verifyMedia(keyring), { code: /^PRESTAGE_TRUST_/ });
});

test("the media of another site is refused under this site's keyring, and opened under its own", async () => {
  const other = await makeSite();
  const foreign = await buildMedia(other.input(join(other.folder, "media.wim")));
  await assert.rejects(verifyMedia(foreign.path, { trustedKeyring: site.keyring }), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  assert.equal((await inspectMedia(foreign.path)).trustedBySite, false);
});

test("a manifest signed by a key of another role is refused", async () => {
  const path = await retouched(async (root) => {
    const file = join(root, "prestage/manifest.dsse.json");
    const payload = Buffer.from(String((JSON.parse(await readFile(file, "utf8")) as { payload: string }).payload), "base64");
    await writeFile(file, signDocument("manifest", payload, [generateSigningKey()]));
  });
  await assert.rejects(verifyMedia(path, { trustedKeyring: site.keyring }), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
});

test("a media cut short is refused wherever it is cut", async () => {
  for (const share of [0, 0.001, 0.3, 0.9, 0.999]) {
    const path = await copy();
    await truncate(path, Math.floor(built.size * share));
    await assert.rejects(verifyMedia(path), { code: /^PRESTAGE_WIM_/ }, String(share));
    await rm(path);
  }
});

test("a file more, a file less, a link in a file's place: each is named", async () => {
  assert.deepEqual(await found(await retouched((root) => writeFile(join(root, "prestage/agent/extra.so"), "x"))), [["UNEXPECTED", "data:/prestage/agent/extra.so"]]);
  assert.deepEqual(await found(await retouched((root) => writeFile(join(root, "EFI/BOOT/evil.efi"), "x"), 1)), [["UNEXPECTED", "esp:/EFI/BOOT/evil.efi"]]);
  assert.deepEqual(await found(await retouched((root) => unlink(join(root, "prestage/agent/node")))), [["MISSING", "data:/prestage/agent/node"]]);
  assert.deepEqual(await found(await retouched((root) => symlink("/etc", join(root, "prestage/state")))), [["UNEXPECTED", "data:/prestage/state"]]);
  const linked = await retouched(async (root) => {
    await unlink(join(root, "prestage/agent/agent.mjs"));
    await symlink("/bin/sh", join(root, "prestage/agent/agent.mjs"));
  });
  assert.deepEqual(await found(linked), [["DAMAGED", "data:/prestage/agent/agent.mjs"]]);
  const none = await retouched(async (root) => {
    const [id = ""] = await readdir(join(root, "prestage/content"));
    await rm(join(root, "prestage/content", id), { recursive: true });
  });
  assert.ok((await found(none)).some(([code, path]) => code === "DAMAGED" && path?.endsWith("index.json")));
});

test("a WIM that is no media is refused as such", async () => {
  await assert.rejects(verifyMedia(join(site.folder, "os.wim")), { code: "PRESTAGE_MEDIA_NOT_MEDIA" });
  await assert.rejects(verifyMedia(join(site.folder, "boot.wim")), { code: "PRESTAGE_MEDIA_NOT_MEDIA" });
});

test("an abort ends it", async () => {
  const abort = new AbortController();
  await assert.rejects(verifyMedia(built.path, { signal: abort.signal, onProgress: () => abort.abort(new Error("enough")) }), /enough/);
});

test("a name Windows or FAT could not hold, or would take for another file, ends it in either image, before anything is opened", async () => {
  for (const image of [1, 2]) {
    for (const name of ["aux.txt", "trailing.", 'a"b', image === 1 ? "efi" : "PRESTAGE"]) {
      const path = await retouched((root) => writeFile(join(root, name), "x"), image);
      await assert.rejects(verifyMedia(path, { trustedKeyring: site.keyring }), { code: "PRESTAGE_MEDIA_NOT_MEDIA" }, `${image} ${name}`);
    }
  }
});
