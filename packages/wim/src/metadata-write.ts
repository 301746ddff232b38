import { align8, writeU64 } from "./bytes.ts";
import { attributeFlags, layoutOf, storedHashes } from "./entry.ts";
import { sortedChildren, type MergedNode } from "./merge-tree.ts";

export interface WrittenMetadata {
  readonly bytes: Buffer;
  readonly counts: ImageCounts;
}

/** What the XML says about an image. The root counts as a directory, each name of a hard link as a file. */
export interface ImageCounts {
  directoryCount: number;
  fileCount: number;
  totalBytes: number;
  hardLinkBytes: number;
}

/** A node in the order it is written, with its directory's number and where its entry begins. */
interface Placed {
  readonly node: MergedNode;
  offset: number;
  childOffset: number;
}

/**
 * Writes security data, root, then each directory's children followed by 8 zero bytes (also of empty directories, as
 * wimlib does). `hashOf` gives a plain file's SHA-1 (undefined: empty), `sizeOf` the size of a blob.
 */
export function writeMetadata(root: MergedNode, hashOf: (node: MergedNode) => string | undefined, sizeOf: (sha1: string) => number): WrittenMetadata {
  const { placed, end, descriptors, securityEnd } = placeEntries(root);
  const bytes = Buffer.alloc(end);
  writeSecurity(bytes, [...descriptors.keys()], securityEnd);
  const groups = linkGroups(placed);
  const counts: ImageCounts = { directoryCount: 0, fileCount: 0, totalBytes: 0, hardLinkBytes: 0 };
  const seenLinks = new Set<string>();
  for (const item of placed) {
    const { node, offset } = item;
    const view = bytes.subarray(offset, offset + node.raw.length);
    node.raw.copy(view);
    view.writeBigUInt64LE(BigInt(layoutOf(node.raw).length), 0);
    view.writeInt32LE(node.descriptor === undefined ? -1 : descriptors.get(keyOf(node.descriptor))!, 12);
    writeU64(view, 16, item.childOffset);
    view.copy(view, 48, 56, 64);
    if ((view.readUInt32LE(8) & attributeFlags.reparsePoint) === 0) view.writeBigUInt64LE(node.link === undefined ? 0n : BigInt(groups.get(node.link) ?? 0), 88);
    const sha1 = node.file === undefined ? undefined : hashOf(node);
    if (sha1 !== undefined) view.write(sha1, 64, "hex");
    count(counts, node, storedHashes(view).reduce((sum, hash) => sum + sizeOf(hash), 0), seenLinks);
  }
  return { bytes, counts };
}

/** Walks the tree with a stack of its own and gives each entry, and each list, its place. */
function placeEntries(root: MergedNode): { placed: Placed[]; end: number; descriptors: Map<string, number>; securityEnd: number } {
  const top: Placed = { node: root, offset: 0, childOffset: 0 };
  const placed = [top];
  const lists: { parent: Placed; children: Placed[] }[] = [];
  const pending = [top];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const children = sortedChildren(next.node).map((node) => ({ node, offset: 0, childOffset: 0 }));
    lists.push({ parent: next, children });
    for (const child of children) placed.push(child);
    for (let i = children.length - 1; i >= 0; i--) if (children[i]!.node.children !== undefined) pending.push(children[i]!);
  }
  const descriptors = new Map<string, number>();
  let securitySize = 8;
  for (const { node } of placed) {
    if (node.descriptor === undefined || descriptors.has(keyOf(node.descriptor))) continue;
    descriptors.set(keyOf(node.descriptor), descriptors.size);
    securitySize += 8 + node.descriptor.length;
  }
  const securityEnd = align8(securitySize);
  top.offset = securityEnd;
  let end = securityEnd + root.raw.length + 8;
  for (const { parent, children } of lists) {
    parent.childOffset = end;
    for (const child of children) {
      child.offset = end;
      end += child.node.raw.length;
    }
    end += 8;
  }
  return { placed, end, descriptors, securityEnd };
}

/** `u32 total | u32 count | u64 size[count] | descriptors`. */
function writeSecurity(bytes: Buffer, descriptors: string[], end: number): void {
  bytes.writeUInt32LE(end, 0);
  bytes.writeUInt32LE(descriptors.length, 4);
  let at = 8 + 8 * descriptors.length;
  for (const [i, descriptor] of descriptors.entries()) {
    writeU64(bytes, 8 + 8 * i, descriptor.length);
    at += bytes.write(descriptor, at, "latin1");
  }
}

/** Groups of two names or more, numbered from 1 in the order they are met. */
function linkGroups(placed: readonly Placed[]): Map<string, number> {
  const names = new Map<string, number>();
  for (const { node } of placed) if (node.link !== undefined) names.set(node.link, (names.get(node.link) ?? 0) + 1);
  return new Map([...names].filter(([, count]) => count > 1).map(([link], i) => [link, i + 1]));
}

function count(counts: ImageCounts, node: MergedNode, size: number, seenLinks: Set<string>): void {
  if (node.children !== undefined) counts.directoryCount++;
  else counts.fileCount++;
  counts.totalBytes += size;
  if (node.link === undefined) return;
  if (seenLinks.has(node.link)) counts.hardLinkBytes += size;
  seenLinks.add(node.link);
}

function keyOf(descriptor: Uint8Array): string {
  return Buffer.from(descriptor.buffer, descriptor.byteOffset, descriptor.byteLength).toString("latin1");
}
