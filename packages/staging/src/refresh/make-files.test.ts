import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { bytesToMake, makeFiles } from "./make-files.ts";
import type { WantedFile } from "./wanted-files.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-make-files-"));
});
after(() => rm(folder, { recursive: true }));

const content = Buffer.alloc(1 << 20, "content");
const wanted: WantedFile = { volume: "data", path: "a", size: content.length, sha256: createHash("sha256").update(content).digest("hex") };
const media = { read: async (_volume: string, _path: string, offset: number, length: number) => content.subarray(offset, offset + length) };

test("a file whose place on the disk cannot be read comes from the media", async () => {
  const disk = {
    pathOf: () => "a",
    async *read() {
      yield content.subarray(0, 4096);
      throw new Error("EIO: i/o error, read");
    },
    piece: async () => undefined,
  };
  assert.equal(await makeFiles([wanted], media, disk, folder, { onBytes: () => undefined }), 0);
  assert.ok((await readFile(join(folder, wanted.sha256))).equals(content));
});

test("what an earlier attempt left needs no room again, however often the file is wanted; holes do", async () => {
  const other: WantedFile = { ...wanted, path: "b", sha256: "0".repeat(64) };
  await writeFile(join(folder, wanted.sha256), content);
  assert.equal(await bytesToMake([wanted, { ...wanted, path: "c" }], folder), 0);
  assert.equal(await bytesToMake([other, { ...other, path: "d" }], folder), content.length);
  const begun = await open(join(folder, `${other.sha256}.partial`), "w");
  await begun.truncate(content.length);
  assert.equal(await bytesToMake([other], folder), content.length);
  await begun.write(content, 0, content.length >> 1, 0);
  await begun.sync();
  await begun.close();
  const left = await bytesToMake([other], folder);
  assert.ok(left > 0 && left <= content.length >> 1, `${left}`);
});
