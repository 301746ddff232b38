import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, open, rm, stat, truncate } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { tmpdir } from "node:os";
import { describeTree, makeTree, type TreeItem } from "./fixtures/tree.ts";
import { capture, wimlib } from "./fixtures/wimlib.ts";
import { extractImage, findEntry, openAnyWimFile, verifyWim, WimError } from "./index.ts";

const isRoot = process.getuid?.() === 0;

/** Text, code-like and random bytes, equal files, a hard link, a link, an empty file and a deep path. */
const owned = { mode: 0o640, owner: 1000 };
const tree: readonly TreeItem[] = [
  { kind: "file", path: "text", bytes: Buffer.from(Array.from({ length: 9000 }, (_, i) => `line ${i * 31}\n`).join("")), ...owned },
  { kind: "file", path: "dir/noise", bytes: randomBytes(150_000), ...owned },
  { kind: "file", path: "dir/equal-1", bytes: Buffer.from("equal"), ...owned },
  { kind: "file", path: "dir/equal-2", bytes: Buffer.from("equal"), ...owned },
  { kind: "hard-link", path: "dir/hard", to: "text", ...owned },
  { kind: "link", path: "link", target: "dir/noise", ...owned },
  { kind: "file", path: "a/b/c/d/e/empty", bytes: new Uint8Array(), ...owned },
  { kind: "directory", path: "empty-dir", ...owned },
];

/** Each form a WIM comes in: how it is captured, and what is done to it then. */
const forms: Record<string, { options: string[]; then?: (path: string) => Promise<unknown> }> = {
  stored: { options: ["--compress=none"] }, "stored, integrity table": { options: ["--compress=none", "--check"] },
  XPRESS: { options: ["--compress=XPRESS", "--check"] }, "XPRESS, 4 KiB chunks": { options: ["--compress=XPRESS", "--chunk-size=4K"] },
  LZX: { options: ["--compress=LZX:20", "--check"] }, "LZX, 2 MiB chunks": { options: ["--compress=LZX:50", "--chunk-size=2M"] },
  LZMS: { options: ["--compress=LZMS", "--check"] }, solid: { options: ["--solid"] }, pipable: { options: ["--pipable", "--compress=LZX:20"] },
  "split set": { options: ["--compress=none"], then: async (path) => { await wimlib("split", path, `${path.slice(0, -4)}.swm`, "0.1"); } },
};

/** What is done to a copy. Where the bytes of `text` lie is found in the whole file first. */
const damages = {
  whole: async () => {},
  "a byte of data altered": async (path: string, place: { offset: number; size: number }) => flip(path, place.offset + (place.size >> 1)),
  "the directory tree altered": async (path: string, _data: unknown, metadata: { offset: number; size: number }) => flip(path, metadata.offset + (metadata.size >> 1)),
  "cut short": async (path: string) => truncate(path, (await stat(path)).size - 5000),
  "cut in the header": async (path: string) => truncate(path, 150),
  "another magic": async (path: string) => flip(path, 0),
  "another version": async (path: string) => flip(path, 13),
} satisfies Record<string, (path: string, data: { offset: number; size: number }, metadata: { offset: number; size: number }) => Promise<void>>;

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0]! ^= 0x55;
  await file.write(byte, 0, 1, at);
  await file.close();
}

describe("verify and extract agree with wimlib-imagex", { skip: !isRoot && "needs root" }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "prestage-wim-"));
    await makeTree(join(folder, "tree"), { items: tree });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const [form, { options, then }] of Object.entries(forms)) {
    test(form, async () => {
      const source = join(folder, "source.wim");
      await rm(source, { force: true });
      await capture(join(folder, "tree"), source, ...options);
      await then?.(source);
      const first = then === undefined ? source : `${source.slice(0, -4)}.swm`;
      const { paths, data, metadata, dataPath } = await places(first);
      for (const [name, damage] of Object.entries(damages)) {
        for (const path of paths) await copyFile(path, join(folder, `copy${path.slice(source.length - 4)}`));
        const copyOf = (path: string) => join(folder, `copy${path.slice(source.length - 4)}`);
        // What is cut or altered at its start is the part the data lie in.
        await damage(copyOf(name.startsWith("the directory") ? first : dataPath), data, metadata);
        const refs = paths.length > 1 ? [`--ref=${join(folder, "copy*.swm")}`] : [];
        const theirs = await outcome(() => wimlib("verify", copyOf(first), ...refs));
        const ours = await outcome(() => verified(copyOf(first)));
        assert.equal(ours, theirs, `verify, ${name}`);
        // The header at the start of a pipable WIM is a copy: the one at its end counts.
        if (form !== "pipable" || name !== "another version") assert.equal(ours, name === "whole" ? "taken" : "refused", name);
        const laid = { theirs: join(folder, "theirs"), ours: join(folder, "ours") };
        const applied = await outcome(() => wimlib("apply", copyOf(first), "1", laid.theirs, "--unix-data", "--norpfix", ...refs));
        const extracted = await outcome(() => extract(copyOf(first), laid.ours));
        assert.equal(extracted, applied, `extract, ${name}`);
        if (extracted === "taken") assert.deepEqual(await describeTree(laid.ours), await describeTree(laid.theirs), `trees, ${name}`);
        for (const path of [laid.theirs, laid.ours, ...paths.map(copyOf)]) await rm(path, { recursive: true, force: true });
      }
      for (const path of paths) await rm(path);
    });
  }
});

async function outcome(work: () => Promise<unknown>): Promise<"taken" | "refused"> {
  return await work().then(() => "taken", () => "refused");
}

async function verified(path: string): Promise<void> {
  const wim = await openAnyWimFile(path);
  try {
    const { damage } = await verifyWim(wim);
    if (damage[0] !== undefined) throw new WimError(damage[0].code, damage[0].message);
  } finally {
    await wim.close();
  }
}

async function extract(path: string, target: string): Promise<void> {
  const wim = await openAnyWimFile(path);
  try {
    await extractImage(wim, 1, target);
  } finally {
    await wim.close();
  }
}

/** All parts, and where the data of `dir/noise` and the directory tree lie. */
async function places(first: string) {
  const wim = await openAnyWimFile(first);
  try {
    const { resource } = wim.blob(findEntry(await wim.readImage(1), "dir/noise")!.sha1!);
    const solid = resource.place?.solid?.resources[0];
    const tree = wim.imageMetadata(1).resource;
    const volume = resource.place?.volume ?? wim.volume;
    const part = wim.parts.findIndex((one) => one.volume === volume);
    const paths = wim.parts.map((_, i) => (i === 0 ? first : join(dirname(first), `source${i + 1}.swm`)));
    return { paths, dataPath: paths[Math.max(0, part)]!, data: solid === undefined ? { offset: resource.offset, size: resource.storedSize } : { offset: solid.offset, size: solid.storedSize }, metadata: { offset: tree.offset, size: tree.storedSize } };
  } finally {
    await wim.close();
  }
}
