import { constants } from "node:fs";
import { lstat, open } from "node:fs/promises";
import type { ResourceHeader, WimFile } from "@prestage/wim";
import type { LocalCache } from "../cache/local-cache.ts";
import type { ContentIndex } from "../description/schema.ts";
import { pieceSize } from "./piece-layout.ts";

/** Old data that pieces are looked for in. */
export interface OldData {
  path: string;
  size: number;
  read(): AsyncIterable<Uint8Array>;
  /** Undefined where it cannot be read. */
  range(offset: number, length: number): Promise<Uint8Array | undefined>;
}

/** At most this much is searched: some ten seconds. */
const mostSearched = 1024 ** 3;

/** Those worth searching, with the ones of these names before the others, up to the bound. */
export function worthSearching(data: readonly OldData[], paths: readonly string[]): OldData[] {
  const [wanted, names] = [new Set(paths), new Set(paths.map(nameOf))];
  const rank = ({ path }: OldData) => (wanted.has(path) ? 0 : names.has(nameOf(path)) ? 1 : 2);
  const chosen: OldData[] = [];
  let total = 0;
  for (const one of data.filter(({ size }) => size >= pieceSize).toSorted((a, b) => rank(a) - rank(b))) {
    if (total + one.size > mostSearched) continue;
    total += one.size;
    chosen.push(one);
  }
  return chosen;
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The files of versions on this disk. */
export async function oldFiles(cache: LocalCache, contentIds: readonly string[]): Promise<OldData[]> {
  const found = new Map<string, OldData>();
  for (const id of contentIds) {
    const index = await cache.readIndex(id);
    for (const file of index?.shape === "files" ? index.files : []) {
      if (found.has(file.sha256)) continue;
      const path = cache.filePath(id, file.path);
      if (await lstat(path).then((status) => status.isFile() && status.size === file.size, () => false)) found.set(file.sha256, fileData(path, file.path, file.size));
    }
  }
  return [...found.values()];
}

function fileData(from: string, path: string, size: number): OldData {
  return {
    path, size,
    // A bad sector must not end a deployment.
    read: async function* () {
      const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
      try {
        if (file !== undefined) yield* file.createReadStream({ highWaterMark: 1 << 20, autoClose: false }) as AsyncIterable<Buffer>;
      } catch {
        // What follows is not searched.
      } finally {
        await file?.close();
      }
    },
    range: async (offset, length) => {
      const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined);
      try {
        const bytes = Buffer.alloc(length);
        const bytesRead = await file?.read(bytes, 0, length, offset).then((result) => result.bytesRead, () => 0);
        return bytesRead === length ? bytes : undefined;
      } finally {
        await file?.close();
      }
    },
  };
}

/** Files of a WIM's images, where its index names them; `resources`: where they lie, by SHA-256. */
export function oldResources(wim: WimFile, index: ContentIndex, resources: ReadonlyMap<string, ResourceHeader>): OldData[] {
  const found = new Map<string, OldData>();
  for (const { path, sha256, size } of (index.images ?? []).flatMap((image) => image.files)) {
    const resource = resources.get(sha256);
    if (resource === undefined || resource.size !== size || found.has(sha256)) continue;
    found.set(sha256, {
      path, size,
      read: async function* () {
        try {
          yield* wim.readResource(resource);
        } catch {
        // What follows is not searched.
      }
      },
      range: (offset, length) => (offset + length > size ? Promise.resolve(undefined) : wim.readResourceRange(resource, offset, length).catch(() => undefined)),
    });
  }
  return [...found.values()];
}
