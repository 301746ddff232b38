import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { walkEntries } from "@prestage/wim";
import { chunkings, chunkingOf, parseChunkList } from "../description/chunking.ts";
import { chunkListsOf } from "../description/file-pieces.ts";
import type { ContentIndex } from "../description/schema.ts";
import { describedFiles } from "../patches/described-files.ts";
import { describeBytes } from "../import/describe-bytes.ts";
import type { StoredVersion } from "../library/content-library.ts";
import { openStoredWim } from "../library/single-instance/stored-source.ts";

/** Which of the chunks `asked` for the held versions have, cut as `wanted` is, and the others, of other content, that are cut so: OS images in the files inside them. */
export async function chunksOf(held: readonly StoredVersion[], wanted: ContentIndex, others: readonly StoredVersion[], asked: ReadonlySet<string>): Promise<Set<string>> {
  const digests = new Set<string>();
  const add = (list: Buffer) => {
    for (const { digest } of parseChunkList(list)) {
      const key = digest.toString("base64");
      if (asked.has(key)) digests.add(key);
    }
  };
  for (const version of held) {
    const { index, folder } = version;
    const cutAlike = chunkingOf(index) === chunkingOf(wanted);
    if (!cutAlike && index.shape !== wanted.shape) continue;
    const lists = cutAlike ? chunkListsOf(index, await readFile(join(folder, "chunks.bin"))).values() : await cutAnew(version, wanted);
    for (const list of lists) add(list);
  }
  for (const { index, folder } of others) {
    const inside = index.shape === "image" && wanted.shape === "files";
    if (inside ? index.chunking !== wanted.chunking : chunkingOf(index) !== chunkingOf(wanted)) continue;
    const lists = await readFile(join(folder, "chunks.bin"));
    for (const list of inside ? describedFiles(index, lists).map(({ chunkList }) => chunkList) : chunkListsOf(index, lists).values()) if (list !== undefined) add(list);
  }
  return digests;
}

/** The chunk lists of a version's files, made from what is stored: its own are of another chunking. */
async function cutAnew(version: StoredVersion, wanted: ContentIndex): Promise<Buffer[]> {
  const chunking = chunkingOf(wanted);
  const sizes = new Map(version.index.files.map((file) => [file.path, file.size]));
  const lists: Buffer[] = [];
  const wim = await openStoredWim(version);
  try {
    for (const { path, entry } of walkEntries(await wim.readImage(1))) {
      const size = sizes.get(path) ?? 0;
      const blob = entry.sha1 === undefined ? undefined : wim.blobs.get(entry.sha1);
      if (blob === undefined || size <= chunkings[chunking].above) continue;
      lists.push((await describeBytes(size, wim.readResource(blob.resource), { chunks: chunking })).chunkList);
    }
  } finally {
    await wim.close();
  }
  return lists;
}
