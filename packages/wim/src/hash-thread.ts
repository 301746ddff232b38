import { closeSync, openSync, readSync } from "node:fs";
import { isMainThread, workerData, type Worker } from "node:worker_threads";
import { readChunkTable, type ChunkTable } from "./chunk-table.ts";
import type { AnyCompression } from "./compression.ts";
import { WimError } from "./error.ts";
import { hashRange, type HashAlgorithm } from "./hash-range.ts";
import type { WimLimits } from "./limits.ts";
import { startRangeThread, type HashAnswer, type ThreadData } from "./range-thread.ts";
import type { ResourceReader } from "./resource.ts";
import { isSameResource, type ResourceHeader } from "./resource-header.ts";
import { checkRange, type RandomAccessSource } from "./source.ts";
import type { Volume } from "./volume.ts";

/** The file a thread reads, or its pieces, and how it stores its resources. */
export interface HashedVolume { readonly id: number; readonly files: readonly { readonly path: string; readonly size: number }[]; readonly size: number; readonly compression: AnyCompression; readonly chunkSize: number; readonly pipable: boolean; readonly limits: WimLimits }
/** Decoded bytes [from, to) of a resource that lies in one file, chunk by chunk. */
export interface HashJob { readonly id: number; readonly volume: HashedVolume; readonly resource: Pick<ResourceHeader, "offset" | "size" | "storedSize" | "flags">; readonly from: number; readonly to: number; readonly algorithm: HashAlgorithm }

const mark = "prestage-hash-thread";

/**
 * A thread that hashes ranges at once, and loads this very file for jobs that decode. Bundled into one program, that is the program, whose main part must then
 * do nothing (`isMainThread`).
 */
export function startHashThread(): Worker {
  return startRangeThread({ mark, url: import.meta.url });
}

const data: ThreadData | null = isMainThread ? null : workerData;
if (data?.mark === mark) {
  const readers = new Map<number, ResourceReader>();
  data.run = async (jobs, answer) => await runAll(jobs as readonly HashJob[], readers, answer);
}

async function runAll(jobs: readonly HashJob[], readers: Map<number, ResourceReader>, answer: (answer: HashAnswer) => void): Promise<void> {
  for (const { id, volume, resource, from, to, algorithm } of jobs) {
    try {
      let reader = readers.get(volume.id);
      if (reader === undefined) readers.set(volume.id, (reader = openReader(volume)));
      answer({ id, digest: await hashRange(reader, resource, from, to, algorithm, { onBytes: (bytes) => answer({ id, bytes }) }) });
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      answer({ id, code: cause instanceof WimError ? cause.code : "PRESTAGE_WIM_IO", message });
    }
  }
}

/** Keeps the file open, and the chunk table of the last resource: a large one is asked for piece by piece. */
function openReader({ files, size, limits, compression, chunkSize, pipable }: HashedVolume): ResourceReader {
  const volume: Volume = { source: openSyncSource(files, size), compression, chunkSize, pipable };
  let last: { resource: ResourceHeader; table: Promise<ChunkTable> } | undefined;
  return {
    volume,
    chunkTable: async (resource) => {
      // Integrity spans are made up as stored resources: they may begin where a compressed one does.
      if (last === undefined || !isSameResource(last.resource, resource)) last = { resource, table: readChunkTable(volume, resource, limits) };
      return await last.table;
    },
  };
}

/** A thread has nothing else to do while it reads: a call at once costs a tenth of one handed to another thread. */
function openSyncSource(files: HashedVolume["files"], size: number): RandomAccessSource {
  const open = files.map((file) => openSync(file.path, "r"));
  const pieceSize = files[0]?.size ?? 0;
  const fill = (bytes: Buffer, offset: number): void => {
    checkRange(size, offset, bytes.length);
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const piece = Math.floor(at / pieceSize);
      const read = readSync(open[piece]!, bytes, done, Math.min(bytes.length - done, (piece + 1) * pieceSize - at), at - piece * pieceSize);
      if (read === 0) throw new WimError("PRESTAGE_WIM_TRUNCATED", `The file should reach byte ${offset + bytes.length} and ends at ${at}. Get it again from its source.`);
      done += read;
    }
  };
  return {
    size,
    readInto: async (bytes, offset) => fill(bytes, offset),
    read: async (offset, length) => {
      checkRange(size, offset, length);
      const bytes = Buffer.allocUnsafeSlow(length);
      fill(bytes, offset);
      return bytes;
    },
    close: async () => open.forEach((file) => closeSync(file)),
  };
}
