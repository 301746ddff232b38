import assert from "node:assert/strict";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { runWimlib } from "@prestage/content";
import { openWimFile, resourceFlags, walkEntries } from "@prestage/wim";
import type { ResourceHeader } from "@prestage/wim";
import { buildMedia } from "./build-media.ts";
import { makeSite } from "./fixtures/site.ts";
import { verifyMedia } from "./verify-media.ts";

const site = await makeSite();
const built = await buildMedia(site.input(join(site.folder, "media.wim")));
const good = await readFile(built.path);
const packageId = built.manifest.content.find((one) => one.kind === "package")?.contentId ?? "";

const altered = join(site.folder, "altered.wim");
type Outcome = { findings: string[]; thrown?: string };
async function outcome(bytes: Uint8Array, deep: boolean): Promise<Outcome> {
  await writeFile(altered, bytes);
  return await verifyMedia(altered, { trustedKeyring: site.keyring, deep }).then(({ findings }) => ({ findings: findings.map(({ path }) => path) }), (cause: NodeJS.ErrnoException) => ({ findings: [], thrown: cause.code ?? cause.message }));
}
const isGood = ({ findings, thrown }: Outcome) => findings.length === 0 && thrown === undefined;

async function resources(): Promise<ResourceHeader[]> {
  const wim = await openWimFile(built.path);
  try {
    return [...wim.blobs.values()].map(({ resource }) => resource);
  } finally {
    await wim.close();
  }
}

test("the manifest signs the stored bytes of boot image, agent and trees of files; an OS image is covered by its index", () => {
  assert.deepEqual(Object.keys(built.manifest.stored?.content ?? {}).sort(), built.manifest.content.filter(({ kind }) => kind !== "os-image").map(({ contentId }) => contentId).sort());
});

test("what is stored as signed is not decoded, and counted all the same", async () => {
  // A media nobody builds: its manifest names other files than those whose stored bytes it signs.
  const { manifest, ...rest } = site.input(join(site.folder, "lie.wim"));
  const boot = { ...rest.bootImage, version: { ...rest.bootImage.version, index: { ...rest.bootImage.version.index, images: rest.bootImage.version.index.images?.map((image) => ({ ...image, files: image.files.map((file) => ({ ...file, sha256: "0".repeat(64) })) })) ?? [] } } };
  const lie = await buildMedia({ manifest, ...rest, bootImage: boot });
  const verify = async (deep: boolean) => (await verifyMedia(lie.path, { trustedKeyring: site.keyring, deep })).findings.length;
  assert.equal(await verify(false), 0);
  assert.ok((await verify(true)) > 5);
  let last = { done: 0, total: 0 };
  const { bytes } = await verifyMedia(built.path, { trustedKeyring: site.keyring, onProgress: (event) => void (last = event) });
  assert.deepEqual([last.done, last.total], [bytes, bytes]);
});

test("any byte of any file altered is found, in every place of its stored bytes, unless it decodes to the same", async () => {
  let [found, same] = [0, 0];
  for (const { offset, storedSize } of await resources()) {
    for (const at of new Set([0, 1, storedSize >> 1, storedSize - 1])) {
      const bytes = Buffer.from(good);
      bytes[offset + at] = bytes[offset + at]! ^ 0x20;
      if (!isGood(await outcome(bytes, false))) found++;
      else {
        // Some bits of a compressed chunk mean nothing.
        assert.ok(isGood(await outcome(bytes, true)), `byte ${at} of ${storedSize} at ${offset}`);
        same++;
      }
    }
  }
  assert.ok(found > 40 && same < found / 10, `${found} and ${same}`);
});

test("whatever is altered anywhere, what passes passes deeply too", async () => {
  const wim = await openWimFile(built.path);
  const { blobTable } = wim.header;
  const metadata = [1, 2].map((image) => wim.imageMetadata(image).resource);
  await wim.close();
  // Most of the file is data: header, blob table and trees are where a lie about the form would be told.
  const places = fc.oneof(fc.nat(good.length - 1), fc.nat(207), ...[blobTable, ...metadata].map(({ offset, storedSize }) => fc.integer({ min: offset, max: offset + storedSize - 1 })));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ at: places, xor: fc.integer({ min: 1, max: 255 }) }), { minLength: 1, maxLength: 2 }), async (changes) => {
      const bytes = Buffer.from(good);
      for (const { at, xor } of changes) bytes[at] = bytes[at]! ^ xor;
      if (isGood(await outcome(bytes, false))) assert.deepEqual(await outcome(bytes, true), { findings: [] });
    }),
    { numRuns: 150 },
  );
});

test("a resource told to be of another form, or another's bytes in its place, is not taken for the one that is signed", async () => {
  const wim = await openWimFile(built.path);
  const { offset, storedSize } = wim.header.blobTable;
  await wim.close();
  let found = 0;
  for (let at = offset; at < offset + storedSize; at += 50) {
    for (const change of [(entry: Buffer) => entry.writeUInt8(entry.readUInt8(7) ^ resourceFlags.compressed, 7), (entry: Buffer) => good.copy(entry, 0, at === offset ? offset + 50 : offset, (at === offset ? offset + 50 : offset) + 24)]) {
      const bytes = Buffer.from(good);
      change(bytes.subarray(at, at + 50));
      // A short chunk that is not compressed reads the same where it is told to be.
      const shallow = isGood(await outcome(bytes, false));
      assert.equal(shallow, isGood(await outcome(bytes, true)), `entry at ${at}`);
      if (!shallow) found++;
    }
  }
  assert.ok(found > 20, `${found}`);
});

test("a media another tool stored again is decoded, and good", async () => {
  const path = join(site.folder, "exported.wim");
  await runWimlib(["export", built.path, "all", path, "--compress=XPRESS", "--check"]);
  assert.deepEqual((await verifyMedia(path, { trustedKeyring: site.keyring })).findings, []);
  const file = await open(path, "r+");
  const again = await openWimFile(path);
  const [first] = [...again.blobs.values()].toSorted((a, b) => b.resource.storedSize - a.resource.storedSize);
  await again.close();
  const at = (first?.resource.offset ?? 0) + 1000;
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.of(byte[0]! ^ 1), 0, 1, at);
  await file.close();
  assert.equal((await verifyMedia(path, { trustedKeyring: site.keyring })).findings.length, 1);
});

test("a library that lost or altered its note of the digests gives the same media", async () => {
  const note = join(site.library.folderOf(packageId), "stored.json");
  const kept = await readFile(note, "utf8");
  await writeFile(note, "{}");
  const again = await buildMedia(site.input(join(site.folder, "again.wim")));
  assert.equal(again.sha256, built.sha256);
  assert.equal(await readFile(note, "utf8"), kept);
});

test("a boot image damaged in the library before its first media is not signed as good", async () => {
  const other = await makeSite();
  const output = join(other.folder, "media.wim");
  const input = other.input(output);
  const { wimPath } = input.bootImage.version;
  const wim = await openWimFile(wimPath);
  const initrd = [...walkEntries(await wim.readImage(1))].find(({ path }) => path === "prestage/initrd")?.entry.sha1 ?? "";
  const at = wim.blob(initrd).resource.offset + 300_000;
  await wim.close();
  const bytes = await readFile(wimPath);
  bytes[at] = bytes[at]! ^ 0x55;
  await writeFile(wimPath, bytes);
  await assert.rejects(buildMedia(input), { code: "PRESTAGE_CONTENT_DAMAGED", message: /prestage\/initrd/ });
  await assert.rejects(stat(output), { code: "ENOENT" });
});
