import assert from "node:assert/strict";
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { wimWithMetadata } from "../fixtures/resign.ts";
import { mutate, readEverything } from "../fixtures/fuzz.ts";
import { memorySource, openAnyWim } from "../index.ts";
import { decodeLzms } from "../lzms.ts";
import { decodeLzx } from "../lzx.ts";
import { decodeXpress } from "../xpress.ts";
import { slowLzms } from "./slow-lzms.ts";
import { slowLzx } from "./slow-lzx.ts";
import { slowXpress } from "./slow-xpress.ts";

/** One way of making bad input. `run` makes one case and gives its outcome; it throws when the reader did what it must not. */
export interface FuzzTarget {
  readonly name: string;
  /** How many of its cases there are to one of the slowest. */
  readonly weight: number;
  run(random: () => number): Promise<string>;
}

/** The forms a WIM can have, as options of wimlib's capture. */
const forms: Readonly<Record<string, readonly string[]>> = {
  none: ["--compress=none"], xpress: ["--compress=XPRESS"], lzx: ["--compress=LZX:20"], lzms: ["--compress=LZMS", "--chunk-size=32K"],
  "solid lzms": ["--solid", "--solid-chunk-size=64K"], "solid lzx": ["--solid", "--solid-compress=LZX:20", "--solid-chunk-size=32K"],
  "pipable xpress": ["--pipable", "--compress=XPRESS"], "pipable lzx": ["--pipable", "--compress=LZX:20"],
};

/** All targets, over small WIMs wimlib makes of a small tree; `only` chooses by the beginning of the name. */
export async function makeTargets(only = ""): Promise<FuzzTarget[]> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-fuzz-"));
  try {
    await makeTree(join(folder, "tree"));
    const targets: FuzzTarget[] = [];
    for (const [name, options] of Object.entries(forms)) {
      const path = join(folder, `${name}.wim`);
      await wimlib("capture", join(folder, "tree"), path, "tree", "--unix-data", "--norpfix", "--threads=1", "--check", ...options);
      const bytes = await readFile(path);
      targets.push(fileTarget(`file ${name}`, [bytes]));
      if (name === "none") targets.push(await metadataTarget(bytes));
    }
    await wimlib("split", join(folder, "lzx.wim"), join(folder, "set.swm"), "0.01");
    targets.push(fileTarget("file split", await Promise.all((await readdir(folder)).filter((name) => name.endsWith(".swm")).map((name) => readFile(join(folder, name))))));
    for (const method of ["xpress", "lzx", "lzms"] as const) targets.push(await chunkTarget(method, await readFile(join(folder, `${method}.wim`))));
    return targets.filter(({ name }) => name.startsWith(only));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Damage anywhere in one of the files. Nearly half goes to the header, half of the rest behind the file data: metadata, tables, XML. */
function fileTarget(name: string, parts: readonly Buffer[]): FuzzTarget {
  return {
    name, weight: 2,
    run: async (random) => {
      if (random() < 0.01) {
        assert.equal(await readEverything(...parts), "accepted", "a whole WIM is refused");
        return "accepted whole";
      }
      const which = Math.floor(random() * parts.length);
      const bytes = parts[which]!;
      const aim = random();
      const damaged = aim < 0.2 ? mutate(bytes, random, 0, 208) : aim < 0.4 ? mutate(bytes, random, Math.max(0, bytes.length - 208)) : aim < 0.75 ? mutate(bytes, random, Math.max(0, bytes.length - 9000)) : mutate(bytes, random);
      return await readEverything(...parts.map((part, i) => (i === which ? damaged : part)));
    },
  };
}

/** Metadata of any content, with a hash that fits. */
async function metadataTarget(bytes: Buffer): Promise<FuzzTarget> {
  const wim = await openAnyWim(memorySource(bytes));
  const metadata = Buffer.from(await wim.readMetadata(1));
  const blobs = await Promise.all([...wim.blobs.values()].map(({ resource }) => wim.readResourceRange(resource, 0, resource.size)));
  return { name: "metadata", weight: 4, run: async (random) => await readEverything(wimWithMetadata(mutate(metadata, random), blobs)) };
}

const smallest = 3000;

/**
 * Damaged chunks, decoded by the fast decoder and by a slow one written apart: both must refuse, or both give the same bytes. The
 * chunks are cut to a few thousand bytes of output, and must decode unless they were damaged.
 */
async function chunkTarget(method: "xpress" | "lzx" | "lzms", bytes: Buffer): Promise<FuzzTarget> {
  const wim = await openAnyWim(memorySource(bytes));
  const chunks: { stored: Uint8Array; size: number }[] = [];
  for (const { resource } of wim.blobs.values()) {
    const { offsets, sizes, chunkSize } = await wim.chunkTable(resource);
    for (const [i, size] of sizes.entries()) {
      const output = Math.min(chunkSize, resource.size - i * chunkSize);
      if (size < output) chunks.push({ stored: await wim.source.read(offsets[i]!, size), size: output });
    }
  }
  const fast = { xpress: decodeXpress, lzx: (input: Uint8Array, output: Uint8Array) => decodeLzx(input, output, 32768), lzms: decodeLzms }[method];
  const slow = { xpress: slowXpress, lzx: (input: Uint8Array, size: number) => slowLzx(input, size, 32768), lzms: slowLzms }[method];
  return {
    name: `chunk ${method}`, weight: 1,
    run: async (random) => {
      const { stored, size: full } = chunks[Math.floor(random() * chunks.length)]!;
      const whole = random() < 0.02;
      const size = whole ? full : Math.min(full, 1 + Math.floor(random() * smallest));
      const damaged = whole ? stored : mutate(stored, random, 0, random() < 0.6 ? Math.min(400, stored.length) : stored.length);
      const output = new Uint8Array(size);
      const accepted = fast(damaged, output);
      const expected = slow(damaged, size);
      assert.equal(accepted, expected !== undefined, `the fast decoder ${accepted ? "accepts" : "refuses"} ${damaged.length} bytes the slow one does not`);
      if (expected !== undefined) assert.ok(Buffer.from(expected).equals(output), "fast and slow decoder differ");
      assert.ok(!whole || accepted, "a whole chunk is refused");
      return accepted ? "accepted" : "refused";
    },
  };
}

/** Machine code, text, small and equal files, links. */
async function makeTree(tree: string): Promise<void> {
  await mkdir(join(tree, "a/b"), { recursive: true });
  await mkdir(join(tree, "many"));
  const program = await readFile("/bin/bash");
  await writeFile(join(tree, "a/program"), program.subarray(200_000, 240_000));
  await writeFile(join(tree, "a/b/text"), Buffer.alloc(9000, "some text, and more of it; "));
  await writeFile(join(tree, "a/b/samples"), Buffer.from(Int16Array.from({ length: 5000 }, (_, i) => 3000 * Math.sin(i / 9) + i).buffer));
  await writeFile(join(tree, "empty"), "");
  for (let i = 0; i < 12; i++) await writeFile(join(tree, `many/${i}`), `${i % 5}`.repeat(40));
  await link(join(tree, "a/program"), join(tree, "a/b/other"));
  await symlink("/a/b/text", join(tree, "link"));
}

async function wimlib(...args: string[]): Promise<void> {
  await promisify(execFile)("wimlib-imagex", args, { env: { ...process.env, LC_ALL: "C.UTF-8" } });
}
