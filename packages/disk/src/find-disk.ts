import { readdir } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { DiskError } from "./error.ts";
import { readPartitionTable, type PartitionTable } from "./partition-table.ts";

export interface FoundDisk {
  /** Such as /dev/nvme0n1. */
  path: string;
  table: PartitionTable;
}

/** Devices that never hold a staged disk. */
const notDisks = /^(loop|ram|zram|fd|sr|dm-|md|mtd)/;

/**
 * Finds the disk that holds a partition with this GUID: the one the computer was started from, never "the first disk".
 * Disks may appear seconds after the start, so it looks again until it is there.
 */
export async function findDiskByPartition(guid: string, options: { waitMs?: number; signal?: AbortSignal | undefined } = {}): Promise<FoundDisk> {
  const wanted = guid.toLowerCase();
  const deadline = performance.now() + (options.waitMs ?? 60_000);
  let seen: string[] = [];
  for (;;) {
    seen = (await readdir("/sys/block")).filter((name) => !notDisks.test(name)).sort();
    const found: FoundDisk[] = [];
    for (const name of seen) {
      const path = `/dev/${name.replaceAll("!", "/")}`;
      const table = await readPartitionTable(path, options).catch(() => undefined);
      options.signal?.throwIfAborted();
      if (table?.partitions.some((partition) => partition.guid === wanted) === true) found.push({ path, table });
    }
    if (found.length > 1) throw new DiskError("PRESTAGE_DISK_BAD_TABLE", `Expected one disk with partition ${wanted}, found ${found.map((disk) => disk.path).join(" and ")}: one is a copy of the other. Detach one of them.`);
    if (found[0] !== undefined) return found[0];
    if (performance.now() > deadline) throw new DiskError("PRESTAGE_DISK_BAD_TABLE", `Expected a disk with partition ${wanted}, found ${seen.length === 0 ? "no disk at all: a driver may be missing in the boot image" : `none among ${seen.join(", ")}`}.`);
    await wait(200, undefined, { signal: options.signal });
  }
}
