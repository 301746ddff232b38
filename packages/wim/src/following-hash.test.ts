import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FollowingHash } from "./following-hash.ts";
import { capture, inTemp, wimlib } from "./fixtures/wimlib.ts";
import { buildWim, kernelCopyRange, openWimFile, type CopyRange, type WimBuildOptions, type WimSource } from "./index.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

describe("the SHA-256 of a file is made while it is written", () => {
  let folder = "";
  let os: Buffer;
  let one: Buffer;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await mkdir(join(folder, "tree"));
    await writeFile(join(folder, "tree/noise"), randomBytes(34_000_000));
    await capture(join(folder, "tree"), join(folder, "os.wim"), "--compress=LZX:20", "--check");
    os = await readFile(join(folder, "os.wim"));
    one = randomBytes(9_000_000);
    await writeFile(join(folder, "one"), one);
    await writeFile(join(folder, "same"), one);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  /** A plain file whose hash is not known before it is copied. */
  const unknown = (name: string): WimSource => ({ kind: "file", destination: name, from: { path: join(folder, name) }, size: one.length });

  async function build(name: string, more: readonly WimSource[], options: WimBuildOptions = {}): Promise<{ path: string; sha256: string | undefined }> {
    const wim = await openWimFile(join(folder, "os.wim"));
    const path = join(folder, name);
    try {
      const image: WimSource = { kind: "file", destination: "image.wim", from: { path: join(folder, "os.wim") }, size: os.length, sha1: createHash("sha1").update(os).digest("hex"), wim };
      const result = await buildWim({ guid: new Uint8Array(16), time: 0n, images: [{ name: "i", sources: [image, ...more] }] }, path, { reuseFrom: 1_000_000, checksum: true, ...options });
      return { path, sha256: result.sha256 };
    } finally {
      await wim.close();
    }
  }

  for (const [name, more, options] of [
    ["by the kernel", () => [], {}],
    ["by reading", () => [], { copyRange: false }],
    ["with a file whose hash is found on the way", () => [unknown("one")], {}],
    ["with two of one size, which may be one", () => [unknown("one"), unknown("same")], {}],
    ["without an integrity table to reuse", () => [unknown("one")], { reuseFrom: Number.POSITIVE_INFINITY }],
  ] as const) {
    test(`copied ${name}`, async () => {
      const built = await build(`${name}.wim`, more(), options);
      assert.equal(built.sha256, sha256(await readFile(built.path)));
      await wimlib("verify", built.path);
    });
  }

  test("where the kernel stops half-way what it told is kept, the rest is read", async () => {
    let asked = 0;
    const copyRange: CopyRange = async (range, signal, onBytes) => {
      asked++;
      const half = { ...range, length: 2 ** 23 };
      if (!(await kernelCopyRange(half, signal))) return false;
      onBytes?.(half.length);
      return false;
    };
    const halfway = await build("halfway.wim", [], { copyRange });
    const whole = await build("whole.wim", [], { copyRange: false });
    assert.equal(asked, 1);
    assert.equal(halfway.sha256, sha256(await readFile(halfway.path)));
    assert.equal(halfway.sha256, whole.sha256);
  });

  test("nothing is reckoned that nobody asked for", async () => {
    assert.equal((await build("unasked.wim", [], { checksum: false })).sha256, undefined);
  });

  test("an abort while it follows, and while it ends, leaves nothing", async () => {
    const before = await readdir(folder);
    for (const phase of ["copy", "checksum"] as const) {
      const abort = new AbortController();
      const onProgress: WimBuildOptions["onProgress"] = (event) => void (event.phase === phase && abort.abort(new Error("enough")));
      await assert.rejects(build("aborted.wim", [unknown("one")], { signal: abort.signal, onProgress }), /enough/);
      assert.deepEqual(await readdir(folder), before);
    }
  });

  test("what progress throws ends the build", async () => {
    const onProgress: WimBuildOptions["onProgress"] = ({ phase }) => {
      if (phase === "checksum") throw new Error("broken pipe");
    };
    await assert.rejects(build("thrown.wim", [], { onProgress }), /broken pipe/);
  });
});

test("a file cut behind the writer is refused", async () => {
  await inTemp(async (folder) => {
    const path = join(folder, "short");
    await writeFile(path, Buffer.alloc(6_000_000));
    const following = new FollowingHash(path, Buffer.alloc(208));
    try {
      following.reach(5_000_000);
      await assert.rejects(following.finish(7_000_000, undefined), { code: "PRESTAGE_WIM_TRUNCATED" });
    } finally {
      await following.close();
    }
  });
});
