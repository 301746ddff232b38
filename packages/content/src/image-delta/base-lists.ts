import type { ResourceHeader, WimFile } from "@prestage/wim";
import { describedFiles } from "../patches/described-files.ts";
import { chunkings } from "../description/chunking.ts";
import type { ChunkingName } from "../description/schema.ts";
import { describeBytes } from "../import/describe-bytes.ts";
import type { ContentIndex } from "../description/schema.ts";
import { ImageChunks } from "../cache/image-chunks.ts";
import { digestsOf } from "./chunked-data.ts";
import type { Candidate } from "./chunked-data.ts";

/** An older image: its file, its index, its chunk lists where they are at hand, and where its data lie by SHA-256. */
export interface OlderImage { wim: WimFile; index: ContentIndex; chunks: Buffer | undefined; resources: ReadonlyMap<string, ResourceHeader> }

/** The chunks of an older image that these files have. Without its lists, or where they are cut otherwise, those of files of the same path are made anew. */
export async function chunksInBase(base: OlderImage, candidates: readonly Candidate[], lists: ReadonlyMap<string, Buffer>, chunking: ChunkingName, signal?: AbortSignal): Promise<ImageChunks> {
  const found = new ImageChunks(base.wim);
  const wanted = digestsOf(candidates, lists);
  const paths = new Set(candidates.map(({ file }) => file.path));
  const seen = new Set<ResourceHeader>();
  const anew = base.chunks === undefined || base.index.chunking !== chunking;
  for (const { file, chunkList } of describedFiles(base.index, base.chunks ?? Buffer.alloc(0))) {
    const resource = base.resources.get(file.sha256);
    if (resource === undefined || seen.has(resource) || resource.size !== file.size || file.size <= chunkings[chunking].above) continue;
    if (anew && !paths.has(file.path)) continue;
    signal?.throwIfAborted();
    const list = anew ? await describeBytes(file.size, base.wim.readResource(resource), { chunks: chunking }).then((described) => described.chunkList, () => undefined) : chunkList;
    if (list === undefined) continue;
    seen.add(resource);
    found.add(resource, list, wanted);
  }
  return found;
}
