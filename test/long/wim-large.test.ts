import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { buildWim, exportWim, extractImage, findEntry, folderSources, openAnyWimFile, splitWim, verifyWim, walkEntries } from "@prestage/wim";
import type { AnyWim } from "@prestage/wim";

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

describe("a WIM of 200,000 files", () => {
  const count = 200_000;
  let folder = "";
  const at = (name: string): string => join(folder, name);
  const filesOf = async (wim: AnyWim): Promise<number> => [...walkEntries(await wim.readImage(1))].filter(({ entry }) => !entry.isDirectory).length;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-many-"));
    for (let i = 0; i < count; i++) {
      if (i % 1000 === 0) await mkdir(at(`t/${i / 1000}`), { recursive: true });
      await writeFile(at(`t/${Math.floor(i / 1000)}/${i}`), `${i % 50_000}\n`);
    }
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("stored by us: wimlib verifies it, and lays down what we do", async () => {
    await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "t", sources: await folderSources(at("t"), "") }] }, at("stored.wim"));
    const wim = await openAnyWimFile(at("stored.wim"));
    assert.equal(await filesOf(wim), count);
    assert.equal(wim.blobs.size, 50_000, "equal files are stored once");
    assert.deepEqual((await verifyWim(wim)).damage, []);
    await run("wimlib-imagex", ["verify", at("stored.wim")]);
    const { files } = await extractImage(wim, 1, at("ours"), { unixData: false });
    assert.equal(files, count);
    await run("wimlib-imagex", ["apply", at("stored.wim"), "1", at("theirs")]);
    await run("diff", ["-r", at("ours"), at("theirs")]);
    await wim.close();
  });

  test("captured by wimlib: exported, split and joined again, all of it is there", async () => {
    await run("wimlib-imagex", ["capture", at("t"), at("captured.wim"), "t", "--compress=LZX:20", "--check"], { maxBuffer: 1 << 26 });
    const wim = await openAnyWimFile(at("captured.wim"));
    await exportWim({ images: [{ wim, image: 1 }] }, at("exported.wim"));
    await splitWim({ images: [{ wim, image: 1 }] }, at("set.swm"), 16 << 20);
    for (const name of ["exported.wim", "set.swm"]) {
      const again = await openAnyWimFile(at(name));
      assert.equal(await filesOf(again), count);
      assert.deepEqual((await verifyWim(again)).damage, []);
      await again.close();
    }
    await wim.close();
  });
});
