import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeDurably } from "../../durable-files.ts";
import { sha256Schema } from "../../description/schema.ts";
import { ContentError } from "../../error.ts";

/** Beside a version: where the bytes of its content.wim lie, of which some are another version's. */
export const sharedName = "content.shared.json";
export const ownPattern = /^own-[1-9][0-9]{0,8}\.bin$/;
/** Opened all at once when the version is read. */
export const mostFiles = 64;
/** Of a document: when the versions it refers to are shared themselves, it refers to more files. */
const mostListed = 1024;
const filePattern = /^[0-9a-f]{64}\/(?:content\.wim|own-[1-9][0-9]{0,8}\.bin)$/;
const bytes = z.int().nonnegative();

const schema = z.strictObject({
  format: z.literal("prestage-shared-wim-v1"),
  size: bytes,
  /** Of content.wim, as the storage map has it. */
  sha256: sha256Schema,
  /** Below the library's content/: "ID/content.wim", or "ID/own-N.bin" for what a version alone has. */
  files: z.array(z.string().regex(filePattern)).max(mostListed),
  /** In the order of content.wim, without gaps: number of the file, offset in it, bytes. */
  segments: z.array(z.tuple([bytes, bytes, z.int().positive()])).max(4_000_000),
});

/** Bytes [from, from + length) of a file below the library's content/, that lie at `at` of content.wim. */
export interface Segment { file: string; from: number; length: number; at: number }
export interface SharedWim { size: number; sha256: string; segments: readonly Segment[] }

/** Undefined where a version has none, or none that names the version `naming`. @throws ContentError PRESTAGE_CONTENT_DAMAGED */
export async function readShared(folder: string, naming = ""): Promise<SharedWim | undefined> {
  const text = await readFile(join(folder, sharedName), "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT" || cause.code === "ENOTDIR") return undefined;
    throw cause;
  });
  // Of a thousand documents few name it: the others need not be parsed.
  if (text?.includes(naming) !== true) return undefined;
  try {
    const { size, sha256, files, segments } = schema.parse(JSON.parse(text));
    let at = 0;
    const placed = segments.map(([number, from, length]): Segment => {
      const file = files[number];
      if (file === undefined) throw new RangeError(`file ${number} of ${files.length}`);
      at += length;
      return { file, from, length, at: at - length };
    });
    if (at !== size) throw new RangeError(`${at} bytes in its segments, not ${size}`);
    return { size, sha256, segments: placed };
  } catch (cause) {
    throw new ContentError("PRESTAGE_CONTENT_DAMAGED", `Expected ${join(folder, sharedName)} to say where the version's data lies; it does not: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}. Import the content again.`, { cause });
  }
}

/** For a document that is damaged: it says nothing. One that cannot be read may be good. */
export function nothingIfDamaged(cause: unknown): undefined {
  if (cause instanceof ContentError) return undefined;
  throw cause;
}

export async function writeShared(folder: string, { size, sha256, segments }: SharedWim): Promise<void> {
  const files = [...new Set(segments.map((segment) => segment.file))];
  const numbers = new Map(files.map((file, i) => [file, i]));
  const document: z.input<typeof schema> = { format: "prestage-shared-wim-v1", size, sha256, files, segments: segments.map(({ file, from, length }) => [numbers.get(file) ?? 0, from, length]) };
  await writeDurably(join(folder, sharedName), Buffer.from(JSON.stringify(schema.parse(document))), 0o644);
}

/** Segments in the same order with `at` anew, and those that go on in the same file made one. */
export function joined(segments: Iterable<Omit<Segment, "at">>): Segment[] {
  const out: Segment[] = [];
  let at = 0;
  for (const { file, from, length } of segments) {
    const last = out.at(-1);
    if (last !== undefined && last.file === file && last.from + last.length === from) last.length += length;
    else out.push({ file, from, length, at });
    at += length;
  }
  return out;
}

/** The folders of all versions that lie in a library, by content id. */
export async function versionFolders(root: string): Promise<Map<string, string>> {
  const content = join(root, "content");
  const names = (await readdir(content).catch(() => [])).filter((name) => sha256Schema.safeParse(name).success).sort();
  return new Map(names.map((name) => [name, join(content, name)]));
}

export async function isThere(path: string): Promise<boolean> {
  return lstat(path).then((status) => status.isFile(), () => false);
}

/** Bytes of a version's content.wim, whether it lies there as one file or not. */
export async function wimSize(folder: string): Promise<number> {
  return stat(join(folder, "content.wim")).then(({ size }) => size, async (cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    const shared = await readShared(folder);
    // It may just have become one file again.
    return shared?.size ?? (await stat(join(folder, "content.wim"))).size;
  });
}
