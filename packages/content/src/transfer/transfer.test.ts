import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { generateSigningKey, keyRoles, openTrustedKeyring, signKeyring, TrustError } from "@prestage/trust";
import type { Keyring, SigningKey } from "@prestage/trust";
import { verifyWim, openWimFile, WimError } from "@prestage/wim";
import { ContentError } from "../error.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { halfNoise, noise, writeTree } from "../fixtures/write-tree.ts";
import { importFolder } from "../import/import-content.ts";
import { ContentLibrary } from "../library/content-library.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { validateVersion } from "../library/validate-version.ts";
import { makePatches } from "../patches/make-patches.ts";
import { makePieces } from "../pieces/make-pieces.ts";
import { exportContent } from "./export-content.ts";
import type { ExportedObject } from "./export-manifest.ts";
import { importExport } from "./import-export.ts";
import type { ImportOptions } from "./import-export.ts";
import { hashAround } from "./export-seal.ts";
import { openExport } from "./open-export.ts";

const folder = await temporaryFolder();
const library = new ContentLibrary(join(folder, "library"));
const keys = Object.fromEntries(keyRoles.map((role) => [role, generateSigningKey()])) as Record<(typeof keyRoles)[number], SigningKey>;
function keyringOf(version: number, media: SigningKey): Keyring {
  const roles = Object.fromEntries(keyRoles.map((role) => [role, [(role === "media" ? media : keys[role]).public]])) as Keyring["roles"];
  return { siteCode: "ABC", version, issued: "2026-01-01T00:00:00Z", expires: "2036-01-01T00:00:00Z", tlsCa: "", roles };
}
const nextMedia = generateSigningKey();
const chain = [signKeyring(keyringOf(1, keys.media), [keys.root]), signKeyring(keyringOf(2, nextMedia), [keys.root])];
const trusted = openTrustedKeyring(chain[0]!);
const file = join(folder, "export.wim");
let older: StoredVersion;
let newer: StoredVersion;
let objects: ExportedObject[];

const objectOf = (id: string, { contentId, storageSha256 }: StoredVersion): ExportedObject => ({ id, kind: "application", name: id, softwareVersion: "1", revision: 1, contentId, storageSha256, definition: { kind: "application" } });
const exportTo = (output: string, key = keys.media, keyringChain: Uint8Array[] = [chain[0]!]) => exportContent({ library, siteCode: "ABC", keyringChain, objects, key, output });

before(async () => {
  const program = halfNoise(600_000, 1);
  older = await importFolder(library, await writeTree(join(folder, "one"), { "program.bin": program, "a/b/c.txt": "text", "empty": "" }));
  newer = await importFolder(library, await writeTree(join(folder, "two"), { "program.bin": Buffer.concat([program.subarray(0, 300_000), noise(100, 2), program.subarray(300_000)]), "other.txt": "other" }));
  await makePatches(library, older.contentId, newer.contentId, { level: 3 });
  await makePieces(library, newer.contentId);
  objects = [objectOf("ABC00001", older), objectOf("ABC00002", newer)];
  await exportTo(file);
});

async function importTo(path: string, root: string, keyring = trusted, options: ImportOptions = {}): Promise<{ written: string[]; bytes: number }> {
  const opened = await openExport(path, keyring);
  try {
    return await importExport(opened, new ContentLibrary(root), options);
  } finally {
    await opened.close();
  }
}
/** All files but a library's own notes. */
const contents = async (root: string) => Object.fromEntries(await Promise.all((await readdir(root, { recursive: true, withFileTypes: true })).filter((one) => one.isFile() && one.name !== "stored.json").map(async (one) => [join(one.parentPath, one.name).slice(root.length), await readFile(join(one.parentPath, one.name))] as const)));

test("an export comes out as it went in, patches and pieces too, and the same content gives the same bytes", async () => {
  const root = join(folder, "tree");
  const { written } = await importTo(file, root);
  assert.deepEqual(written.toSorted(), [older.contentId, newer.contentId].toSorted());
  assert.deepEqual((await contents(join(root, "content"))), await contents(join(library.root, "content")));
  assert.deepEqual(await readdir(join(root, "incoming")), []);
  const again = join(folder, "again.wim");
  await exportTo(again);
  assert.ok((await readFile(again)).equals(await readFile(file)));
  await assert.rejects(exportTo(again), { code: "PRESTAGE_CONTENT_EXPORT_EXISTS" });
});

test("any WIM tool reads it, its integrity table too", async () => {
  const wim = await openWimFile(file);
  await verifyWim(wim);
  await wim.close();
  await promisify(execFile)("wimlib-imagex", ["verify", file]);
  await promisify(execFile)("wimlib-imagex", ["extract", file, "1", `/content/${newer.contentId}/content.wim`, `--dest-dir=${join(folder, "by-wimlib")}`]);
  assert.ok((await readFile(join(folder, "by-wimlib/content.wim"))).equals(await readFile(newer.wimPath)));
});

test("imported again nothing is written; what is damaged or lacks its patches is made whole", async () => {
  const root = join(folder, "mended");
  await importTo(file, root);
  assert.deepEqual((await importTo(file, root)).written, []);
  const target = new ContentLibrary(root);
  for (const name of (await readdir(target.folderOf(newer.contentId))).filter((one) => one.startsWith("patch-"))) await rm(join(target.folderOf(newer.contentId), name));
  await writeFile(join(target.folderOf(older.contentId), "content.wim"), "damaged");
  assert.deepEqual((await importTo(file, root)).written, [older.contentId]);
  assert.deepEqual((await contents(join(root, "content"))), await contents(join(library.root, "content")));
});

test("a version stored otherwise gives way in a tree that is served, and stays in a site's library", async () => {
  const root = join(folder, "otherwise");
  await importTo(file, root);
  const there = new ContentLibrary(root).folderOf(older.contentId);
  // Whole by itself, and another storage map than policies name.
  const wim = Buffer.concat([await readFile(join(there, "content.wim")), Buffer.of(0)]);
  const storage = JSON.parse(await readFile(join(there, "storage.json"), "utf8")) as object;
  for (const name of ["content.wim", "storage.json", "storage.json.zst"]) await rm(join(there, name));
  await writeFile(join(there, "content.wim"), wim);
  await writeFile(join(there, "storage.json"), JSON.stringify({ ...storage, wimSize: wim.length, wimSha256: createHash("sha256").update(wim).digest("hex") }));
  assert.deepEqual(await validateVersion(there, older.contentId, undefined), []);
  assert.deepEqual((await importTo(file, root, trusted, { ownStorage: true })).written, []);
  assert.ok((await readFile(join(there, "content.wim"))).equals(wim));
  assert.deepEqual((await importTo(file, root)).written, [older.contentId]);
  assert.deepEqual(await contents(join(root, "content")), await contents(join(library.root, "content")));
});

test("a pack of patches without its list is written again: it may be of another making", async () => {
  const root = join(folder, "pack");
  await importTo(file, root);
  const there = new ContentLibrary(root).folderOf(newer.contentId);
  const names = (await readdir(there)).filter((name) => name.startsWith("patch-"));
  for (const name of names) await rm(join(there, name));
  await writeFile(join(there, names.find((name) => name.endsWith(".bin")) ?? ""), "of another making");
  await importTo(file, root);
  assert.deepEqual(await contents(join(root, "content")), await contents(join(library.root, "content")));
});

test("a file is hashed to its end whether anybody asks for its progress or not", async () => {
  const handle = await open(file, "r");
  try {
    assert.equal(await hashAround(handle, { start: 0, end: 0 }, { signal: AbortSignal.timeout(5000) }), createHash("sha256").update(await readFile(file)).digest("hex"));
  } finally {
    await handle.close();
  }
});

test("ended in the middle nothing half is in place, and the same import finishes it", async () => {
  const root = join(folder, "interrupted");
  const total = (await readFile(file)).length;
  for (let stopAt = 0; stopAt < total; stopAt += Math.ceil(total / 12)) {
    const opened = await openExport(file, trusted);
    const stop = new AbortController();
    await importExport(opened, new ContentLibrary(root), { signal: stop.signal, onProgress: ({ done }) => void (done > stopAt && stop.abort(new Error("power"))) }).catch((cause: Error) => assert.equal(cause.message, "power"));
    await opened.close();
    for (const id of await readdir(join(root, "content")).catch(() => [])) assert.deepEqual(await validateVersion(join(root, "content", id), id, undefined), []);
  }
  await importTo(file, root);
  assert.deepEqual((await contents(join(root, "content"))), await contents(join(library.root, "content")));
});

test("a byte altered anywhere, or cut off, or added: a typed error, and nothing is imported", async () => {
  const bytes = await readFile(file);
  const altered = join(folder, "altered.wim");
  await cp(file, altered);
  const handle = await open(altered, "r+");
  const root = join(folder, "nothing");
  const wim = await openWimFile(file);
  const { xml, blobTable, integrity } = wim.header;
  await wim.close();
  // All of the header and of the XML with the seal; of the rest every so many bytes.
  const all = [[0, 208], [xml.offset, xml.offset + xml.storedSize]] as const;
  const dense = [[blobTable.offset, blobTable.offset + blobTable.storedSize], [integrity.offset, bytes.length]] as const;
  const places = new Set([...all.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i)), ...dense.flatMap(([start, end]) => Array.from({ length: Math.ceil((end - start) / 7) }, (_, i) => start + i * 7)), ...Array.from({ length: 250 }, (_, i) => Math.floor((i * (bytes.length - 1)) / 249))]);
  for (const at of places) {
    await handle.write(Buffer.of(bytes[at]! ^ (1 << ((at >> 1) % 6))), 0, 1, at);
    await assert.rejects(importTo(altered, root), (cause) => cause instanceof ContentError || cause instanceof TrustError || cause instanceof WimError, `byte ${at}`);
    await handle.write(bytes, at, 1, at);
  }
  for (const size of [0, 100, 208, bytes.length >> 1, bytes.length - 1, bytes.length + 1]) {
    await handle.truncate(size);
    await assert.rejects(importTo(altered, root), (cause) => cause instanceof ContentError || cause instanceof TrustError || cause instanceof WimError, `${size} bytes`);
    await handle.write(bytes, 0, bytes.length, 0);
  }
  await handle.close();
  assert.deepEqual(await readdir(root).catch(() => []), []);
});

test("an export of another site, by a key of another role, or of a keyring that does not follow is refused; one of a later keyring is proved by those between", async () => {
  const others = Object.fromEntries(keyRoles.map((role) => [role, generateSigningKey()])) as typeof keys;
  const stranger = openTrustedKeyring(signKeyring({ ...keyringOf(1, others.media), roles: Object.fromEntries(keyRoles.map((role) => [role, [others[role].public]])) as Keyring["roles"] }, [others.root]));
  await assert.rejects(importTo(file, join(folder, "x"), stranger), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  const output = join(folder, "role.wim");
  await exportTo(output, keys.policy);
  await assert.rejects(importTo(output, join(folder, "x")), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  const later = join(folder, "later.wim");
  await exportTo(later, nextMedia);
  await assert.rejects(importTo(later, join(folder, "x")), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
  await rm(later);
  await exportTo(later, nextMedia, chain);
  assert.equal((await importTo(later, join(folder, "y"))).written.length, 2);
  const forged = join(folder, "forged.wim");
  await exportTo(forged, nextMedia, [chain[0]!, signKeyring(keyringOf(2, nextMedia), [generateSigningKey()])]);
  await assert.rejects(importTo(forged, join(folder, "x")), { code: "PRESTAGE_TRUST_SIGNATURE_INVALID" });
});

test("a signed file that holds more than an export, or less, is refused", async () => {
  const missing = join(folder, "missing.wim");
  await exportContent({ library, siteCode: "ABC", keyringChain: [chain[0]!], objects: [{ ...objectOf("ABC00001", older), storageSha256: "0".repeat(64) }], key: keys.media, output: missing });
  await assert.rejects(importTo(missing, join(folder, "z")), { code: "PRESTAGE_CONTENT_DAMAGED" });
  assert.deepEqual([await readdir(join(folder, "z/content")).catch(() => []), await readdir(join(folder, "z/incoming"))], [[], []]);
  await assert.rejects(importTo(newer.wimPath, join(folder, "z")), { code: "PRESTAGE_CONTENT_EXPORT_MALFORMED" });
});
