import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, writeFile } from "node:fs/promises";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { capture, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, findEntry, integritySpan, kernelCopyRange, openWimFile, verifyBlobs, verifyIntegrity, type CopyRange, type WimBuildOptions, type WimBuildPlan } from "./index.ts";

describe("integrity spans of large sources are reused", () => {
  let folder = "";
  let sha1 = "";
  let size = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    for (const name of ["tree", "os"]) {
      await mkdir(join(folder, name));
      const bytes = randomBytes(26_000_000);
      await writeFile(join(folder, name, "noise"), bytes);
      await writeFile(join(folder, name, "text"), Buffer.alloc(200_000, name));
      await capture(join(folder, name), join(folder, `${name}.wim`), "--compress=LZX:20", "--check");
    }
    const hash = createHash("sha1");
    const nested = await openWimFile(join(folder, "os.wim"));
    size = nested.source.size;
    hash.update(await nested.source.read(0, size));
    sha1 = hash.digest("hex");
    await nested.close();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function build(name: string, options: WimBuildOptions, extra: Partial<WimBuildPlan> = {}): Promise<{ path: string; reused: number }> {
    const tree = await openWimFile(join(folder, "tree.wim"));
    const wim = await openWimFile(join(folder, "os.wim"));
    const path = join(folder, name);
    const result = await buildWim({
      guid: new Uint8Array(16), time: 0n, ...extra,
      images: [{ name: "i", sources: [
        { kind: "file", destination: "first", from: { bytes: Buffer.from("moves everything off its place") }, size: 30 },
        { kind: "tree", wim: tree, image: 1, destination: "t" },
        { kind: "file", destination: "image.wim", from: { path: join(folder, "os.wim") }, size, sha1, wim },
      ] }],
    }, path, options);
    await Promise.all([tree.close(), wim.close()]);
    return { path, reused: result.integrityReused };
  }

  async function check(path: string): Promise<void> {
    await wimlib("verify", path);
    const wim = await openWimFile(path);
    await verifyIntegrity(wim);
    await verifyBlobs(wim);
    assert.equal(findEntry(await wim.readImage(1), "image.wim")!.sha1, sha1);
    await wim.close();
  }

  test("and both wimlib and we find the table right", async () => {
    const { path, reused } = await build("reused.wim", { reuseFrom: 1_000_000 });
    assert.ok(reused >= 3 * integritySpan, `${reused}`);
    await check(path);
  });

  test("by copying inside the kernel too, with the same bytes", async () => {
    const ranges: number[] = [];
    const copyRange: CopyRange = async (range, signal) => {
      const done = await kernelCopyRange(range, signal);
      if (done) ranges.push(range.length);
      assert.equal(range.fromOffset % 4096, 0);
      assert.equal(range.toOffset % 4096, 0);
      return done;
    };
    const byKernel = await build("kernel.wim", { reuseFrom: 1_000_000, copyRange });
    assert.equal(ranges.length, 2);
    const byReading = await build("read.wim", { reuseFrom: 1_000_000, copyRange: false });
    assert.equal(await hashOf(byKernel.path), await hashOf(byReading.path));
    await check(byKernel.path);
  });

  test("and copied by reading where the kernel refuses half-way", async () => {
    const copyRange: CopyRange = async ({ to, toOffset }) => {
      const file = await open(to, "r+");
      await file.write(Buffer.alloc(100_000, 0xee), 0, 100_000, toOffset);
      await file.close();
      return false;
    };
    const { path } = await build("refused.wim", { reuseFrom: 1_000_000, copyRange });
    await check(path);
  });

  test("but small ones are hashed, without holes", async () => {
    const { path, reused } = await build("hashed.wim", {});
    assert.equal(reused, 0);
    await check(path);
  });

  test("and without a table nothing is placed", async () => {
    const { path } = await build("none.wim", { reuseFrom: 1_000_000 }, { integrity: false });
    const wim = await openWimFile(path);
    assert.equal(wim.integrity, undefined);
    await assert.rejects(verifyIntegrity(wim), { code: "PRESTAGE_WIM_INTEGRITY_MISSING" });
    await wim.close();
    await wimlib("verify", path);
  });

  test("a flipped byte is named by its span", async () => {
    const { path } = await build("flipped.wim", { reuseFrom: 1_000_000 });
    const file = await open(path, "r+");
    const at = 208 + 2 * integritySpan + 5;
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.from([buffer.readUInt8(0) ^ 1]), 0, 1, at);
    await file.close();
    const wim = await openWimFile(path);
    await assert.rejects(verifyIntegrity(wim), { code: "PRESTAGE_WIM_INTEGRITY", message: /span 2 \(bytes 20971728 to 31457488\)/ });
    await wim.close();
  });
});

async function hashOf(path: string): Promise<string> {
  const wim = await openWimFile(path);
  const hash = createHash("sha1").update(await wim.source.read(0, wim.source.size)).digest("hex");
  await wim.close();
  return hash;
}
