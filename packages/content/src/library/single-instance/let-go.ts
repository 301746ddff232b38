import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openFileSource, WimError } from "@prestage/wim";
import type { RandomAccessSource } from "@prestage/wim";
import { syncPath } from "../../durable-files.ts";
import { sourceOfFile } from "../../fetch/file-source.ts";
import { moveReferences, nextOwn, placesInWhole } from "./dependents.ts";
import type { Place } from "./dependents.ts";
import { joined, nothingIfDamaged, readShared } from "./shared-wim.ts";
import type { Segment, SharedWim } from "./shared-wim.ts";
import { openSegments } from "./stored-source.ts";

/** What a dependent gets its bytes from: files below the library's content/, of which one may be the replacement's. */
interface Donor { pathOf: (file: string) => string; placesOf: (segment: Segment) => readonly Place[]; /** What was copied already, by file. */ copied: Map<string, { segment: Segment; place: Place }[]> }

/**
 * Lets go of a version: what others refer to of it they get as their own, the first that needs it for all. To be called before the version is
 * removed, or another takes its place: `replacement`, the folder of the same version whole, from which those get it that are damaged with this one,
 * and would be right with that. What cannot be read they refer to as before.
 */
export async function letGo(root: string, contentId: string, replacement?: string): Promise<void> {
  const content = join(root, "content");
  const wim = `${contentId}/content.wim`;
  const kept = await readShared(join(content, contentId)).catch(nothingIfDamaged);
  const old: Donor = { pathOf: (file) => join(content, file), placesOf: (segment) => [segment], copied: new Map() };
  const anew: Donor = { pathOf: (file) => (file === wim && replacement !== undefined ? join(replacement, "content.wim") : join(content, file)), placesOf: (segment) => (segment.file.startsWith(`${contentId}/`) ? (placesInWhole(kept, segment, wim) ?? [segment]) : [segment]), copied: new Map() };
  const sources = new Map<string, RandomAccessSource>();
  let donor = old;
  let writer: OwnWriter | undefined;
  try {
    await moveReferences(root, contentId, async (segment, dependent) => {
      const earlier = donor.copied.get(segment.file)?.find(({ segment: { from, length } }) => from <= segment.from && segment.from + segment.length <= from + length);
      if (earlier !== undefined) return [{ ...earlier.place, from: earlier.place.from + segment.from - earlier.segment.from, length: segment.length }];
      writer ??= await OwnWriter.create(join(content, dependent), dependent);
      const place = await writer.add(donor.placesOf(segment), async (file) => {
        const path = donor.pathOf(file);
        const source = sources.get(path) ?? (await openFileSource(path));
        sources.set(path, source);
        return source;
      }).catch(ifUnreadable);
      if (place === undefined) return [segment];
      const known = donor.copied.get(segment.file);
      if (known === undefined) donor.copied.set(segment.file, [{ segment, place }]);
      else known.push({ segment, place });
      return [place];
    }, {
      begin: async (_, shared) => {
        donor = replacement !== undefined && !(await isRight(shared, old)) && (await isRight(shared, anew)) ? anew : old;
      },
      end: async () => {
        await writer?.close(true);
        writer = undefined;
      },
    });
  } finally {
    await writer?.close(false);
    for (const source of sources.values()) await source.close();
  }
}

/** Whether a version is what it must be with its files at the donor's. */
async function isRight(shared: SharedWim, { pathOf, placesOf }: Donor): Promise<boolean> {
  try {
    const source = await openSegments({ ...shared, segments: joined(shared.segments.flatMap(placesOf)) }, pathOf);
    try {
      const hash = createHash("sha256");
      for await (const bytes of sourceOfFile(source)) hash.update(bytes);
      return hash.digest("hex") === shared.sha256;
    } finally {
      await source.close();
    }
  } catch (cause) {
    return ifUnreadable(cause) ?? false;
  }
}

/** A file that is cut short or gone, or that the disk cannot read, has nothing to give; one the system refuses for the moment has. */
function ifUnreadable(cause: unknown): undefined {
  const system = cause instanceof WimError && cause.cause instanceof Error && "code" in cause.cause ? cause.cause.code : undefined;
  if (cause instanceof WimError && (cause.code === "PRESTAGE_WIM_TRUNCATED" || system === "ENOENT" || system === "EIO")) return undefined;
  throw cause;
}

/** A file of a version's own that grows. */
class OwnWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #name: string;
  #size = 0;

  private constructor(file: FileHandle, path: string, name: string) {
    this.#file = file;
    this.#path = path;
    this.#name = name;
  }

  static async create(folder: string, contentId: string): Promise<OwnWriter> {
    const { path, name } = await nextOwn(folder, contentId);
    return new OwnWriter(await open(path, "wx", 0o644), path, name);
  }

  /** Copies bytes one behind the other to its end; where that fails, what came of them is written over. */
  async add(places: readonly Place[], sourceOf: (file: string) => Promise<RandomAccessSource>): Promise<Place> {
    const step = 1 << 20;
    let at = this.#size;
    for (const { file, from, length } of places) {
      const source = await sourceOf(file);
      for (let done = 0; done < length; done += step) {
        const bytes = await source.read(from + done, Math.min(step, length - done));
        await this.#file.write(bytes, 0, bytes.length, at);
        at += bytes.length;
      }
    }
    const place = { file: this.#name, from: this.#size, length: at - this.#size };
    this.#size = at;
    return place;
  }

  /** `durably`: it and its name outlive a power cut. */
  async close(durably: boolean): Promise<void> {
    try {
      if (durably) await this.#file.sync();
    } finally {
      await this.#file.close();
    }
    if (durably) await syncPath(dirname(this.#path));
  }
}
