import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { applyImage, capture, inTemp, sevenZipTest, wimlib } from "./fixtures/wimlib.ts";
import { describeTree, makeTree, treeModel, type TreeModel } from "./fixtures/tree.ts";
import { buildWim, findEntry, openWimFile, verifyBlobs, verifyIntegrity, walkEntries, type WimBuildPlan, type WimFile } from "./index.ts";

const time = 133_000_000_000_000_000n;
const guid = new Uint8Array(16).fill(7);

async function captureModel(folder: string, name: string, model: TreeModel, ...options: string[]): Promise<WimFile> {
  await makeTree(join(folder, name), model);
  const path = join(folder, `${name}.wim`);
  await capture(join(folder, name), path, "--compress=LZX:20", ...options);
  return await openWimFile(path);
}

/** What the XML counts in the first image. */
function countsOf(wim: WimFile): unknown {
  const { directoryCount, fileCount, totalBytes, hardLinkBytes } = wim.xml.images[0]!;
  return { directoryCount, fileCount, totalBytes, hardLinkBytes };
}

test("what is built from random trees applies as those trees", async () => {
  await fc.assert(
    fc.asyncProperty(treeModel, treeModel, async (first, second) => {
      await inTemp(async (folder) => {
        const [a, b] = [await captureModel(folder, "a", first, "--check"), await captureModel(folder, "b", second)];
        const output = join(folder, "out.wim");
        await buildWim({ guid, time, images: [
          { name: "one", sources: [{ kind: "tree", wim: a, image: 1, destination: "" }] },
          { name: "two", sources: [
            { kind: "tree", wim: b, image: 1, destination: "x/y" },
            { kind: "tree", wim: a, image: 1, destination: "z" },
            { kind: "tree", wim: a, image: 1, destination: "again" },
          ] },
        ] }, output);
        await Promise.all([a.close(), b.close()]);
        await wimlib("verify", output);
        await applyImage(output, 1, join(folder, "one"));
        await applyImage(output, 2, join(folder, "two"));
        assert.deepEqual(await describeTree(join(folder, "one")), await describeTree(join(folder, "a")));
        assert.deepEqual(await describeTree(join(folder, "two/x/y")), await describeTree(join(folder, "b")));
        assert.deepEqual(await describeTree(join(folder, "two/z")), await describeTree(join(folder, "a")));
        assert.deepEqual(await describeTree(join(folder, "two/again")), await describeTree(join(folder, "a")));
        const wim = await openWimFile(output);
        assert.deepEqual(countsOf(wim), countsOf(a));
        await verifyIntegrity(wim);
        await verifyBlobs(wim);
        await wim.close();
      });
    }),
    { numRuns: 20 },
  );
});

test("merges three sources and a nested WIM into two images", async () => {
  await inTemp(async (folder) => {
    const model = (text: string): TreeModel => ({ items: [
      { kind: "file", path: "dir/file", bytes: Buffer.from(text.repeat(5000)), mode: 0o640, owner: 1000 },
      { kind: "hard-link", path: "dir/other", to: "dir/file", mode: 0o640, owner: 1000 },
      { kind: "file", path: "shared", bytes: Buffer.from("the same everywhere"), mode: 0o600, owner: 0 },
      { kind: "link", path: "link", target: "dir/file", mode: 0, owner: 0 },
    ] });
    const [a, b, nested] = [await captureModel(folder, "a", model("a")), await captureModel(folder, "b", model("b")), await captureModel(folder, "os", model("c"), "--check")];
    const image = await readFile(join(folder, "os.wim"));
    const output = join(folder, "out.wim");
    const events: string[] = [];
    const result = await buildWim({ guid, time, images: [
      { name: "boot", sources: [{ kind: "tree", wim: a, image: 1, destination: "" }] },
      { name: "data <&>", description: "\"quoted\"", sources: [
        { kind: "tree", wim: a, image: 1, destination: "prestage/content/a/files" },
        { kind: "tree", wim: b, image: 1, destination: "prestage/content/b/files" },
        { kind: "file", destination: "prestage/content/c/files/image.wim", from: { path: join(folder, "os.wim") }, size: image.length, sha1: createHash("sha1").update(image).digest("hex"), wim: nested },
        { kind: "file", destination: "prestage/manifest.json", from: { bytes: Buffer.from("{}") }, size: 2, unix: { uid: 5, gid: 6, mode: 0o100600, rdev: 0 } },
        { kind: "file", destination: "prestage/empty", from: { bytes: new Uint8Array(0) }, size: 0 },
        { kind: "directory", destination: "prestage/state", unix: { uid: 0, gid: 0, mode: 0o40700, rdev: 0 } },
      ] },
    ] }, output, { onProgress: (event) => events.push(`${event.phase} ${event.done === event.total}`) });
    await Promise.all([a.close(), b.close(), nested.close()]);
    assert.equal(result.size, (await stat(output)).size);
    assert.deepEqual(events, ["copy true", "integrity true"]);
    await wimlib("verify", output);
    assert.match(await sevenZipTest(output), /Everything is Ok/);
    const info = await wimlib("info", output);
    assert.match(info, /Name: +data <&>\nDescription: +"quoted"\nDirectory Count: +12\nFile Count: +11\n/);
    await applyImage(output, 2, join(folder, "applied"));
    const at = join(folder, "applied/prestage");
    assert.deepEqual(await describeTree(join(at, "content/a/files")), await describeTree(join(folder, "a")));
    assert.deepEqual(await describeTree(join(at, "content/b/files")), await describeTree(join(folder, "b")));
    assert.ok((await readFile(join(at, "content/c/files/image.wim"))).equals(image));
    assert.equal((await stat(join(at, "state"))).mode.toString(8), "40700");
    assert.equal((await stat(join(at, "manifest.json"))).uid, 5);
    const wim = await openWimFile(output);
    const shared = findEntry(await wim.readImage(1), "shared")!;
    assert.equal(wim.blob(shared.sha1!).referenceCount, 3);
    assert.equal(findEntry(await wim.readImage(2), "prestage/empty")!.sha1, undefined);
    for (const { entry } of walkEntries(await wim.readImage(2))) assert.equal(entry.accessed, entry.written);
    await wim.close();
  });
});

test("equal plans give equal bytes in any folder", async () => {
  const build = async (): Promise<Buffer> => await inTemp(async (folder) => {
    const a = await openWimFile(source);
    await mkdir(join(folder, "out"));
    await writeFile(join(folder, "plain"), Buffer.alloc(9_000_000, "plain"));
    const plan: WimBuildPlan = { guid, time, images: [{ name: "i", sources: [
      { kind: "tree", wim: a, image: 1, destination: "t" },
      { kind: "file", destination: "p", from: { path: join(folder, "plain") }, size: 9_000_000 },
      { kind: "file", destination: "q", from: { path: join(folder, "plain") }, size: 9_000_000 },
    ] }] };
    await buildWim(plan, join(folder, "out/x.wim"));
    await a.close();
    assert.deepEqual(await readdir(join(folder, "out")), ["x.wim"]);
    await wimlib("verify", join(folder, "out/x.wim"));
    return await readFile(join(folder, "out/x.wim"));
  });
  let source = "";
  await inTemp(async (folder) => {
    await (await captureModel(folder, "a", { items: [{ kind: "file", path: "f", bytes: Buffer.alloc(100_000, "abc"), mode: 0o644, owner: 0 }] })).close();
    source = join(folder, "a.wim");
    assert.ok((await build()).equals(await build()));
  });
});

test("a descriptor is given to entries without one, and stored once", async () => {
  await inTemp(async (folder) => {
    const a = await captureModel(folder, "a", { items: [{ kind: "file", path: "d/f", bytes: Buffer.from("x"), mode: 0o644, owner: 0 }] });
    const securityDescriptor = Buffer.from("0100048014000000240000000000000034000000010200000000000520000000200200000102000000000005200000002002000002000800000000000", "hex");
    await buildWim({ guid, time, images: [{ name: "i", sources: [
      { kind: "directory", destination: "p", securityDescriptor },
      { kind: "tree", wim: a, image: 1, destination: "p/t", securityDescriptor },
      { kind: "file", destination: "p/g", from: { bytes: Buffer.from("y") }, size: 1, securityDescriptor: Uint8Array.from(securityDescriptor) },
      { kind: "file", destination: "h", from: { bytes: Buffer.from("z") }, size: 1 },
    ] }] }, join(folder, "out.wim"));
    await a.close();
    const wim = await openWimFile(join(folder, "out.wim"));
    const image = await wim.readImage(1);
    assert.deepEqual(image.securityDescriptors.map((bytes) => Buffer.from(bytes)), [securityDescriptor]);
    assert.deepEqual(Object.fromEntries([...walkEntries(image)].map(({ path, entry }) => [path, entry.securityIndex])), { h: -1, p: 0, "p/g": 0, "p/t": 0, "p/t/d": 0, "p/t/d/f": 0 });
    await wim.close();
    await wimlib("verify", join(folder, "out.wim"));
  });
});
