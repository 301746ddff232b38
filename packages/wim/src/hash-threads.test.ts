import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { mkdir, open, writeFile } from "node:fs/promises";
import { capture, inTemp } from "./fixtures/wimlib.ts";
import { findEntry, openWimFile, ResourceHasher, verifyBlobs, verifyIntegrity, type WimFile } from "./index.ts";

/** A WIM with one large file that compresses, one that does not, and many small ones. */
async function withSample(use: (wim: WimFile, path: string, text: Buffer, noise: Buffer) => Promise<void>): Promise<void> {
  await inTemp(async (folder) => {
    await mkdir(join(folder, "tree"));
    const text = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `line ${i * 7919}\n`).join(""));
    const noise = randomBytes(3_000_001);
    await writeFile(join(folder, "tree/text"), text);
    await writeFile(join(folder, "tree/noise"), noise);
    for (let i = 0; i < 600; i++) await writeFile(join(folder, `tree/small-${i}`), `${i} `.repeat(i));
    const path = join(folder, "sample.wim");
    await capture(join(folder, "tree"), path, "--compress=LZX:20", "--check");
    const wim = await openWimFile(path);
    try {
      await use(wim, path, text, noise);
    } finally {
      await wim.close();
    }
  });
}

test("threads hash what the calling thread hashes, whole and by ranges, and count every byte", async () => {
  await withSample(async (wim, _path, text, noise) => {
    const hasher = new ResourceHasher({ threads: 2 });
    try {
      const image = await wim.readImage(1);
      for (const [name, bytes] of [["text", text], ["noise", noise]] as const) {
        const { resource } = wim.blob(findEntry(image, name)!.sha1!);
        let counted = 0;
        const ranges = [[0, bytes.length], [0, 1], [bytes.length - 1, bytes.length], [40_000, 140_001]] as const;
        const found = await Promise.all(ranges.map(([from, to]) => hasher.hash(wim, resource, from, to, "sha256", (count) => (counted += count))));
        assert.deepEqual(found, ranges.map(([from, to]) => createHash("sha256").update(bytes.subarray(from, to)).digest("hex")));
        assert.equal(counted, ranges.reduce((sum, [from, to]) => sum + to - from, 0));
      }
      await verifyBlobs(wim, { hasher });
      await verifyIntegrity(wim, { hasher });
    } finally {
      await hasher.close();
    }
  });
});

test("damage is refused by the code it has without threads, and the thread goes on", async () => {
  await withSample(async (wim, path) => {
    const { resource, sha1 } = wim.blob(findEntry(await wim.readImage(1), "text")!.sha1!);
    const file = await open(path, "r+");
    await file.write(Buffer.alloc(64, 0xff), 0, 64, resource.offset); // its chunk table
    await file.close();
    const hasher = new ResourceHasher({ threads: 1 });
    try {
      await assert.rejects(hasher.hash(wim, resource, 0, resource.size, "sha1"), { code: "PRESTAGE_WIM_RESOURCE" });
      await assert.rejects(verifyBlobs(wim, { hasher }), { code: "PRESTAGE_WIM_RESOURCE" });
      await assert.rejects(verifyIntegrity(wim, { hasher }), { code: "PRESTAGE_WIM_INTEGRITY" });
      const good = [...wim.blobs.values()].find((blob) => blob.sha1 !== sha1)!;
      assert.equal(await hasher.hash(wim, good.resource, 0, good.resource.size, "sha1"), good.sha1);
    } finally {
      await hasher.close();
    }
  });
});

test("what was begun ahead is what is asked for, counted then; what nobody asks for keeps nobody waiting", async () => {
  await withSample(async (wim, path, _text, noise) => {
    const { resource } = wim.blob(findEntry(await wim.readImage(1), "noise")!.sha1!);
    assert.equal(resource.size, resource.storedSize);
    const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    const hasher = new ResourceHasher({ threads: 2 });
    try {
      hasher.ahead(wim, resource, 1_000_000, "sha256");
      await hasher.hash(wim, resource, 3_000_000, 3_000_001, "sha256");
      let counted = 0;
      const found = await hasher.hash(wim, { ...resource, flags: 0 }, 1_000_000, 2_000_000, "sha256", (bytes) => (counted += bytes));
      assert.deepEqual([found, counted], [sha256(noise.subarray(1_000_000, 2_000_000)), 1_000_000]);
      assert.equal(await hasher.hash(wim, resource, 0, 1_500_000, "sha256"), sha256(noise.subarray(0, 1_500_000)));
      const other = await openWimFile(path);
      try {
        assert.equal(await hasher.hash(other, resource, 0, 1_000_000, "sha256"), sha256(noise.subarray(0, 1_000_000)));
      } finally {
        await other.close();
      }
      hasher.ahead(wim, resource, 10, "sha1");
    } finally {
      await hasher.close();
    }
  });
});

test("an abort ends the threads, and what waits for them", async () => {
  await withSample(async (wim) => {
    const abort = new AbortController();
    const hasher = new ResourceHasher({ threads: 2, signal: abort.signal });
    const waiting = [...wim.blobs.values()].map((blob) => hasher.hash(wim, blob.resource, 0, blob.resource.size, "sha1"));
    abort.abort(new Error("enough"));
    for (const result of await Promise.allSettled(waiting)) assert.ok(result.status === "rejected" && /enough/.test(String(result.reason)));
    await assert.rejects(hasher.hash(wim, [...wim.blobs.values()][0]!.resource, 0, 1, "sha1"), /enough/);
    await hasher.close();
  });
});
