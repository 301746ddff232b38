import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import fc from "fast-check";
import { describeTree, makeTree, treeModel } from "./fixtures/tree.ts";
import { applyImage, inTemp, sevenZipTest, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, captureFolder, extractImage, folderSources, openAnyWimFile, openWimFile } from "./index.ts";

const fixed = { guid: new Uint8Array(16), time: 132_000_000_000_000_000n };
const skip = process.getuid?.() !== 0 && "needs root";

test("a random folder, stored by us, comes back the same from wimlib and from us", { skip }, async () => {
  await fc.assert(
    fc.asyncProperty(treeModel, async (model) => {
      await inTemp(async (folder) => {
        const at = (name: string): string => join(folder, name);
        await makeTree(at("tree"), model);
        await buildWim({ ...fixed, images: [{ name: "stored", sources: await folderSources(at("tree"), "", { unixData: true }) }] }, at("t.wim"));
        await wimlib("verify", at("t.wim"));
        await applyImage(at("t.wim"), 1, at("theirs"));
        const wim = await openAnyWimFile(at("t.wim"));
        await extractImage(wim, 1, at("ours"));
        await wim.close();
        const expected = await describeTree(at("tree"));
        assert.deepEqual(await describeTree(at("theirs")), expected);
        assert.deepEqual(await describeTree(at("ours")), expected);
      });
    }),
    { numRuns: 15 },
  );
});

test("trees from a WIM, a folder compressed by the program and a folder stored by us make one image", async () => {
  await inTemp(async (folder) => {
    const at = (name: string): string => join(folder, name);
    for (const name of ["one", "two"]) {
      await mkdir(at(name));
      await writeFile(at(`${name}/file`), `${name} `.repeat(5000));
      await symlink("/absolute/we\\ird", at(`${name}/link`));
    }
    await captureFolder(at("one"), at("one.wim"));
    const wim = await openWimFile(at("one.wim"));
    const sources = [{ kind: "tree" as const, wim, image: 1, destination: "a" }, ...(await folderSources(at("two"), "b/c"))];
    await buildWim({ ...fixed, images: [{ name: "merged", sources }] }, at("out.wim"));
    await wim.close();
    await wimlib("verify", at("out.wim"));
    assert.match(await sevenZipTest(at("out.wim")), /Everything is Ok/);
    await applyImage(at("out.wim"), 1, at("out"));
    const look = async (path: string): Promise<string> => (await promisify(execFile)("find", [at(path), "-printf", "%P %y %l %s\n"])).stdout.split("\n").sort().slice(1).join("\n");
    assert.equal((await look("out/a")).replaceAll(" d  4096", ""), (await look("one")).replaceAll(" d  4096", ""));
    assert.equal(await look("out/b/c"), await look("two"));
  });
});

test("pipes are kept as such; a name that is not UTF-8 is refused with its bytes", { skip }, async () => {
  await inTemp(async (folder) => {
    const at = (name: string): string => join(folder, name);
    await mkdir(at("t"));
    await promisify(execFile)("mknod", [at("t/pipe"), "p"]);
    await buildWim({ ...fixed, images: [{ name: "pipe", sources: await folderSources(at("t"), "", { unixData: true }) }] }, at("t.wim"));
    assert.match(await wimlib("dir", at("t.wim"), "1", "--detailed"), /mode:010644/);
    await promisify(execFile)("perl", ["-e", "open(my $f, '>', \"$ARGV[0]/\\xff\") or die", at("t")]);
    await assert.rejects(folderSources(at("t"), ""), { code: "PRESTAGE_WIM_UNSAFE_NAME" });
    await assert.rejects(folderSources(at("nowhere"), ""), { code: "PRESTAGE_WIM_IO" });
  });
});
