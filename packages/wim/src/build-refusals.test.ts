import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { capture, inTemp } from "./fixtures/wimlib.ts";
import { makeTree } from "./fixtures/tree.ts";
import { buildWim, openWimFile, type WimBuildImage, type WimErrorCode, type WimFile, type WimSource } from "./index.ts";

const file = (destination: string, text = "x"): WimSource => ({ kind: "file", destination, from: { bytes: Buffer.from(text) }, size: text.length });

describe("a build that cannot be right is refused, and leaves nothing behind", () => {
  let sources = "";
  let lzx: WimFile;
  let xpress: WimFile;
  before(async () => {
    sources = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await makeTree(join(sources, "t"), { items: [{ kind: "file", path: "dir/file", bytes: Buffer.alloc(50_000, "abc"), mode: 0o644, owner: 0 }] });
    await capture(join(sources, "t"), join(sources, "lzx.wim"), "--compress=LZX:20");
    await capture(join(sources, "t"), join(sources, "xpress.wim"), "--compress=XPRESS");
    lzx = await openWimFile(join(sources, "lzx.wim"));
    xpress = await openWimFile(join(sources, "xpress.wim"));
  });
  after(async () => {
    await Promise.all([lzx.close(), xpress.close()]);
    await rm(sources, { recursive: true, force: true });
  });

  async function refused(code: WimErrorCode, image: Partial<WimBuildImage>, message?: RegExp): Promise<void> {
    await inTemp(async (folder) => {
      const plan = { guid: new Uint8Array(16), time: 0n, images: [{ name: "i", sources: [], ...image }] };
      await assert.rejects(buildWim(plan, join(folder, "out.wim")), (error: Error & { code?: string }) => {
        assert.equal(error.code, code, error.stack);
        if (message !== undefined) assert.match(error.message, message);
        return true;
      });
      assert.deepEqual(await readdir(folder), []);
    });
  }
  const tree = (destination: string): WimSource => ({ kind: "tree", wim: lzx, image: 1, destination });

  test("two files on one path", () => refused("PRESTAGE_WIM_PATH_TAKEN", { sources: [file("a/b"), file("a/b")] }, /"a\/b"/));
  test("a file where a tree has one", () => refused("PRESTAGE_WIM_PATH_TAKEN", { sources: [tree(""), file("dir/file")] }));
  test("a tree where a file lies", () => refused("PRESTAGE_WIM_PATH_TAKEN", { sources: [file("dir"), tree("")] }));
  test("something below a file", () => refused("PRESTAGE_WIM_PATH_TAKEN", { sources: [file("a"), file("a/b")] }));
  test("a tree laid on itself", () => refused("PRESTAGE_WIM_PATH_TAKEN", { sources: [tree(""), tree("")] }, /dir\/file/));
  test("case twins where case does not count", () => refused("PRESTAGE_WIM_PATH_TAKEN", { caseInsensitive: true, sources: [file("a/B"), file("A/b")] }));
  for (const destination of ["..", "a/../b", "/a", "a//b", "a/", ".", "a\0b"]) {
    test(`destination ${JSON.stringify(destination)}`, () => refused("PRESTAGE_WIM_UNSAFE_NAME", { sources: [file(destination)] }));
  }
  test("trees compressed in different ways", () => refused("PRESTAGE_WIM_COMPRESSION_DIFFERS", { sources: [tree("a"), { kind: "tree", wim: xpress, image: 1, destination: "b" }] }, /LZX:20/));
  test("an image that is not there", () => refused("PRESTAGE_WIM_NO_IMAGE", { sources: [{ kind: "tree", wim: lzx, image: 2, destination: "" }] }));
  test("a file of another size", () => refused("PRESTAGE_WIM_SOURCE_CHANGED", { sources: [{ kind: "file", destination: "a", from: { bytes: Buffer.from("xy") }, size: 1 }] }));
  test("a file with another hash", () => refused("PRESTAGE_WIM_SOURCE_CHANGED", { sources: [{ kind: "file", destination: "a", from: { bytes: Buffer.from("x") }, size: 1, sha1: "0".repeat(39) + "1" }] }));
  test("a large file with another hash", async () => {
    const path = join(sources, "large");
    await writeFile(path, Buffer.alloc(9_000_000));
    await refused("PRESTAGE_WIM_SOURCE_CHANGED", { sources: [{ kind: "file", destination: "a", from: { path }, size: 9_000_000, sha1: "0".repeat(39) + "1" }] });
    await refused("PRESTAGE_WIM_SOURCE_CHANGED", { sources: [{ kind: "file", destination: "a", from: { path }, size: 9_000_001 }] });
  });
  test("a file that is not there", () => refused("PRESTAGE_WIM_IO", { sources: [{ kind: "file", destination: "a", from: { path: join(sources, "none") }, size: 1 }] }));
  test("a name XML cannot hold", () => refused("PRESTAGE_WIM_PLAN", { name: "a\u0001" }));
  test("an image without a name", () => refused("PRESTAGE_WIM_PLAN", { name: "" }));

  test("an aborted build throws the signal's reason and leaves nothing", async () => {
    await inTemp(async (folder) => {
      const path = join(sources, "long");
      await writeFile(path, Buffer.alloc(30_000_000, 1));
      const controller = new AbortController();
      const reason = new Error("enough");
      const plan = { guid: new Uint8Array(16), time: 0n, images: [{ name: "i", sources: [{ kind: "file" as const, destination: "a", from: { path }, size: 30_000_000 }] }] };
      await assert.rejects(buildWim(plan, join(folder, "out.wim"), { signal: controller.signal, onProgress: () => controller.abort(reason) }), reason);
      assert.deepEqual(await readdir(folder), []);
    });
  });
});
