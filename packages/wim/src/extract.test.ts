import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { makeEntry } from "./entry-write.ts";
import { wimWithMetadata } from "./fixtures/resign.ts";
import { describeTree, makeTree, treeModel } from "./fixtures/tree.ts";
import { capture, inTemp, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, extractEntry, extractImage, findEntry, memorySource, openAnyWim, openAnyWimFile, openFileSource, walkEntries, type AnyWim, type WimErrorCode } from "./index.ts";

const run = promisify(execFile);
const root = process.getuid?.() === 0;

test("lays down what was captured, whatever form it has: owners, modes, times, links", { skip: !root && "needs root" }, async () => {
  await fc.assert(
    fc.asyncProperty(treeModel, fc.constantFrom(["--compress=LZX:20"], ["--solid"], ["--pipable", "--compress=none"]), async (model, options) => {
      await inTemp(async (folder) => {
        await makeTree(join(folder, "tree"), model);
        await capture(join(folder, "tree"), join(folder, "t.wim"), ...options);
        const wim = await openAnyWimFile(join(folder, "t.wim"));
        try {
          const { leftOut } = await extractImage(wim, 1, join(folder, "out"));
          assert.deepEqual(leftOut, []);
          assert.deepEqual(await describeTree(join(folder, "out")), await describeTree(join(folder, "tree")));
        } finally {
          await wim.close();
        }
      });
    }),
    { numRuns: 25 },
  );
});

describe("an extraction", () => {
  let folder = "";
  let wim: AnyWim;
  const at = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await mkdir(at("t/a/b/c"), { recursive: true });
    await writeFile(at("t/a/b/c/file"), "text");
    await writeFile(at("t/a/zeros"), Buffer.concat([Buffer.from("head"), Buffer.alloc(5_000_000), Buffer.from("tail"), Buffer.alloc(3_000_000)]));
    await symlink("../a", at("t/a/link"));
    if (root) {
      await run("mknod", [at("t/pipe"), "p"]);
      await run("mknod", [at("t/disk"), "b", "259", "65537"]);
      await run("perl", ["-e", "my ($p, $n, $v) = ($ARGV[0], 'user.note', 'value'); syscall(188, $p, $n, $v, 5, 0) == 0 or exit 1", at("t/a/b/c/file")]).catch(() => undefined);
    }
    await capture(at("t"), at("t.wim"), "--compress=LZX:20");
    wim = await openAnyWimFile(at("t.wim"));
  });
  after(async () => {
    await wim.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("of devices, pipes and extended attributes gives what wimlib gives", { skip: !root && "needs root" }, async () => {
    await extractImage(wim, 1, at("ours"));
    await wimlib("apply", at("t.wim"), "1", at("theirs"), "--unix-data", "--norpfix");
    const look = async (tree: string): Promise<string> => (await run("find", [at(tree), "-printf", "%P %y %m %U %G %T+ %l %s\n"])).stdout.split("\n").sort().join("\n");
    // wimlib and Node round the last digits of times differently.
    const rough = (text: string): string => text.replaceAll(/(:\d\d)\.\d+/g, "$1");
    assert.equal(rough(await look("ours")), rough(await look("theirs")));
    const [ours, theirs] = [await stat(at("ours/disk")), await stat(at("theirs/disk"))];
    assert.equal(ours.rdev, theirs.rdev);
    const xattr = async (tree: string): Promise<string> => (await run("perl", ["-e", "my ($p, $n, $b) = ($ARGV[0], 'user.note', ' ' x 99); my $r = syscall(191, $p, $n, $b, 99); print substr($b, 0, $r < 0 ? 0 : $r)", at(`${tree}/a/b/c/file`)])).stdout;
    assert.equal(await xattr("ours"), await xattr("t"));
  });

  test("makes holes of zeros", async () => {
    await extractImage(wim, 1, at("sparse"), { paths: ["a/zeros"], unixData: false });
    assert.ok((await readFile(at("sparse/a/zeros"))).equals(await readFile(at("t/a/zeros"))));
    const { blocks } = await stat(at("sparse/a/zeros"));
    assert.ok(blocks * 512 < 1_000_000, `${blocks} blocks`);
  });

  test("of some paths lays down these and the folders above", async () => {
    const result = await extractImage(wim, 1, at("some"), { paths: ["/a/b/c/", "a/link"], unixData: false });
    assert.deepEqual((await run("find", [at("some"), "-mindepth", "1", "-printf", "%P\n"])).stdout.trim().split("\n").sort(), ["a", "a/b", "a/b/c", "a/b/c/file", "a/link"]);
    assert.deepEqual([result.directories, result.files, result.links], [4, 1, 1]);
    assert.equal(await readlink(at("some/a/link")), "../a");
    await assert.rejects(extractImage(wim, 1, at("none"), { paths: ["a/missing"] }), { code: "PRESTAGE_WIM_NO_PATH" });
    await assert.rejects(stat(at("none")), { code: "ENOENT" });
  });

  test("into a folder that is taken is refused; into an empty one it is not", async () => {
    await assert.rejects(extractImage(wim, 1, at("t")), { code: "PRESTAGE_WIM_EXTRACT" });
    await assert.rejects(extractImage(wim, 1, at("t.wim")), { code: "PRESTAGE_WIM_EXTRACT" });
    await mkdir(at("empty"));
    await extractImage(wim, 1, at("empty"), { unixData: false, paths: ["a/b"] });
  });

  test("that is aborted leaves nothing", async () => {
    const controller = new AbortController();
    await assert.rejects(extractImage(wim, 1, at("aborted"), { signal: controller.signal, unixData: false, onProgress: () => controller.abort(new Error("enough")) }), /enough/);
    await assert.rejects(stat(at("aborted")), { code: "ENOENT" });
  });

  test("never follows a link that is put in the place of one of its folders meanwhile", async () => {
    await mkdir(at("many/x/y"), { recursive: true });
    for (let i = 0; i < 100; i++) {
      await mkdir(at(`many/d${i}`));
      await writeFile(at(`many/d${i}/f`), `file ${i}`);
    }
    await capture(at("many"), at("many.wim"), "--compress=none");
    await mkdir(at("outside"));
    let swapped = 0;
    // The first file is read: every folder that is not open by now becomes a link to the outside.
    const swap = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) {
        await rename(at(`victim/d${i}`), at(`victim/moved${i}`));
        await symlink(at("outside"), at(`victim/d${i}`));
        swapped++;
      }
    };
    let swapping: Promise<void> | undefined;
    const file = await openFileSource(at("many.wim"));
    const slow = await openAnyWim({ size: file.size, close: async () => await file.close(), read: async (offset, length) => {
      if (existsSync(at("victim"))) await (swapping ??= swap());
      return await file.read(offset, length);
    } });
    await assert.rejects(extractImage(slow, 1, at("victim"), { unixData: false }), (error: Error & { code?: string }) => error.code === "PRESTAGE_WIM_EXTRACT");
    assert.equal(swapped, 100);
    assert.deepEqual(await readdir(at("outside")), []);
    await slow.close();
  });

  /** A WIM whose files have these names. */
  const named = async (...names: string[]): Promise<AnyWim> => await openAnyWim(memorySource(withNames(...names)));
  function withNames(...names: string[]): Buffer {
    const entries = names.map((name) => makeEntry(name, false, 0n, undefined));
    const top = makeEntry("", true, 0n, undefined);
    top.writeBigUInt64LE(BigInt(8 + top.length + 8), 16);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(8, 0);
    return wimWithMetadata(Buffer.concat([head, top, Buffer.alloc(8), ...entries, Buffer.alloc(8)]));
  }
  for (const names of [[".."], ["."], ["a/b"], ["../../etc/x"], ["nul\0"], ["x".repeat(300)], ["\ud800"], ["twice", "twice"], [""]]) {
    test(`refuses the name ${JSON.stringify(names[0]!.slice(0, 20))}, and writes nothing`, async () => {
      const code: WimErrorCode = "PRESTAGE_WIM_UNSAFE_NAME";
      await assert.rejects(extractImage(await named(...names), 1, at("unsafe")), { code });
      await assert.rejects(stat(at("unsafe")), { code: "ENOENT" });
    });
  }
  test("lists a name as long as the format can hold, as wimlib does, and refuses to lay it down", async () => {
    const long = "\u00e4".repeat(32_766);
    const wim = await named(long, "short");
    assert.deepEqual([...walkEntries(await wim.readImage(1))].map(({ path }) => path).filter((path) => path !== ""), [long, "short"]);
    await writeFile(at("long.wim"), withNames(long, "short"));
    const { stdout } = await run("wimlib-imagex", ["dir", at("long.wim"), "1"]);
    assert.deepEqual(stdout.split("\n").map((line) => line.length).filter((length) => length > 2).sort((a, b) => b - a), [long.length + 1, "/short".length]);
    await assert.rejects(extractImage(wim, 1, at("unsafe")), { code: "PRESTAGE_WIM_UNSAFE_NAME" });
  });
  test("takes names that only Windows could not hold", async () => {
    await extractImage(await named("con", "a:b", "back\\slash", "trail. ", "A", "a"), 1, at("odd"), { unixData: false });
    assert.equal((await readdir(at("odd"))).length, 6);
  });
  test("of one file: never over another, and nothing half-written stays", async () => {
    const image = await wim.readImage(1);
    const entry = findEntry(image, "a/b/c/file")!;
    await extractEntry(wim, entry, at("one file"));
    assert.equal(await readFile(at("one file"), "utf8"), "text");
    await assert.rejects(extractEntry(wim, entry, at("one file")), { code: "PRESTAGE_WIM_IO" });
    await assert.rejects(extractEntry(wim, findEntry(image, "a/b")!, at("a folder")), { code: "PRESTAGE_WIM_NO_DATA" });
    await assert.rejects(extractEntry(wim, findEntry(image, "a/zeros")!, at("aborted file"), { signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    for (const name of ["a folder", "aborted file"]) await assert.rejects(stat(at(name)), { code: "ENOENT" });
  });
  test("of a deep tree, deeper than a path may be", async () => {
    const destination = Array.from({ length: 60 }, () => "d".repeat(100)).join("/");
    await buildWim({ guid: new Uint8Array(16), time: 116_444_736_000_000_000n, images: [{ name: "deep", sources: [{ kind: "file", destination: `${destination}/f`, from: { bytes: Buffer.from("deep") }, size: 4 }] }] }, at("deep.wim"));
    const deep = await openAnyWimFile(at("deep.wim"));
    const { directories } = await extractImage(deep, 1, at("deep"), { unixData: false });
    assert.equal(directories, 61);
    await deep.close();
    await run("rm", ["-r", at("deep")]);
  });
});
