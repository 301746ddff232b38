import assert from "node:assert/strict";
import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { capture, inTemp } from "./fixtures/wimlib.ts";
import { describeTree, makeTree, treeModel } from "./fixtures/tree.ts";
import { openWimFile, readLinkTarget, verifyBlobs, verifyIntegrity, walkEntries, type WimFile } from "./index.ts";

/** The same description as `describeTree` gives, from the WIM. */
async function describeImage(wim: WimFile): Promise<Map<string, string>> {
  const image = await wim.readImage(1);
  const groups = new Map<string, string[]>();
  const key = (group: bigint, sha1: string | undefined): string => `${group} ${sha1}`;
  const entries = [...walkEntries(image)].sort((a, b) => comparePaths(a.path, b.path));
  for (const { path, entry } of entries) {
    const { hardLinkGroup, sha1 } = entry;
    if (hardLinkGroup !== 0n) groups.set(key(hardLinkGroup, sha1), [...(groups.get(key(hardLinkGroup, sha1)) ?? []), path]);
  }
  const described = new Map<string, string>();
  for (const { path, entry } of entries) {
    const { uid, gid, mode } = entry.unix!;
    const common = `${uid}:${gid} ${mode.toString(8)}`;
    const same = groups.get(key(entry.hardLinkGroup, entry.sha1)) ?? [];
    if (entry.isDirectory) described.set(path, `directory ${common}`);
    else if (entry.reparseTag !== undefined) described.set(path, `link ${common} ${await readLinkTarget(wim, entry)}`);
    else {
      const seconds = entry.written / 10_000_000n - 11_644_473_600n;
      described.set(path, `file ${common} ${seconds} ${entry.sha1 ?? "da39a3ee5e6b4b0d3255bfef95601890afd80709"} ${same.length > 1 ? `= ${same[0]}` : ""}`);
    }
  }
  return described;
}

/** The order of a walk that sorts each directory. */
function comparePaths(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  const at = left.findIndex((part, i) => part !== right[i]);
  if (at < 0) return left.length - right.length;
  const other = right[at];
  return other !== undefined && left[at]! < other ? -1 : 1;
}

test("reads from a WIM of wimlib exactly the tree that was captured", async () => {
  await fc.assert(
    fc.asyncProperty(treeModel, fc.constantFrom("LZX:20", "XPRESS", "none"), async (model, compression) => {
      await inTemp(async (folder) => {
        await makeTree(join(folder, "tree"), model);
        await capture(join(folder, "tree"), join(folder, "tree.wim"), `--compress=${compression}`, "--check");
        const wim = await openWimFile(join(folder, "tree.wim"));
        try {
          assert.deepEqual(await describeImage(wim), await describeTree(join(folder, "tree")));
          await verifyBlobs(wim);
          await verifyIntegrity(wim);
          const image = wim.xml.images[0]!;
          assert.equal(image.name, "tree");
          assert.equal(image.directoryCount + image.fileCount, [...walkEntries(await wim.readImage(1))].length + 1);
        } finally {
          await wim.close();
        }
      });
    }),
    { numRuns: 25 },
  );
});

test("an absolute link keeps its Linux spelling", async () => {
  await inTemp(async (folder) => {
    await makeTree(join(folder, "tree"), { items: [{ kind: "link", path: "l", target: "/usr/a\\b", mode: 0, owner: 0 }] });
    await capture(join(folder, "tree"), join(folder, "tree.wim"));
    const wim = await openWimFile(join(folder, "tree.wim"));
    const { root } = await wim.readImage(1);
    assert.equal(await readLinkTarget(wim, root.children[0]!), await readlink(join(folder, "tree", "l")));
    assert.equal((await lstat(join(folder, "tree", "l"))).isSymbolicLink(), true);
    await wim.close();
  });
});
