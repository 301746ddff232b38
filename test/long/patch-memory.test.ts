import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ContentLibrary, importFolder, makePatches } from "@prestage/content";

/** Patches are made against at most 128 MiB of the old file, and decoded with a window of at most 256: longer files go piece by piece. */
const mebibyte = 1 << 20;
const sizes = [300 * mebibyte, 600 * mebibyte] as const;
/** What an agent takes at most to apply a patch: what it is made against, what is decoded, and itself. */
const mostBytes = 520 * mebibyte;

const folder = await mkdtemp(join(tmpdir(), "prestage-patch-memory-"));
after(() => rm(folder, { recursive: true, force: true }));

/** A file of which every 4 KiB are their own, without holes: each page the number of it, over and over, mixed. */
async function write(path: string, size: number, revised: boolean): Promise<void> {
  const file = await open(path, "w");
  const block = new Uint32Array(mebibyte / 4);
  for (let at = 0; at < size; at += mebibyte) {
    for (let i = 0; i < block.length; i++) block[i] = Math.imul((at >>> 2) + (i >>> 4), 2654435761) ^ i;
    if (revised && at % (40 * mebibyte) === 0) block.fill(0x5a5a5a5a, 1000, 1000 + 8000);
    await file.write(Buffer.from(block.buffer));
  }
  await file.close();
}

for (const size of sizes) {
  test(`a file of ${size / mebibyte} MiB is made from its older version and a patch in bounded memory, and every byte is right`, { timeout: 1_200_000 }, async (t) => {
    const library = new ContentLibrary(join(folder, `library-${size}`));
    const versions = [];
    for (const revised of [false, true]) {
      const tree = join(folder, `tree-${size}-${revised}`);
      await mkdir(tree);
      await write(join(tree, "data.bin"), size, revised);
      versions.push(await importFolder(library, tree));
      if (!revised) await rm(tree, { recursive: true });
    }
    const [older, newer] = versions as [(typeof versions)[0], (typeof versions)[0]];
    const offered = await makePatches(library, older.contentId, newer.contentId, { level: 3 });
    assert.ok(offered.bytes > 0 && offered.bytes < newer.storedBytes / 4, `${offered.bytes} of ${newer.storedBytes}`);
    const sent: string[] = [];
    const server = createServer((request, response) => {
      const name = request.url ?? "";
      void (async () => {
        const file = await open(join(library.root, name), "r");
        const [, first = "0", last] = /^bytes=(\d+)-(\d+)?$/.exec(request.headers.range ?? "") ?? [];
        const end = last === undefined ? (await file.stat()).size : Number(last) + 1;
        sent.push(name.split("/").at(-1) ?? "");
        response.writeHead(request.headers.range === undefined ? 200 : 206, { "content-length": end - Number(first) });
        file.createReadStream({ start: Number(first), end: end - 1 }).pipe(response);
      })().catch(() => response.destroy());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const device = async (step: "fill" | "revise") => {
      const child = fork(join(import.meta.dirname, "../support/apply-version.ts"), [JSON.stringify({ url, cache: join(folder, `cache-${size}`), step, older, newer, offered })], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      const [answer] = (await once(child, "message")) as [{ bytes: number; maxRssBytes: number; state: string }];
      await once(child, "exit");
      return answer;
    };
    await device("fill");
    sent.length = 0;
    const revised = await device("revise");
    assert.equal(revised.state, "hit");
    assert.ok(sent.some((name) => name.startsWith("patch-") && name.endsWith(".bin")) && !sent.includes("content.wim"), sent.join());
    t.diagnostic(`${(revised.maxRssBytes / mebibyte).toFixed(0)} MiB of memory, ${revised.bytes} bytes fetched`);
    assert.ok(revised.maxRssBytes < mostBytes, `${revised.maxRssBytes} bytes of memory`);
    const made = join(folder, `cache-${size}`, newer.contentId, "files/data.bin");
    assert.equal((await stat(made)).size, size);
    const [right, found] = await Promise.all([open(join(folder, `tree-${size}-true`, "data.bin")), open(made)]);
    for (let at = 0; at < size; at += 16 * mebibyte) {
      const [a, b] = [Buffer.alloc(16 * mebibyte), Buffer.alloc(16 * mebibyte)];
      await right.read(a, 0, a.length, at);
      await found.read(b, 0, b.length, at);
      assert.ok(a.equals(b), `at ${at}`);
    }
    await right.close();
    await found.close();
    await readFile(join(folder, `cache-${size}`, newer.contentId, "chunks.bin"));
  });
}
