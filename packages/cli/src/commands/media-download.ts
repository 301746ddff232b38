import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { inspectMedia, mediaSheet } from "@prestage/media";
import type { SiteClient } from "../site-client.ts";

/** The media and what stands beside it, from a site on another machine. */
export async function downloadMedia(client: SiteClient, output: string, media: { mediaId: string; size: number; sha256: string }): Promise<void> {
  await client.download(`/media/${media.mediaId}/file`, output, media);
  const { manifest } = await inspectMedia(output);
  await writeFile(`${output}.sha256`, `${media.sha256}  ${basename(output)}\n`);
  await writeFile(`${output}.txt`, mediaSheet(manifest, { name: basename(output), ...media }));
}
