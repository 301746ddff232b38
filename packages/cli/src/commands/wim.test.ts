import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { buildWim } from "@prestage/wim";
import { cli } from "../fixtures/run-cli.ts";

const run = promisify(execFile);

describe("prestage wim", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  const wimlib = (...args: string[]): Promise<unknown> => run("wimlib-imagex", args);
  /** Runs a command that must end well and gives its JSON. */
  async function json<T>(...args: string[]): Promise<T> {
    const result = await cli(["wim", ...args, "--json"]);
    assert.equal(result.exitCode, 0, result.stdout + result.stderr);
    return JSON.parse(result.stdout) as T;
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-cli-wim-"));
    await mkdir(at("t/dir/sub"), { recursive: true });
    await writeFile(at("t/dir/sub/file"), "first");
    await writeFile(at("t/dir/data"), Buffer.from(Array.from({ length: 400_000 }, (_, i) => (i * i * 2654435761) >>> 13)));
    await wimlib("capture", at("t"), at("a.wim"), "one", "--compress=LZX:20", "--check");
    await writeFile(at("t/dir/sub/file"), "second");
    await writeFile(at("t/new"), "new");
    await wimlib("append", at("t"), at("a.wim"), "two", "--check");
    await wimlib("export", at("a.wim"), "all", at("solid.wim"), "--solid");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test("info says form and images", async () => {
    const info = await json<{ compression: string; images: { name: string }[]; solid: boolean }>("info", at("a.wim"));
    assert.deepEqual([info.compression, info.images.map(({ name }) => name), info.solid], ["lzx", ["one", "two"], false]);
    assert.match((await cli(["wim", "info", at("solid.wim")])).stdout, /LZMS.*solid[^]*Image 2: two/);
  });

  test("list and tree show an image, by number or name; several images must be told apart", async () => {
    assert.deepEqual((await cli(["wim", "list", at("a.wim"), "--image", "two"])).stdout.trim().split("\n").sort(), ["dir", "dir/data", "dir/sub", "dir/sub/file", "new"]);
    assert.equal((await json<unknown[]>("list", at("a.wim"), "--image", "1", "--path", "dir/sub")).length, 2);
    assert.match((await cli(["wim", "list", at("solid.wim"), "--image", "2", "--long"])).stdout, /^- .* 400000 .*dir\/data$/m);
    assert.match((await cli(["wim", "tree", at("a.wim"), "--image", "1"])).stdout, /└── dir\/\n {4}├── data\n {4}└── sub\/\n {8}└── file/);
    assert.deepEqual((await json<{ children: { name: string }[] }>("tree", at("a.wim"), "--image", "1", "--path", "dir")).children.map(({ name }) => name), ["data", "sub"]);
    for (const args of [["list", at("a.wim")], ["list", at("a.wim"), "--image", "3"], ["list", at("a.wim"), "--image", "1", "--path", "nowhere"]]) {
      const { exitCode, stderr } = await cli(["wim", ...args]);
      assert.equal(exitCode, 1);
      assert.match(stderr, /PRESTAGE_(CLI_BAD_ARGUMENT|WIM_NO_PATH)/);
    }
  });

  test("list of an address fetches the tables only", async () => {
    const bytes = await readFile(at("a.wim"));
    let sent = 0;
    const server = createServer((request, response) => {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "")!;
      const body = bytes.subarray(Number(from), Number(to) + 1);
      sent += body.length;
      response.writeHead(206, { "content-range": `bytes ${from}-${Number(from) + body.length - 1}/${bytes.length}` }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const address = server.address();
      const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}/a.wim`;
      assert.equal((await json<unknown[]>("list", url, "--image", "2")).length, 5);
      assert.ok(sent < 60_000 && bytes.length > 200_000, `${sent} of ${bytes.length}`);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test("verify: 0 for a whole WIM, 1 for a damaged one; unsafe names are findings, and failures with --strict", async () => {
    assert.match((await cli(["wim", "verify", at("a.wim"), "--strict"])).stdout, /Whole: 2 image\(s\).*integrity table good; 0 unsafe/);
    await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "odd", sources: ["con", "a", "A", "x:y\u001b[2J"].map((destination) => ({ kind: "file", destination, from: { bytes: Buffer.from("x") }, size: 1 })) }] }, at("odd.wim"));
    const odd = await json<{ names: { path: string; reason: string }[]; damage: unknown[] }>("verify", at("odd.wim"));
    assert.deepEqual(odd.names.map(({ reason }) => reason).sort(), ["case-twin", "device-name", "reserved-character"]);
    const strict = await cli(["wim", "verify", at("odd.wim"), "--strict"]);
    assert.equal(strict.exitCode, 1);
    assert.ok(strict.stdout.includes("\\u001b[2J") && !strict.stdout.includes("\u001b"), "nothing a terminal would obey");
    const damaged = await readFile(at("a.wim"));
    damaged[100_000]! ^= 4;
    await writeFile(at("damaged.wim"), damaged);
    const result = await cli(["wim", "verify", at("damaged.wim"), "--json"]);
    assert.equal(result.exitCode, 1);
    assert.deepEqual((JSON.parse(result.stdout) as { damage: { code: string }[] }).damage.map(({ code }) => code)[0], "PRESTAGE_WIM_INTEGRITY");
    await assert.rejects(wimlib("verify", at("damaged.wim")));
  });

  test("extract lays down an image or some paths", async () => {
    const { files } = await json<{ files: number }>("extract", at("solid.wim"), at("out"), "--image", "two");
    assert.equal(files, 3);
    assert.equal(await readFile(at("out/dir/sub/file"), "utf8"), "second");
    await json("extract", at("a.wim"), at("some"), "--image", "1", "--path", "dir/sub", "--plain");
    assert.deepEqual(await readdir(at("some/dir")), ["sub"]);
    assert.match((await cli(["wim", "extract", at("a.wim"), at("out"), "--image", "1"])).stderr, /PRESTAGE_WIM_EXTRACT/);
  });

  test("export takes some images, renamed; packs them again; makes a delta that needs its reference", async () => {
    await json("export", at("a.wim"), at("one.wim"), "--image", "2", "--name", "only", "--boot", "two");
    const info = await json<{ images: { name: string }[]; bootIndex: number }>("info", at("one.wim"));
    assert.deepEqual([info.images.map(({ name }) => name), info.bootIndex], [["only"], 1]);
    await json("export", at("a.wim"), at("rest.wim"), "--without", "one", "--no-check");
    await json("export", at("solid.wim"), at("lzx.wim"), "--compress", "lzx");
    assert.equal((await json<{ compression: string }>("info", at("lzx.wim"))).compression, "lzx");
    assert.deepEqual((await readdir(folder)).filter((name) => name.includes("raw-")), []);
    await json("export", at("a.wim"), at("delta.wim"), "--image", "2", "--delta-from", at("solid.wim"));
    assert.equal((await cli(["wim", "verify", at("delta.wim")])).exitCode, 1);
    assert.equal((await cli(["wim", "verify", at("delta.wim"), "--ref", at("solid.wim")])).exitCode, 0);
    for (const name of ["one", "rest", "lzx"]) await wimlib("verify", at(`${name}.wim`));
  });

  test("set renames in place", async () => {
    await json("export", at("a.wim"), at("set.wim"));
    await json("set", at("set.wim"), "--image", "one", "--name", "uno", "--description", "d");
    assert.deepEqual((await json<{ images: { name: string; description?: string }[] }>("info", at("set.wim"))).images.map(({ name, description }) => [name, description]), [["uno", "d"], ["two", undefined]]);
    await wimlib("verify", at("set.wim"));
  });

  test("split and join give the same back; a part too small for the data is refused", async () => {
    const { parts } = await json<{ parts: { path: string; size: number }[] }>("split", at("a.wim"), at("s.swm"), "--size", "500k");
    for (const { path, size } of parts) assert.equal((await stat(path)).size, size);
    await json("join", at("joined.wim"), at("s.swm"));
    await wimlib("verify", at("joined.wim"));
    assert.equal((await json<{ added: unknown[]; changed: unknown[] }>("diff", at("a.wim"), at("joined.wim"), "--image", "2")).changed.length, 0);
    assert.match((await cli(["wim", "split", at("a.wim"), at("t.swm"), "--size", "100k"])).stderr, /PRESTAGE_WIM_SPLIT_SIZE/);
    const pieces = await json<{ parts: { path: string; size: number }[] }>("split", at("a.wim"), at("p.wim.001"), "--size", "100k");
    assert.ok(pieces.parts.length > 1);
    assert.match((await cli(["wim", "verify", at("p.wim.001")])).stdout, /^Whole/);
    await json("join", at("pieced.wim"), at("p.wim.001"));
    assert.ok((await readFile(at("pieced.wim"))).equals(await readFile(at("a.wim"))));
    assert.match((await cli(["wim", "split", at("a.wim"), at("t.swm"), "--size", "many"])).stderr, /expected a size/);
  });

  test("diff says what was added and changed, and how many bytes are new", async () => {
    const diff = await json<{ added: { path: string }[]; changed: { path: string; what: string[] }[]; removed: unknown[]; newBytes: number; goneBytes: number }>("diff", at("a.wim"), at("solid.wim"), "--image", "1", "--new-image", "2", "--ignore-times");
    assert.deepEqual([diff.added.map(({ path }) => path), diff.removed, diff.newBytes, diff.goneBytes], [["new"], [], 9, 5]);
    assert.deepEqual(diff.changed, [{ path: "dir/sub/file", kind: "file", size: 6, oldSize: 5, what: ["content"] }]);
    assert.match((await cli(["wim", "diff", at("a.wim"), at("a.wim"), "--image", "2", "--new-image", "1"])).stdout, /^- new {2}3 B$/m);
    assert.equal((await cli(["wim", "diff", at("a.wim"), at("a.wim"), "--image", "1", "--exit-code"])).exitCode, 0);
    assert.equal((await cli(["wim", "diff", at("a.wim"), at("a.wim"), "--image", "1", "--new-image", "2", "--exit-code"])).exitCode, 1);
  });
});
