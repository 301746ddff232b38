import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { mutate, readEverything, seeded } from "./fixtures/fuzz.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { makeTree } from "./fixtures/tree.ts";
import { capture, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, memorySource, openWim, openWimFile, WimError } from "./index.ts";
import { decodeLzx } from "./lzx.ts";
import { decodeXpress } from "./xpress.ts";

const methods = ["none", "XPRESS", "LZX:20", "LZMS", "solid", "pipable"] as const;
const optionsOf = (method: string): string[] => (method === "solid" ? ["--solid", "--solid-chunk-size=64K"] : method === "pipable" ? ["--pipable"] : [`--compress=${method}`, ...(method === "LZMS" ? ["--chunk-size=32K"] : [])]);

describe("a damaged WIM ends in a WimError, within a second", () => {
  let folder = "";
  const wims = new Map<string, Buffer>();
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    const program = (await readFile("/bin/bash")).subarray(200_000, 330_000);
    await makeTree(join(folder, "tree"), { items: [
      { kind: "file", path: "a/program", bytes: program.subarray(0, 70_000), mode: 0o755, owner: 0 },
      { kind: "file", path: "a/b/text", bytes: Buffer.alloc(40_000, "some text, and more of it; "), mode: 0o644, owner: 1000 },
      { kind: "hard-link", path: "a/b/other", to: "a/program", mode: 0o755, owner: 0 },
      { kind: "file", path: "empty", bytes: new Uint8Array(0), mode: 0o600, owner: 0 },
      { kind: "link", path: "link", target: "/a/b/text", mode: 0, owner: 0 },
      ...Array.from({ length: 20 }, (_, i) => ({ kind: "file" as const, path: `many/${i}`, bytes: Buffer.from(`${i}`.repeat(40)), mode: 0o644, owner: 0 })),
    ] });
    for (const method of methods) {
      const path = join(folder, `${method}.wim`);
      await capture(join(folder, "tree"), path, ...optionsOf(method), "--check");
      wims.set(method, await readFile(path));
    }
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [seed, method] of methods.entries()) {
    test(`bytes flipped anywhere in a WIM compressed by ${method}; what wimlib refuses we refuse`, async () => {
      const bytes = wims.get(method)!;
      const random = seeded(seed);
      const results = new Map<string, number>();
      for (let i = 0; i < 1500; i++) {
        // Half of the damage goes to the header, half of the rest behind the file data: metadata, table, XML.
        const aim = random();
        const damaged = aim < 0.4 ? mutate(bytes, random, 0, 208) : aim < 0.7 ? mutate(bytes, random, bytes.length - 9000) : mutate(bytes, random);
        const result = await readEverything(damaged);
        results.set(result, (results.get(result) ?? 0) + 1);
        if (i % 60 !== 0) continue;
        const path = join(folder, "case.wim");
        await writeFile(path, damaged);
        const refused = await wimlib("verify", path).then(() => undefined, (error: Error) => error.message);
        assert.ok(refused === undefined || result !== "accepted", `case ${i} is refused by wimlib only: ${refused}`);
      }
      assert.ok(results.size > 5, [...results].join("; "));
    });
  }

  test("metadata of any content, with a hash that fits", async () => {
    const wim = await openWim(memorySource(wims.get("none")!));
    const { resource } = wim.imageMetadata(1);
    const metadata = await wim.readResourceRange(resource, 0, resource.size);
    const blobs = await Promise.all([...wim.blobs.values()].map(async (blob) => await wim.readResourceRange(blob.resource, 0, blob.resource.size)));
    const random = seeded(99);
    const results = new Map<string, number>();
    for (let i = 0; i < 8000; i++) {
      const damaged = wimWithMetadata(mutate(metadata, random), i % 20 === 0 ? blobs : []);
      const result = await readEverything(damaged);
      results.set(result, (results.get(result) ?? 0) + 1);
      if (i % 80 === 0) await rebuild(damaged, join(folder, "rebuilt.wim"));
    }
    assert.ok((results.get("PRESTAGE_WIM_METADATA") ?? 0) > 500, [...results].join("; "));
  });

  /** What can be read can be merged, or is refused; what was merged, wimlib takes. */
  async function rebuild(bytes: Buffer, output: string): Promise<void> {
    try {
      const wim = await openWim(memorySource(bytes));
      await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "i", sources: [{ kind: "tree", wim, image: 1, destination: "t" }] }] }, output);
    } catch (error) {
      assert.ok(error instanceof WimError, String(error));
      return;
    }
    await wimlib("verify", output);
  }

  test("compressed chunks of any content", async () => {
    const start = process.cpuUsage();
    for (const method of ["XPRESS", "LZX:20"]) {
      const wim = await openWim(memorySource(wims.get(method)!));
      const random = seeded(7);
      const output = new Uint8Array(32768);
      let refused = 0;
      let cases = 0;
      for (const blob of wim.blobs.values()) {
        if (blob.resource.size < 40_000) continue;
        const table = await wim.chunkTable(blob.resource);
        const chunk = await wim.source.read(table.offsets[0]!, table.sizes[0]!);
        for (let i = 0; i < 1500; i++, cases++) {
          const damaged = mutate(chunk, random, 0, random() < 0.5 ? 300 : chunk.length);
          if (!(method === "XPRESS" ? decodeXpress(damaged, output) : decodeLzx(damaged, output, 32768))) refused++;
        }
      }
      assert.ok(refused > cases / 10 && refused < cases, `${refused} of ${cases}`);
    }
    const used = process.cpuUsage(start);
    assert.ok(used.user + used.system < 10_000_000);
  });

  test("noise instead of a WIM", async () => {
    const random = seeded(5);
    const noise = Buffer.from(Array.from({ length: 5000 }, () => Math.floor(random() * 256)));
    for (const length of [0, 1, 207, 208, 5000]) assert.equal(await readEverything(noise.subarray(0, length)), "PRESTAGE_WIM_NOT_A_WIM");
    await assert.rejects(openWimFile(join(folder, "none-such.wim")), { code: "PRESTAGE_WIM_IO" });
  });
});
