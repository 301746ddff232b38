import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { describeTree, makeTree, treeModel } from "./fixtures/tree.ts";
import { applyImage, capture, inTemp, sevenZipTest, wimlib } from "./fixtures/wimlib.ts";
import { exportWim, openAnyWim, openAnyWimFile, openWimFile, memorySource, setImageProperties, splitWim, verifyBlobs, verifyIntegrity, type AnyWim, type WimErrorCode } from "./index.ts";

const forms = { none: ["--compress=none"], xpress: ["--compress=XPRESS", "--chunk-size=8K"], lzx: ["--compress=LZX:20", "--check"], lzms: ["--compress=LZMS"], solid: ["--solid"], pipable: ["--pipable", "--compress=LZX:20"] };

test("a random tree, captured in any form, exported and split by us, comes back the same from wimlib", async () => {
  await fc.assert(
    fc.asyncProperty(treeModel, fc.constantFrom(...Object.values(forms)), async (model, options) => {
      await inTemp(async (folder) => {
        const at = (name: string): string => join(folder, name);
        await makeTree(at("tree"), model);
        await capture(at("tree"), at("in.wim"), ...options);
        const wim = await openAnyWimFile(at("in.wim"));
        try {
          await exportWim({ images: [{ wim, image: 1 }] }, at("out.wim"));
          const largest = Math.max(0, ...model.items.map((item) => (item.kind === "file" ? item.bytes.length : 0)));
          await splitWim({ images: [{ wim, image: 1 }] }, at("set.swm"), Math.max(65536 * 2, largest + 16384)); // a resource is never cut
          await wimlib("verify", at("out.wim"));
          await wimlib("apply", at("set.swm"), "1", at("joined"), `--ref=${at("set*.swm")}`, "--unix-data", "--norpfix");
          await applyImage(at("out.wim"), 1, at("out"));
          const expected = await describeTree(at("tree"));
          assert.deepEqual(await describeTree(at("out")), expected);
          assert.deepEqual(await describeTree(at("joined")), expected);
        } finally {
          await wim.close();
        }
      });
    }),
    { numRuns: 18 },
  );
});

describe("exports", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await mkdir(at("a/dir"), { recursive: true });
    await writeFile(at("a/dir/text"), "text that repeats, ".repeat(9000));
    await writeFile(at("a/noise"), randomBytes(300_000));
    await writeFile(at("a/more noise"), randomBytes(90_000));
    for (const [name, options] of Object.entries(forms)) await capture(at("a"), at(`${name}.wim`), ...options);
    await writeFile(at("a/new"), "only in the second image");
    await wimlib("append", at("a"), at("lzx.wim"), "second", "a description", "--unix-data", "--check");
    await wimlib("info", at("lzx.wim"), "2", "--boot", "--image-property", "WINDOWS/EDITIONID=Pro", "--image-property", "UNKNOWN/ELEMENT=kept & so on");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function using<T>(name: string, use: (wim: AnyWim) => Promise<T>): Promise<T> {
    const wim = await openAnyWimFile(at(name));
    try {
      return await use(wim);
    } finally {
      await wim.close();
    }
  }
  const listing = (name: string, image = "1"): Promise<string> => wimlib("dir", at(name), image, "--detailed").then((text) => text.replaceAll(/^(?:Compressed size|Reference Count|Flags|Offset|Solid resource|Raw|Part Number|.*[Oo]ffset).*\n/gm, "").replaceAll(/\n+/g, "\n"));

  test("all images, raw: smaller than a wimlib export by no more than its rounding, and equal when repeated", async () => {
    await using("lzx.wim", async (wim) => {
      const plan = { images: [{ wim, image: 1 }, { wim, image: 2 }], bootIndex: 2 };
      const result = await exportWim(plan, at("all.wim"));
      assert.equal(result.decodedBytes, 0);
      await exportWim(plan, at("again.wim"));
      assert.deepEqual(await readFile(at("all.wim")), await readFile(at("again.wim")));
    });
    await wimlib("verify", at("all.wim"));
    assert.match(await sevenZipTest(at("all.wim")), /Everything is Ok/);
    for (const image of ["1", "2"]) assert.equal(await listing("all.wim", image), await listing("lzx.wim", image));
    const info = await wimlib("info", at("all.wim"));
    assert.match(info, /Boot Index: +2/);
    await wimlib("export", at("lzx.wim"), "all", at("theirs.wim"), "--check");
    const [ours, theirs] = [(await stat(at("all.wim"))).size, (await stat(at("theirs.wim"))).size];
    assert.ok(Math.abs(ours - theirs) < 2000, `${ours}, ${theirs}`);
  });

  test("one image under another name; unknown XML stays, data of the other image go", async () => {
    await using("lzx.wim", async (wim) => {
      await exportWim({ images: [{ wim, image: 2, name: "renamed <&>", description: "", flags: "Pro" }] }, at("one.wim"));
    });
    await using("one.wim", async (wim) => {
      const [image] = wim.xml.images;
      assert.equal(image!.name, "renamed <&>");
      assert.equal(image!.description, undefined);
      assert.equal(image!.flags, "Pro");
      assert.equal(image!.windows?.editionId, "Pro");
      assert.match(wim.xml.raw, /<UNKNOWN><ELEMENT>kept &amp; so on<\/ELEMENT><\/UNKNOWN>/);
      await verifyBlobs(wim);
      await verifyIntegrity(wim);
    });
    assert.match(await wimlib("info", at("one.wim"), "renamed <&>"), /Index: +1/);
    await using("lzx.wim", async (wim) => void (await exportWim({ images: [{ wim, image: 1 }] }, at("first.wim"))));
    await using("first.wim", async (wim) => assert.equal(wim.blobs.size, 3));
  });

  for (const name of Object.keys(forms)) {
    test(`of a WIM of form ${name}: every blob counted and verified`, async () => {
      const decoded = await using(`${name}.wim`, async (wim) => (await exportWim({ images: [{ wim, image: 1 }] }, at("x.wim"))).decodedBytes);
      assert.equal(decoded > 0, name === "solid");
      await wimlib("verify", at("x.wim"));
      assert.equal(await listing("x.wim"), await listing(`${name}.wim`));
    });
  }

  test("a split set joined again is the set's content, and its parts stay below the size asked for", async () => {
    const { parts } = await using("lzx.wim", async (wim) => await splitWim({ images: [{ wim, image: 1 }, { wim, image: 2 }] }, at("set.swm"), 320_000));
    assert.ok(parts.length >= 2 && parts.every(({ size }) => size <= 320_000), JSON.stringify(parts));
    for (const { path, size } of parts) assert.equal((await stat(path)).size, size);
    await wimlib("join", at("theirs-joined.wim"), ...parts.map(({ path }) => path));
    await using("set2.swm", async (wim) => void (await exportWim({ images: [{ wim, image: 1 }, { wim, image: 2 }] }, at("joined.wim"))));
    await wimlib("verify", at("joined.wim"));
    for (const image of ["1", "2"]) assert.equal(await listing("joined.wim", image), await listing("lzx.wim", image));
    const repeated = await using("lzx.wim", async (wim) => await splitWim({ images: [{ wim, image: 1 }] }, at("whole.swm"), 2 ** 30));
    assert.equal(repeated.parts.length, 1);
  });

  test("a resource larger than a part is refused, and nothing is written", async () => {
    const before = await readdir(folder);
    await using("lzx.wim", async (wim) => {
      await assert.rejects(splitWim({ images: [{ wim, image: 1 }] }, at("no.swm"), 100_000), (error: Error & { code?: string }) => error.code === "PRESTAGE_WIM_SPLIT_SIZE" && /exFAT/.test(error.message));
      await assert.rejects(splitWim({ images: [{ wim, image: 1 }] }, at("no.swm"), 10), { code: "PRESTAGE_WIM_PLAN" });
    });
    assert.deepEqual(await readdir(folder), before);
  });

  test("a delta leaves out what its reference has; wimlib puts them together", async () => {
    await using("lzx.wim", async (wim) => {
      await using("xpress.wim", async (base) => {
        const { blobCount } = await exportWim({ images: [{ wim, image: 2 }], without: [base] }, at("delta.wim"));
        assert.equal(blobCount, 1);
        const delta = await openAnyWimFile(at("delta.wim"), { references: [base] });
        await verifyBlobs(delta);
        await exportWim({ images: [{ wim: delta, image: 1 }] }, at("whole.wim"));
        await delta.close();
      });
    });
    await wimlib("verify", at("delta.wim"), `--ref=${at("xpress.wim")}`);
    await wimlib("verify", at("whole.wim"));
    assert.equal((await listing("whole.wim")).length, (await listing("lzx.wim", "2")).length);
  });

  test("properties are set in place, and a WIM of two is exported together", async () => {
    await writeFile(at("props.wim"), await readFile(at("lzx.wim")));
    await setImageProperties(at("props.wim"), [{ image: 1, name: "uno", displayName: "Uno" }, { image: 2, description: "" }]);
    await wimlib("verify", at("props.wim"));
    assert.match(await wimlib("info", at("props.wim"), "uno"), /Display Name: +Uno/);
    await using("props.wim", async (wim) => {
      assert.equal(wim.xml.images[1]!.description, undefined);
      assert.equal(wim.header.bootIndex, 2);
      await using("xpress.wim", async (other) => {
        const { decodedBytes } = await exportWim({ images: [{ wim, image: 1 }, { wim: other, image: 1, name: "other" }] }, at("both.wim"));
        assert.equal(decodedBytes > 0, true);
      });
    });
    await wimlib("verify", at("both.wim"));
  });

  test("properties of solid WIMs are set too; of pipable and split ones not", async () => {
    await writeFile(at("solid-set.wim"), await readFile(at("solid.wim")));
    await setImageProperties(at("solid-set.wim"), [{ image: 1, name: "new name" }]);
    assert.match(await wimlib("info", at("solid-set.wim"), "new name"), /Index: +1/);
    await wimlib("verify", at("solid-set.wim"));
    await refused("PRESTAGE_WIM_PIPABLE", () => setImageProperties(at("pipable.wim"), [{ image: 1, name: "x" }]));
    await using("lzx.wim", async (wim) => void (await splitWim({ images: [{ wim, image: 1 }] }, at("props.swm"), 320_000)));
    await refused("PRESTAGE_WIM_SPLIT", () => setImageProperties(at("props.swm"), [{ image: 1, name: "x" }]));
  });

  const refused = async (code: WimErrorCode, run: () => Promise<unknown>): Promise<void> => {
    await assert.rejects(run, { code });
  };
  test("plans that cannot be right", async () => {
    await using("lzx.wim", async (wim) => {
      const images = [{ wim, image: 1 }];
      await refused("PRESTAGE_WIM_PLAN", () => exportWim({ images: [] }, at("no.wim")));
      await refused("PRESTAGE_WIM_PLAN", () => exportWim({ images: [...images, ...images] }, at("no.wim")));
      await refused("PRESTAGE_WIM_PLAN", () => exportWim({ images, bootIndex: 2 }, at("no.wim")));
      await refused("PRESTAGE_WIM_PLAN", () => exportWim({ images, guid: new Uint8Array(3) }, at("no.wim")));
      await refused("PRESTAGE_WIM_PLAN", () => exportWim({ images: [{ wim, image: 1, name: "\u0001" }] }, at("no.wim")));
      await refused("PRESTAGE_WIM_NO_IMAGE", () => exportWim({ images: [{ wim, image: 3 }] }, at("no.wim")));
      await refused("PRESTAGE_WIM_NO_IMAGE", () => setImageProperties(at("lzx.wim"), [{ image: 3, name: "x" }]));
      await refused("PRESTAGE_WIM_PLAN", () => setImageProperties(at("lzx.wim"), [{ image: 1, name: "second" }]));
      await assert.rejects(exportWim({ images }, at("no.wim"), { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    });
    await assert.rejects(stat(at("no.wim")), { code: "ENOENT" });
  });

  test("data that do not have their SHA-1 are not passed on when they are decoded", async () => {
    const bytes = await readFile(at("lzx.wim"));
    await using("lzx.wim", async (wim) => {
      const text = [...wim.blobs.values()].find(({ resource }) => resource.size === 171_000)!;
      bytes[text.resource.offset + 150]! ^= 1;
    });
    const wim = await openAnyWim(memorySource(bytes));
    await assert.rejects(exportWim({ images: [{ wim, image: 1 }], form: { compression: "none", chunkSize: 0 } }, at("no.wim")), (error: Error & { code?: string }) => ["PRESTAGE_WIM_BLOB_HASH", "PRESTAGE_WIM_DECOMPRESS"].includes(error.code ?? ""));
    await (await openWimFile(at("lzx.wim"))).close();
  });
});
