import { align8, asBuffer, readU64 } from "./bytes.ts";
import { entryFixedSize, extraStreamSize, layoutOf, StoredEntry, type WimEntry } from "./entry.ts";
import { guarded, WimError } from "./error.ts";
import { checkLimit, type WimLimits } from "./limits.ts";

/** The tree of one image. */
export interface WimImage {
  readonly root: WimEntry;
  /** Self-relative descriptors, as stored. */
  readonly securityDescriptors: readonly Uint8Array[];
}

/** Parses decoded metadata: security data, then the root, then each directory's list of children. Throws PRESTAGE_WIM_METADATA. */
export function parseMetadata(metadata: Uint8Array, limits: WimLimits): WimImage {
  return guarded("PRESTAGE_WIM_METADATA", "The directory tree of an image", () => {
    const bytes = asBuffer(metadata);
    const security = parseSecurity(bytes);
    const root = readEntry(bytes, security.end, security.descriptors.length);
    if (root === undefined) throw damaged("it has no root");
    if (!root.entry.isDirectory) throw damaged("its root is not a directory");
    readTree(bytes, root.entry, security.descriptors.length, limits);
    return { root: root.entry, securityDescriptors: security.descriptors };
  });
}

/** `u32 total | u32 count | u64 size[count] | descriptors`, padded to 8; total 0 stands for 8. */
function parseSecurity(bytes: Buffer): { descriptors: Uint8Array[]; end: number } {
  const total = Math.max(8, bytes.readUInt32LE(0));
  const count = bytes.readUInt32LE(4);
  if (total > bytes.length) throw damaged(`its security data of ${total} bytes do not fit`);
  if (8 + 8 * count > total) throw damaged(`it says it has ${count} security descriptors`);
  const descriptors: Uint8Array[] = [];
  let at = 8 + 8 * count;
  for (let i = 0; i < count; i++) {
    const size = readU64(bytes, 8 + 8 * i);
    if (size > total - at) throw damaged(`security descriptor ${i} does not fit`);
    descriptors.push(bytes.subarray(at, at + size));
    at += size;
  }
  return { descriptors, end: align8(total) };
}

/**
 * Reads all lists with a stack of its own. Each list may be reached once only: a shared one would make the tree
 * exponential, a cycle endless.
 */
function readTree(bytes: Buffer, root: StoredEntry, descriptors: number, limits: WimLimits): void {
  const seen = new Set<number>();
  const pending: { entry: StoredEntry; depth: number; path: number }[] = [{ entry: root, depth: 0, path: 0 }];
  let entries = 1;
  let characters = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    let at = readU64(next.entry.raw, 16);
    if (at === 0) continue;
    if (seen.has(at)) throw damaged(`two directories share the list at ${at}`);
    seen.add(at);
    checkLimit("Directory levels", next.depth, limits.depth);
    for (let child = readEntry(bytes, at, descriptors); child !== undefined; child = readEntry(bytes, at, descriptors)) {
      next.entry.children.push(child.entry);
      checkLimit("Entries of an image", ++entries, limits.entries);
      // Lists that overlap without sharing their start would still be multiplied.
      if (entries * entryFixedSize > bytes.length) throw damaged("its lists overlap");
      // Deep and wide at once, a small file would name its entries by gigabytes.
      const path = next.path + 1 + child.entry.name.length;
      checkLimit("Characters of all paths", (characters += path), limits.pathCharacters);
      if (child.entry.isDirectory) pending.push({ entry: child.entry, depth: next.depth + 1, path });
      at = child.end;
    }
  }
}

/** The entry at `at`, checked; undefined at the end of a list. */
function readEntry(bytes: Buffer, at: number, descriptors: number): { entry: StoredEntry; end: number } | undefined {
  if (at % 8 !== 0) throw damaged(`an entry at ${at} is not aligned`);
  const length = readU64(bytes, at);
  if (length <= 8) return undefined;
  if (length < entryFixedSize || align8(length) > bytes.length - at) throw damaged(`an entry at ${at} has length ${length}`);
  const view = bytes.subarray(at);
  const layout = layoutOf(view);
  let end = layout.length;
  for (let i = 0; i < layout.streamCount; i++) end += extraStreamSize(view, end);
  const security = view.readInt32LE(12);
  const entry = new StoredEntry(view.subarray(0, end), security >= 0 && security < descriptors ? security : -1);
  return { entry, end: at + end };
}

function damaged(why: string): WimError {
  return new WimError("PRESTAGE_WIM_METADATA", `The directory tree of an image is damaged: ${why}. Get the file again from its source.`);
}

/** A path such as `a/b` (the root is ""), and what lies there. */
export interface WalkedEntry {
  readonly path: string;
  readonly entry: WimEntry;
}

/** Every entry below the root, parents first, in stored order. */
export function* walkEntries(image: WimImage): Generator<WalkedEntry> {
  const pending: WalkedEntry[] = image.root.children.map((entry) => ({ path: entry.name, entry })).reverse();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next;
    const { path, entry } = next;
    for (let i = entry.children.length - 1; i >= 0; i--) {
      const child = entry.children[i]!;
      pending.push({ path: `${path}/${child.name}`, entry: child });
    }
  }
}

/** The entry at a path such as `a/b`, compared exactly; "" is the root. */
export function findEntry(image: WimImage, path: string): WimEntry | undefined {
  if (path === "") return image.root;
  return path.split("/").reduce<WimEntry | undefined>((entry, name) => entry?.children.find((child) => child.name === name), image.root);
}
