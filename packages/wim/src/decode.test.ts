import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { makeSamples } from "./fixtures/samples.ts";
import { capture } from "./fixtures/wimlib.ts";
import { findEntry, openWimFile, readEntryData, verifyBlobs } from "./index.ts";

describe("decodes what wimlib compressed", () => {
  let folder = "";
  let samples = new Map<string, Buffer>();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    samples = await makeSamples(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const cases: [string, string][] = [
    ["LZX:20", "32K"], ["LZX:20", "64K"], ["LZX:50", "128K"], ["LZX:20", "1M"], ["LZX:100", "2M"],
    ["XPRESS", "4K"], ["XPRESS", "32K"], ["XPRESS:80", "64K"], ["none", "32K"],
  ];
  for (const [method, chunk] of cases) {
    test(`${method} in chunks of ${chunk}`, async () => {
      const path = join(folder, `${method}-${chunk}.wim`);
      await capture(join(folder, "samples"), path, `--compress=${method}`, ...(method === "none" ? [] : [`--chunk-size=${chunk}`]));
      const wim = await openWimFile(path);
      const image = await wim.readImage(1);
      for (const [name, expected] of samples) {
        const entry = findEntry(image, name)!;
        const pieces: Uint8Array[] = [];
        for await (const piece of readEntryData(wim, entry)) pieces.push(piece);
        assert.ok(Buffer.concat(pieces).equals(expected), name);
        const { resource } = wim.blob(entry.sha1!);
        for (const [from, length] of [[0, 1], [expected.length - 1, 1], [Math.floor(expected.length / 3), Math.floor(expected.length / 3)], [expected.length, 0]] as const) {
          assert.ok(Buffer.from(await wim.readResourceRange(resource, from, length)).equals(expected.subarray(from, from + length)), `${name} from ${from}`);
        }
        const table = await wim.chunkTable(resource);
        assert.equal(table.sizes.reduce((sum, size) => sum + size, 0) <= resource.storedSize, true);
        assert.equal(table.offsets.at(-1)! + table.sizes.at(-1)!, resource.offset + resource.storedSize);
      }
      await wim.close();
    });
  }

  test("a single flipped byte of a compressed resource is found by its SHA-1 or the decoder", async () => {
    const path = join(folder, "LZX:20-32K.wim");
    const bytes = await readFile(path);
    const whole = await openWimFile(path);
    const { resource } = whole.blob(findEntry(await whole.readImage(1), "code")!.sha1!);
    await whole.close();
    bytes[resource.offset + Math.floor(resource.storedSize / 2)]! ^= 0x10;
    await writeFile(join(folder, "flipped.wim"), bytes);
    const wim = await openWimFile(join(folder, "flipped.wim"));
    await assert.rejects(verifyBlobs(wim), (error: Error & { code?: string }) => ["PRESTAGE_WIM_BLOB_HASH", "PRESTAGE_WIM_DECOMPRESS"].includes(error.code ?? ""));
    await wim.close();
  });
});
