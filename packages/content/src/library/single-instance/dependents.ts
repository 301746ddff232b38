import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../../durable-files.ts";
import { joined, nothingIfDamaged, ownPattern, readShared, sharedName, versionFolders, writeShared } from "./shared-wim.ts";
import type { Segment, SharedWim } from "./shared-wim.ts";
import { segmentsOf } from "./stored-source.ts";

export type Place = Omit<Segment, "at">;

interface MoveOptions {
  /** Before anything of a version is moved. */
  begin?: (dependent: string, shared: SharedWim) => Promise<void>;
  /** Before its new places are written down. */
  end?: (dependent: string) => Promise<void>;
}

/**
 * Gives every other version that refers to a file of `contentId` the places `move` has for it. Each is changed by one rename, and is right before
 * and after.
 * @throws where it cannot be told what a version refers to
 */
export async function moveReferences(root: string, contentId: string, move: (segment: Segment, dependent: string) => Promise<readonly Place[]> | readonly Place[], { begin, end }: MoveOptions = {}): Promise<void> {
  for (const [dependent, folder] of await versionFolders(root)) {
    if (dependent === contentId) continue;
    // One that is damaged refers to nothing that could be kept for it.
    const shared = await readShared(folder, contentId).catch(nothingIfDamaged);
    if (shared === undefined || !shared.segments.some(({ file }) => file.startsWith(`${contentId}/`))) continue;
    await begin?.(dependent, shared);
    const places: Place[] = [];
    for (const segment of shared.segments) {
      if (segment.file.startsWith(`${contentId}/`)) for (const place of await move(segment, dependent)) places.push(place);
      else places.push(segment);
    }
    await end?.(dependent);
    await writeShared(folder, { ...shared, segments: joined(places) });
  }
}

/** The files of a version that others refer to. */
export async function referredTo(root: string, contentId: string): Promise<Set<string>> {
  const files = new Set<string>();
  for (const [dependent, folder] of await versionFolders(root)) {
    if (dependent !== contentId) for (const { file } of (await readShared(folder, contentId).catch(nothingIfDamaged))?.segments ?? []) files.add(file);
  }
  return files;
}

/** References to what a version has as its own now lead into its content.wim, which is whole; then nothing but content.wim is needed of it. */
export async function settle(root: string, contentId: string): Promise<void> {
  const folder = join(root, "content", contentId);
  const shared = await readShared(folder).catch(nothingIfDamaged);
  const wim = `${contentId}/content.wim`;
  if (shared !== undefined) await moveReferences(root, contentId, (segment) => placesInWhole(shared, segment, wim) ?? [segment]);
  await rm(join(folder, sharedName), { force: true });
  await syncPath(folder);
  await removeOwn(root, contentId, new Set());
}

/** Removes the version's own files that neither it has `needed` nor another refers to. */
export async function removeOwn(root: string, contentId: string, needed: ReadonlySet<string>): Promise<void> {
  const folder = join(root, "content", contentId);
  const left = (await readdir(folder)).filter((name) => ownPattern.test(name) && !needed.has(`${contentId}/${name}`));
  if (left.length === 0) return;
  const referred = await referredTo(root, contentId);
  for (const name of left) if (!referred.has(`${contentId}/${name}`)) await rm(join(folder, name), { force: true });
}

/** Where bytes of a version's file lie in its content.wim as it is whole. Undefined: nowhere; they stay where they are, and so does the file. */
export function placesInWhole(shared: SharedWim | undefined, wanted: Segment, wim: string): Place[] | undefined {
  if (wanted.file === wim) return [wanted];
  const places: Place[] = [];
  const own = (shared?.segments ?? []).filter(({ file }) => file === wanted.file).toSorted((a, b) => a.from - b.from);
  for (let at = wanted.from; at < wanted.from + wanted.length; ) {
    const segment = own.find(({ from, length }) => from <= at && at < from + length);
    if (segment === undefined) return undefined;
    const part = Math.min(segment.from + segment.length, wanted.from + wanted.length) - at;
    places.push({ file: wim, from: segment.at + (at - segment.from), length: part });
    at += part;
  }
  return places;
}

/** The next free name for bytes of a version's own. */
export async function nextOwn(folder: string, contentId: string): Promise<{ path: string; name: string }> {
  const taken = (await readdir(folder)).filter((name) => ownPattern.test(name)).map((name) => Number(name.slice(4, -4)));
  const name = `own-${Math.max(0, ...taken) + 1}.bin`;
  return { path: join(folder, name), name: `${contentId}/${name}` };
}

/** Where bytes of a version's content.wim lie once it is shared. */
export function placesInShared(shared: SharedWim, wanted: Segment): Place[] {
  return segmentsOf(shared.segments, shared.size, wanted.from, wanted.length);
}
