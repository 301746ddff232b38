import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import { buildWim } from "@prestage/wim";
import type { ContentSource, FetchOptions } from "../fetch/content-source.ts";
import type { MissingData } from "./missing-data.ts";

/** Data with a hash the index names: they can be made here and proved. */
export type NamedData = MissingData & { sha256: string };

export interface DeltaWork {
  /** For what is being made; kept until all is done. */
  folder: string;
  contentId: string;
  sources: readonly ContentSource[];
  options: FetchOptions;
  onBytes: (count: number) => void;
}

/** Where data are made, by their SHA-1. */
export function placeOf({ folder }: Pick<DeltaWork, "folder">, sha1: string): string {
  return join(folder, sha1);
}

/** Whether the data lie there as both the image and its index name them. */
export async function isMade(work: Pick<DeltaWork, "folder">, { sha1, sha256, resource }: NamedData): Promise<boolean> {
  const path = placeOf(work, sha1);
  if (!(await lstat(path).then((status) => status.isFile() && status.size === resource.size, () => false))) return false;
  const [byWim, byIndex] = [createHash("sha1"), createHash("sha256")];
  for await (const bytes of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    byWim.update(bytes);
    byIndex.update(bytes);
  }
  return byWim.digest("hex") === sha1 && byIndex.digest("hex") === sha256;
}

/** A WIM of what was made, stored as it is: a reference for the delta. */
export async function writeMadeWim(made: readonly NamedData[], work: Pick<DeltaWork, "folder" | "contentId">, path: string, signal: AbortSignal | undefined): Promise<void> {
  const sources = made.map(({ sha1, resource }) => ({ kind: "file" as const, destination: sha1, from: { path: placeOf(work, sha1) }, size: resource.size, sha1 }));
  await rm(path, { force: true });
  await buildWim({ guid: Buffer.from(work.contentId.slice(0, 32), "hex"), time: 0n, images: [{ name: "patched", sources }], integrity: false }, path, signal === undefined ? {} : { signal });
}
