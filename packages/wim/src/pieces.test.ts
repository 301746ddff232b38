import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { capture, inTemp, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, cutFile, extractImage, joinPieces, openAnyWimFile, openWimFile, ResourceHasher, splitWim, verifyBlobs, verifyIntegrity } from "./index.ts";

/** A WIM that holds another one, uncompressed, as media do: larger than a part. */
async function withNested(use: (path: string, folder: string, nested: Buffer) => Promise<void>): Promise<void> {
  await inTemp(async (folder) => {
    await mkdir(join(folder, "tree"));
    await writeFile(join(folder, "tree/noise"), randomBytes(700_000));
    await capture(join(folder, "tree"), join(folder, "nested.wim"), "--compress=LZX:20", "--check");
    const nested = await readFile(join(folder, "nested.wim"));
    const path = join(folder, "media.wim");
    await buildWim({
      images: [{ name: "data", sources: [{ kind: "file", destination: "files/image.wim", from: { path: join(folder, "nested.wim") }, size: nested.length }, { kind: "file", destination: "small", from: { bytes: Buffer.from("small") }, size: 5 }] }], guid: new Uint8Array(16), time: 0n,
    }, path);
    await use(path, folder, nested);
  });
}

test("a file that no part could hold is cut as it is, read from its pieces, and joined byte for byte", async () => {
  await withNested(async (path, folder, nested) => {
    const whole = await openAnyWimFile(path);
    await assert.rejects(splitWim({ images: [{ wim: whole, image: 1 }] }, join(folder, "set.swm"), 200_000), { code: "PRESTAGE_WIM_SPLIT_SIZE", message: /\.wim\.001/ });
    await whole.close();
    const first = join(folder, "stick.wim.001");
    const { parts } = await cutFile(path, first, 200_000);
    assert.deepEqual(parts.map(({ size }) => size <= 200_000), parts.map(() => true));
    assert.ok(Buffer.concat(await Promise.all(parts.map((part) => readFile(part.path)))).equals(await readFile(path)));
    for (const open of [openWimFile, openAnyWimFile]) {
      const wim = await open(first);
      const hasher = new ResourceHasher({ threads: 2 });
      await verifyBlobs(wim, { hasher });
      await verifyIntegrity(wim, { hasher });
      await verifyBlobs(wim);
      await hasher.close();
      const out = join(folder, `out-${open.name}`);
      await extractImage(wim, 1, out, { unixData: false });
      assert.ok((await readFile(join(out, "files/image.wim"))).equals(nested));
      await wim.close();
    }
    await joinPieces(first, join(folder, "joined.wim"));
    assert.ok((await readFile(join(folder, "joined.wim"))).equals(await readFile(path)));
    await wimlib("verify", join(folder, "joined.wim"));
  });
});

test("a piece that is missing, cut short or left from another set is refused", async () => {
  await withNested(async (path, folder) => {
    const first = join(folder, "m.wim.001");
    const { parts } = await cutFile(path, first, 150_000);
    await assert.rejects(cutFile(path, first, 300_000), { code: "PRESTAGE_WIM_PLAN", message: /m\.wim\.004 is there already/ });
    await assert.rejects(cutFile(path, join(folder, "m.wim"), 300_000), { code: "PRESTAGE_WIM_PLAN" });
    await assert.rejects(cutFile(path, join(folder, "n.wim.001"), 100), { code: "PRESTAGE_WIM_PLAN" });
    await rm(parts.at(-1)!.path);
    await assert.rejects(openWimFile(first), { code: /^PRESTAGE_WIM_/ });
    await truncate(parts[1]!.path, 140_000);
    await assert.rejects(openWimFile(first), { code: "PRESTAGE_WIM_SPLIT", message: /m\.wim\.002 has 140000 bytes/ });
    await assert.rejects(openWimFile(join(folder, "none.wim.001")), { code: "PRESTAGE_WIM_IO" });
    assert.deepEqual((await readdir(folder)).filter((name) => name.includes("partial")), []);
  });
});
