import assert from "node:assert/strict";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { makeSamples } from "./fixtures/samples.ts";
import { capture, wimlib } from "./fixtures/wimlib.ts";
import { findEntry, memorySource, openAnyWim, openAnyWimFile, openWim, readEntryData, verifyBlobs, verifyIntegrity, type AnyWim, type WimErrorCode } from "./index.ts";

describe("WIMs of every form wimlib writes", () => {
  let folder = "";
  let samples = new Map<string, Buffer>();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    samples = await makeSamples(folder);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** Every sample whole and in ranges, in an order that goes back and forth, then all blobs by their SHA-1. */
  async function checkSamples(wim: AnyWim): Promise<void> {
    const image = await wim.readImage(1);
    for (const [name, expected] of [...samples].reverse()) {
      const entry = findEntry(image, name)!;
      const pieces: Uint8Array[] = [];
      for await (const piece of readEntryData(wim, entry)) pieces.push(piece);
      assert.ok(Buffer.concat(pieces).equals(expected), name);
      const { resource } = wim.blob(entry.sha1!);
      for (const [from, length] of [[expected.length - 1, 1], [Math.floor(expected.length / 3), Math.floor(expected.length / 3)], [0, 1], [expected.length, 0]] as const) {
        assert.ok(Buffer.from(await wim.readResourceRange(resource, from, length)).equals(expected.subarray(from, from + length)), `${name} from ${from}`);
      }
    }
    await verifyBlobs(wim);
    for (const part of wim.parts) if (part.integrity !== undefined) await verifyIntegrity(part);
  }
  const captured = async (name: string, ...options: string[]): Promise<string> => {
    const path = join(folder, name);
    await capture(join(folder, "samples"), path, ...options);
    return path;
  };
  async function openAndCheck(path: string | string[]): Promise<AnyWim> {
    const wim = await openAnyWimFile(path);
    await checkSamples(wim);
    await wim.close();
    return wim;
  }

  for (const chunk of ["32K", "128K", "1M", "64M"]) {
    test(`LZMS in chunks of ${chunk}`, async () => assert.equal((await openAndCheck(await captured(`lzms-${chunk}.wim`, "--compress=LZMS", `--chunk-size=${chunk}`, "--check"))).compression, "lzms"));
  }
  for (const [method, chunk] of [["LZMS", "64M"], ["LZMS", "512K"], ["LZX", "2M"], ["XPRESS", "64K"]] as const) {
    test(`solid, ${method} in chunks of ${chunk}`, async () => {
      const path = await captured(`solid-${method}-${chunk}.wim`, "--solid", `--solid-compress=${method}`, `--solid-chunk-size=${chunk}`);
      await openAndCheck(path);
      await assert.rejects(openWim(memorySource(await readFile(path))), { code: "PRESTAGE_WIM_SOLID" });
    });
  }
  for (const method of ["none", "XPRESS", "LZX", "LZMS"]) {
    test(`pipable, ${method}`, async () => {
      const path = await captured(`pipable-${method}.wim`, "--pipable", `--compress=${method}`, "--check");
      assert.ok((await openAndCheck(path)).header.pipable);
      await assert.rejects(openWim(memorySource(await readFile(path))), { code: "PRESTAGE_WIM_PIPABLE" });
    });
  }
  test("the flag of the oldest XPRESS", async () => {
    const bytes = await readFile(await captured("old.wim", "--compress=XPRESS"));
    bytes.writeUInt32LE((bytes.readUInt32LE(16) & ~0x20000) | 0x200000, 16);
    const wim = await openAnyWim(memorySource(bytes));
    assert.equal(wim.compression, "xpress");
    await checkSamples(wim);
  });
  test("a file that is no WIM", async () => {
    await assert.rejects(openAnyWim(memorySource(Buffer.alloc(5000, "WLPWM\0\0\0"))), { code: "PRESTAGE_WIM_HEADER" });
    await assert.rejects(openAnyWim(memorySource(Buffer.alloc(20))), { code: "PRESTAGE_WIM_NOT_A_WIM" });
  });
  test("a chunk size above the limit is refused before memory is set aside", async () => {
    const wim = await openAnyWimFile(await captured("big.wim", "--compress=LZMS", "--chunk-size=64M"), { limits: { chunkBytes: 2 ** 20 } });
    await assert.rejects(wim.readImage(1), { code: "PRESTAGE_WIM_LIMIT" });
    await wim.close();
  });

  describe("split sets", () => {
    let parts: string[] = [];
    before(async () => {
      for (const [name, options] of [["set", ["--compress=LZX:20"]], ["piped", ["--pipable"]]] as const) {
        await wimlib("split", await captured(`${name}.wim`, ...options, "--check"), join(folder, `${name}.swm`), "0.3", "--check");
      }
      parts = Array.from({ length: (await openAnyWimFile(join(folder, "set.swm"))).parts.length }, (_, i) => join(folder, `set${i === 0 ? "" : i + 1}.swm`));
      assert.ok(parts.length > 2, `${parts.length} parts`);
    });
    const refused = (code: WimErrorCode, paths: string | string[], message: RegExp): Promise<void> =>
      assert.rejects(openAnyWimFile(paths), (error: Error & { code?: string }) => error.code === code && message.test(error.message));

    test("are opened by any part", async () => {
      for (const path of [parts[0]!, parts[2]!, join(folder, "piped2.swm")]) await openAndCheck(path);
    });
    test("are opened by a list in any order, under any names", async () => {
      const odd = join(folder, "odd name");
      await rename(parts[1]!, odd);
      await openAndCheck([odd, ...parts.filter((_, i) => i !== 1)].reverse());
      await refused("PRESTAGE_WIM_SPLIT", parts[0]!, /Part 2 of \d+ is missing/);
      await rename(odd, parts[1]!);
    });
    test("with a part doubled, or one of another set, are refused", async () => {
      await refused("PRESTAGE_WIM_SPLIT", [...parts, parts[1]!], /Part 2 of \d+ was given twice/);
      await refused("PRESTAGE_WIM_SPLIT", [...parts.slice(0, -1), join(folder, "piped2.swm")], /another set/);
      await refused("PRESTAGE_WIM_SPLIT", [], /No part/);
    });
    test("tell which part is damaged", async () => {
      const bytes = await readFile(parts[1]!);
      bytes.writeUInt32LE(2 ** 30, 56);
      await writeFile(join(folder, "broken"), bytes);
      await refused("PRESTAGE_WIM_TRUNCATED", parts.map((path, i) => (i === 1 ? join(folder, "broken") : path)), /cut short/);
    });
  });

  test("a delta is whole with its reference, and names what is missing without", async () => {
    const base = await captured("base.wim", "--compress=LZX:20");
    const delta = join(folder, "delta.wim");
    await writeFile(join(folder, "samples", "new"), "only in the delta");
    samples.set("new", Buffer.from("only in the delta"));
    await capture(join(folder, "samples"), delta, "--compress=XPRESS", `--delta-from=${base}`);
    const alone = await openAnyWimFile(delta);
    assert.equal(alone.blobs.size, 1);
    await assert.rejects(verifyBlobs(alone), (error: Error & { code?: string }) => error.code === "PRESTAGE_WIM_BLOB_MISSING" && /SHA-1 [0-9a-f]{40}.*reference/.test(error.message));
    const reference = await openAnyWimFile(base);
    const whole = await openAnyWimFile(delta, { references: [reference] });
    await checkSamples(whole);
    for (const wim of [alone, reference, whole]) await wim.close();
  });
});
