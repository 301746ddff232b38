import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { needlesOf, searchMedia, searchPath, searchStream } from "./secret-search.ts";

const secret = { name: "the password", bytes: Buffer.from("S3cret é-pass") };

test("a planted secret is found in every encoding, wherever it lies and however the bytes are cut into pieces", async () => {
  const encodings: ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes, (bytes) => Buffer.from(bytes.toString("utf8"), "utf16le"), (bytes) => Buffer.from(bytes.toString("hex")), (bytes) => Buffer.from(bytes.toString("hex").toUpperCase()),
    (bytes) => Buffer.from(bytes.toString("base64")), (bytes) => Buffer.from(bytes.toString("base64url")),
    // Inside a longer text that was encoded as a whole.
    (bytes) => Buffer.from(Buffer.concat([Buffer.from("x"), bytes, Buffer.from("yz")]).toString("base64")), (bytes) => Buffer.from(Buffer.concat([Buffer.from("xy"), bytes, Buffer.from("z")]).toString("base64")),
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...encodings), fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 50 }), async (encode, before, after, pieceSize) => {
      const bytes = Buffer.concat([before, encode(secret.bytes), after]);
      const pieces = Array.from({ length: Math.ceil(bytes.length / pieceSize) }, (_, i) => bytes.subarray(i * pieceSize, (i + 1) * pieceSize));
      const found = await searchStream(needlesOf(secret), pieces, "here");
      assert.ok(found.length > 0);
      assert.ok(found.every((one) => one.secret === "the password" && one.where === "here"));
      assert.ok(!JSON.stringify(found).includes("S3cret"), "a finding does not repeat the secret");
    }),
    { numRuns: 200 },
  );
});

test("nothing is found where nothing is, in files and their names", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-search-"));
  try {
    await writeFile(join(folder, "a.log"), "S3cret and é-pass, but not together");
    assert.deepEqual(await searchPath([secret], folder), []);
    await writeFile(join(folder, "b.log"), `password=${secret.bytes.toString()}`);
    await writeFile(join(folder, secret.bytes.toString()), "");
    assert.deepEqual((await searchPath([secret], folder)).map((one) => one.encoding), ["bytes", "bytes"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("in a media a planted secret is found inside compressed files, a nested image and an initramfs, and nowhere when it is not there", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-search-"));
  const wimlib = (...args: string[]) => void execFileSync("wimlib-imagex", args, { stdio: "ignore" });
  const make = async (name: string, where: { initramfs?: string; nested?: string; file?: string }): Promise<string> => {
    const root = join(folder, name);
    for (const part of ["boot", "data", "os"]) await mkdir(join(root, part), { recursive: true });
    await writeFile(join(root, "boot/initrd"), zstdCompressSync(Buffer.from(`070701${"x".repeat(5000)}${where.initramfs ?? ""}${"y".repeat(5000)}`)));
    await writeFile(join(root, "os/hosts"), `${"a".repeat(9000)}${where.nested ?? ""}`);
    await writeFile(join(root, "data/settings"), `${"b".repeat(9000)}${where.file ?? ""}`);
    wimlib("capture", join(root, "os"), join(root, "data/image.wim"), "os", "--compress=LZX:20");
    const media = join(root, "media.wim");
    wimlib("capture", join(root, "boot"), media, "boot", "--compress=LZX:20");
    wimlib("append", join(root, "data"), media, "data");
    return media;
  };
  try {
    const planted = secret.bytes.toString();
    assert.deepEqual(await searchMedia([secret], await make("clean", {})), []);
    for (const [where, expected] of [["initramfs", /initrd, unpacked/], ["nested", /image.wim/], ["file", /^image 2\/settings/]] as const) {
      const found = await searchMedia([secret], await make(where, { [where]: planted }));
      assert.ok(found.some((one) => expected.test(one.where)), `${where}: ${JSON.stringify(found)}`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});
