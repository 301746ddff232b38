import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { buildWim, exportWim, extractImage, findEntry, folderSources, openAnyWimFile, splitWim, verifyWim } from "@prestage/wim";

const run = promisify(execFile);
const size = 2 ** 32 + 300_000_000;
const tail = Buffer.from("the last bytes, behind four gigabytes of holes");

describe("a WIM with a file over 4 GiB", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-large-"));
    await mkdir(at("t"));
    const file = await open(at("t/large"), "wx");
    await file.write(tail, 0, tail.length, size - tail.length);
    await file.close();
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function checkTail(path: string): Promise<void> {
    const wim = await openAnyWimFile(path);
    const { resource } = wim.blob(findEntry(await wim.readImage(1), "large")!.sha1!);
    assert.equal(resource.size, size);
    assert.deepEqual(Buffer.from(await wim.readResourceRange(resource, size - tail.length, tail.length)), tail);
    await wim.close();
    await run("wimlib-imagex", ["verify", path]);
  }

  for (const [name, options] of [["lzx", ["--compress=LZX:20"]], ["pipable", ["--pipable", "--compress=XPRESS"]], ["lzms", ["--compress=LZMS"]]] as const) {
    test(`${name}: the wide chunk table is read, and written again by an export`, async () => {
      await run("wimlib-imagex", ["capture", at("t"), at(`${name}.wim`), "t", "--check", ...options]);
      await checkTail(at(`${name}.wim`));
      const wim = await openAnyWimFile(at(`${name}.wim`));
      const { decodedBytes } = await exportWim({ images: [{ wim, image: 1 }] }, at(`${name}-out.wim`));
      assert.equal(decodedBytes, 0);
      await wim.close();
      await checkTail(at(`${name}-out.wim`));
    });
  }

  test("stored by us: wimlib takes it, it comes back as holes, and FAT32 cannot have it", async () => {
    await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "t", sources: await folderSources(at("t"), "") }] }, at("stored.wim"));
    await checkTail(at("stored.wim"));
    const wim = await openAnyWimFile(at("stored.wim"));
    assert.deepEqual((await verifyWim(wim)).damage, []);
    await extractImage(wim, 1, at("out"), { unixData: false });
    assert.ok((await stat(at("out/large"))).blocks < 10_000);
    await assert.rejects(splitWim({ images: [{ wim, image: 1 }] }, at("set.swm"), 2 ** 32 - 1), { code: "PRESTAGE_WIM_SPLIT_SIZE" });
    await wim.close();
  });
});
