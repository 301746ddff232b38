import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { wimlib } from "./fixtures/wimlib.ts";
import { captureFolder, diffImages, findEntry, memorySource, openAnyWim, openAnyWimFile, recompressWim, verifyWim, type AnyWim } from "./index.ts";

describe("two images", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  let old: AnyWim;
  let next: AnyWim;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await mkdir(at("t/d"), { recursive: true });
    for (const name of ["same", "changed", "gone", "touched"]) await writeFile(at(`t/d/${name}`), `${name} `.repeat(3000));
    await captureFolder(at("t"), at("old.wim"), { name: "old", unixData: true });
    await rm(at("t/d/gone"));
    await writeFile(at("t/d/changed"), "other");
    await writeFile(at("t/d/new"), "new ".repeat(1000));
    await utimes(at("t/d/touched"), 1, 1);
    await captureFolder(at("t"), at("new.wim"), { name: "new", unixData: true, compression: "xpress" });
    old = await openAnyWimFile(at("old.wim"));
    next = await openAnyWimFile(at("new.wim"));
  });
  after(async () => {
    await old.close();
    await next.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("are compared by path, content and metadata, without reading data", async () => {
    const diff = await diffImages({ wim: old, image: 1 }, { wim: next, image: 1 });
    assert.deepEqual(diff.added.map(({ path, size }) => [path, size]), [["d/new", 4000]]);
    assert.deepEqual(diff.removed.map(({ path, kind }) => [path, kind]), [["d/gone", "file"]]);
    assert.deepEqual(diff.changed.filter(({ kind }) => kind === "file").map(({ path, what }) => [path, what]), [["d/changed", ["content", "times"]], ["d/touched", ["times"]]]);
    assert.deepEqual([diff.newBytes, diff.goneBytes], [4005, 24_000 + 15_000]);
    assert.ok(diff.newStoredBytes > 0 && diff.newStoredBytes < 4005);
    const calm = await diffImages({ wim: old, image: 1 }, { wim: next, image: 1 }, { ignoreTimes: true });
    assert.deepEqual([calm.changed.map(({ path }) => path), calm.unchanged], [["d/changed"], 4]);
    const none = await diffImages({ wim: old, image: 1 }, { wim: old, image: 1 });
    assert.deepEqual([none.added, none.removed, none.changed, none.newBytes, none.goneBytes], [[], [], [], 0, 0]);
  });

  test("are verified: every kind of damage by its code, in agreement with wimlib", async () => {
    assert.deepEqual(await verifyWim(old), { integrity: "good", damage: [], names: [], images: 1, blobs: 4 });
    const bytes = await readFile(at("old.wim"));
    const { resource } = old.blob(findEntry(await old.readImage(1), "d/same")!.sha1!);
    const places = [["data", resource.offset + 20, ["PRESTAGE_WIM_INTEGRITY", "PRESTAGE_WIM_BLOB_HASH|PRESTAGE_WIM_DECOMPRESS"]], ["metadata", old.imageMetadata(1).resource.offset + 40, ["PRESTAGE_WIM_INTEGRITY", "PRESTAGE_WIM_METADATA|PRESTAGE_WIM_DECOMPRESS"]]] as const;
    for (const [what, place, codes] of places) {
      const damaged = Buffer.from(bytes);
      damaged[place]! ^= 0x40;
      const { damage, integrity } = await verifyWim(await openAnyWim(memorySource(damaged)));
      assert.equal(integrity, "bad");
      assert.equal(damage.length, codes.length, what);
      for (const [i, { code }] of damage.entries()) assert.match(code, new RegExp(`^(${codes[i]})$`));
      await writeFile(at("damaged.wim"), damaged);
      await assert.rejects(wimlib("verify", at("damaged.wim")));
    }
  });

  test("are compressed anew by the program, whose failure has a code", async () => {
    await recompressWim(at("old.wim"), at("lzms.wim"), "lzms");
    const wim = await openAnyWimFile(at("lzms.wim"));
    assert.equal(wim.compression, "lzms");
    assert.equal((await verifyWim(wim)).damage.length, 0);
    await wim.close();
    await assert.rejects(recompressWim(at("t/d/same"), at("no.wim"), "lzx"), { code: "PRESTAGE_WIM_PROGRAM" });
    await assert.rejects(captureFolder(at("nowhere"), at("no.wim")), { code: "PRESTAGE_WIM_PROGRAM" });
    const path = process.env["PATH"];
    process.env["PATH"] = "/nonexistent";
    try {
      await assert.rejects(captureFolder(at("t"), at("no.wim")), (error: Error & { code?: string }) => error.code === "PRESTAGE_WIM_PROGRAM" && /wimtools/.test(error.message));
    } finally {
      process.env["PATH"] = path;
    }
    await assert.rejects(captureFolder(at("t"), at("no.wim"), { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    await assert.rejects(readFile(at("no.wim")), { code: "ENOENT" });
  });
});
