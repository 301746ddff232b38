import { open, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openFileSource } from "@prestage/wim";
import type { RandomAccessSource } from "@prestage/wim";
import { syncPath } from "../../durable-files.ts";
import { joined, ownPattern, readShared, sharedName, versionFolders, writeShared } from "./shared-wim.ts";
import type { Segment, SharedWim } from "./shared-wim.ts";
import { segmentsOf } from "./stored-source.ts";

type Place = Omit<Segment, "at">;

/**
 * Gives every other version that refers to a file of `contentId` the places `move` has for it. Each is changed by one rename, and is right before
 * and after.
 */
export async function moveReferences(root: string, contentId: string, move: (segment: Segment, dependent: string) => Promise<readonly Place[]> | readonly Place[]): Promise<void> {
  for (const [dependent, folder] of await versionFolders(root)) {
    if (dependent === contentId) continue;
    // One that is damaged refers to nothing that could be kept for it.
    const shared = await readShared(folder).catch(() => undefined);
    if (shared === undefined || !shared.segments.some(({ file }) => file.startsWith(`${contentId}/`))) continue;
    const places: Place[] = [];
    for (const segment of shared.segments) places.push(...(segment.file.startsWith(`${contentId}/`) ? await move(segment, dependent) : [segment]));
    await writeShared(folder, { ...shared, segments: joined(places) });
  }
}

/** References to what a version has as its own now lead into its content.wim, which is whole; then nothing but content.wim is needed of it. */
export async function settle(root: string, contentId: string): Promise<void> {
  const folder = join(root, "content", contentId);
  const shared = await readShared(folder).catch(() => undefined);
  const wim = `${contentId}/content.wim`;
  const needed = new Set<string>();
  if (shared !== undefined) {
    await moveReferences(root, contentId, (segment) => {
      const places = segment.file === wim ? [segment] : placesInWhole(shared, segment, wim);
      for (const { file } of places) needed.add(file);
      return places;
    });
    await rm(join(folder, sharedName), { force: true });
    await syncPath(folder);
  }
  for (const name of (await readdir(folder)).filter((one) => ownPattern.test(one) && !needed.has(`${contentId}/${one}`))) await rm(join(folder, name), { force: true });
}

/** Where bytes of a version's own file lie in its content.wim. */
function placesInWhole(shared: SharedWim, wanted: Segment, wim: string): Place[] {
  const places: Place[] = [];
  const own = shared.segments.filter(({ file }) => file === wanted.file).toSorted((a, b) => a.from - b.from);
  for (let at = wanted.from; at < wanted.from + wanted.length; ) {
    const segment = own.find(({ from, length }) => from <= at && at < from + length);
    // What is nowhere in it stays where it is, and so does the file.
    if (segment === undefined) return [wanted];
    const part = Math.min(segment.from + segment.length, wanted.from + wanted.length) - at;
    places.push({ file: wim, from: segment.at + (at - segment.from), length: part });
    at += part;
  }
  return places;
}

/**
 * Lets go of a version: what others refer to of it they get as their own, the first that needs it for all. To be called before the version is
 * removed, or another takes its place.
 */
export async function letGo(root: string, contentId: string): Promise<void> {
  const content = join(root, "content");
  const sources = new Map<string, RandomAccessSource>();
  const copied: { segment: Segment; place: Place }[] = [];
  const writers = new Map<string, { path: string; name: string; size: number; places: number }>();
  try {
    await moveReferences(root, contentId, async (segment, dependent) => {
      const known = copied.find((one) => one.segment.file === segment.file && one.segment.from <= segment.from && segment.from + segment.length <= one.segment.from + one.segment.length);
      if (known !== undefined) return [{ ...known.place, from: known.place.from + segment.from - known.segment.from, length: segment.length }];
      const source = sources.get(segment.file) ?? (await openFileSource(join(content, segment.file)));
      sources.set(segment.file, source);
      const writer = writers.get(dependent) ?? { ...(await nextOwn(join(content, dependent), dependent)), size: 0, places: 0 };
      writers.set(dependent, writer);
      await append(writer.path, writer.size, source, segment);
      const place = { file: writer.name, from: writer.size, length: segment.length };
      writer.size += segment.length;
      copied.push({ segment, place });
      return [place];
    });
  } finally {
    for (const source of sources.values()) await source.close();
  }
}

/** The next free name for bytes of a version's own. */
export async function nextOwn(folder: string, contentId: string): Promise<{ path: string; name: string }> {
  const taken = (await readdir(folder)).filter((name) => ownPattern.test(name)).map((name) => Number(name.slice(4, -4)));
  const name = `own-${Math.max(0, ...taken) + 1}.bin`;
  return { path: join(folder, name), name: `${contentId}/${name}` };
}

async function append(path: string, at: number, source: RandomAccessSource, { from, length }: Segment): Promise<void> {
  const file = await open(path, at === 0 ? "wx" : "r+", 0o644);
  try {
    const step = 1 << 20;
    for (let done = 0; done < length; done += step) {
      const bytes = await source.read(from + done, Math.min(step, length - done));
      await file.write(bytes, 0, bytes.length, at + done);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (at === 0) await syncPath(dirname(path));
}

/** Where bytes of a version's content.wim lie once it is shared. */
export function placesInShared(shared: SharedWim, wanted: Segment): Place[] {
  return segmentsOf(shared.segments, shared.size, wanted.from, wanted.length);
}
