import { asBuffer } from "./bytes.ts";
import { destinationNames, refuseUnsafe, type FileSource, type WimBuildImage } from "./build-plan.ts";
import { entryName, makeEntry, renameEntry } from "./entry-write.ts";
import { attributeFlags, storedHashes, type WimEntry } from "./entry.ts";
import { WimError } from "./error.ts";
import type { WimImage } from "./metadata.ts";
import { upperCase } from "./unsafe-names.ts";

/** An entry of an image to be written. */
export interface MergedNode {
  readonly name: string;
  /** Its directory entry; what depends on the whole image is filled in when it is written. */
  raw: Buffer;
  /** Of a directory: children by name (folded where case does not count). */
  readonly children: Map<string, MergedNode> | undefined;
  descriptor: Uint8Array | undefined;
  /** Its hard-link group; equal keys are one file. */
  link: string | undefined;
  /** A plain file, whose hash may be known only when it was copied. */
  readonly file: FileSource | undefined;
  /** Number of the source it comes from; -1: made up because something lies below it. */
  source: number;
}

/** Merges the sources of one image into a tree. `trees` holds the image of each tree source, in the order of the sources. */
export class TreeMerge {
  readonly root: MergedNode;
  private readonly fold: (name: string) => string;
  private readonly time: bigint;

  constructor(image: WimBuildImage, time: bigint, trees: readonly (WimImage | undefined)[]) {
    this.time = time;
    this.fold = image.caseInsensitive === true ? upperCase : (name) => name;
    this.root = this.makeDirectory("");
    for (const [i, source] of image.sources.entries()) {
      const names = destinationNames(source.destination);
      if (source.kind === "tree") this.graft(names, trees[i]!, source.securityDescriptor, i);
      else if (source.kind === "directory") {
        this.claim(this.directoryAt(names), makeEntry("", true, source.time ?? time, source.unix), source.securityDescriptor, i);
      } else this.addFile(names, source, i);
    }
  }

  private makeDirectory(name: string): MergedNode {
    return { name, raw: makeEntry(name, true, this.time, undefined), children: new Map(), descriptor: undefined, link: undefined, file: undefined, source: -1 };
  }

  /** The directory at a path; missing ones are made up. */
  private directoryAt(names: readonly string[]): MergedNode {
    let node = this.root;
    for (const [depth, name] of names.entries()) {
      let next = node.children?.get(this.fold(name));
      if (next === undefined) {
        next = this.makeDirectory(name);
        node.children?.set(this.fold(name), next);
      }
      if (next.children === undefined) throw pathTaken(names.slice(0, depth + 1).join("/"));
      node = next;
    }
    return node;
  }

  /** The first source that names a directory gives its attributes. */
  private claim(node: MergedNode, raw: Buffer, descriptor: Uint8Array | undefined, source: number): void {
    if (node.source !== -1) return;
    node.raw = entryName(raw) === node.name ? raw : renameEntry(raw, node.name);
    node.descriptor = descriptor;
    node.source = source;
  }

  private addFile(names: readonly string[], file: FileSource, source: number): void {
    const name = names.at(-1);
    if (name === undefined) throw pathTaken("");
    const raw = makeEntry(name, false, file.time ?? this.time, file.unix);
    if (file.reparseTag !== undefined) {
      raw.writeUInt32LE(attributeFlags.reparsePoint, 8);
      raw.writeUInt32LE(file.reparseTag, 88);
    }
    this.add(this.directoryAt(names.slice(0, -1)), names.join("/"), {
      name, raw, children: undefined, descriptor: file.securityDescriptor, link: file.hardLink === undefined ? undefined : `file ${file.hardLink}`, file, source,
    });
  }

  /** Two sources on one path are an error: silently taking one of them is the one failure this must not have. */
  private add(parent: MergedNode, path: string, node: MergedNode): void {
    const key = this.fold(node.name);
    if (parent.children?.has(key) !== false) throw pathTaken(path);
    parent.children.set(key, node);
  }

  private graft(names: readonly string[], image: WimImage, fallback: Uint8Array | undefined, source: number): void {
    const descriptorOf = (entry: WimEntry): Uint8Array | undefined => image.securityDescriptors[entry.securityIndex] ?? fallback;
    const top = this.directoryAt(names);
    this.claim(top, asBuffer(image.root.raw), descriptorOf(image.root), source);
    const pending = [{ node: top, entry: image.root, path: names.join("/") }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      for (const entry of next.entry.children) {
        const path = next.path === "" ? entry.name : `${next.path}/${entry.name}`;
        refuseUnsafe(entry.name, path);
        const present = next.node.children?.get(this.fold(entry.name));
        if (present?.children !== undefined && entry.isDirectory) {
          this.claim(present, asBuffer(entry.raw), descriptorOf(entry), source);
          pending.push({ node: present, entry, path });
          continue;
        }
        const node: MergedNode = {
          name: entry.name, raw: asBuffer(entry.raw), children: entry.isDirectory ? new Map() : undefined,
          descriptor: descriptorOf(entry), link: linkKey(entry, source), file: undefined, source,
        };
        this.add(next.node, path, node);
        if (entry.isDirectory) pending.push({ node, entry, path });
      }
    }
  }
}

/** Old Microsoft files reuse link groups, so only files with equal data are one file; groups of two sources never are. */
function linkKey(entry: WimEntry, source: number): string | undefined {
  return entry.hardLinkGroup === 0n ? undefined : `${source} ${entry.hardLinkGroup} ${entry.sha1}`;
}

/** The SHA-1s the entries of each source refer to, in the order they are written. */
export function hashesBySource(root: MergedNode, sources: number): string[][] {
  const hashes = Array.from({ length: sources }, (): string[] => []);
  const pending = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.source !== -1) hashes[next.source]!.push(...storedHashes(next.raw));
    for (const child of sortedChildren(next).reverse()) pending.push(child);
  }
  return hashes;
}

/** Children in the order wimlib writes them: upper-cased units, then the names themselves. */
export function sortedChildren(node: MergedNode): MergedNode[] {
  return [...(node.children?.values() ?? [])]
    .map((child) => ({ child, upper: upperCase(child.name) }))
    .sort((a, b) => compare(a.upper, b.upper) || compare(a.child.name, b.child.name))
    .map(({ child }) => child);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function pathTaken(path: string): WimError {
  return new WimError("PRESTAGE_WIM_PATH_TAKEN", `Two sources put something on ${JSON.stringify(path)}. Give one of them another destination.`);
}
