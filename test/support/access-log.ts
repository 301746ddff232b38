import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SiteProcess } from "../../demo/site-process.ts";

/** The most bytes one damaged chunk may cost: the largest chunk of content, and the stored chunks at its two ends. */
export const largestChunk = 131_072 + 2 * 32_768;

/** What the distribution point's own log says it sent of a content: bytes by file. */
export async function bytesSent(site: SiteProcess, contentId: string): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  const text = await readFile(join(site.dataDirectory, "logs", "dp-access.ndjson"), "utf8").catch(() => "");
  for (const line of text.split("\n").filter((one) => one !== "")) {
    const record = JSON.parse(line) as { contentId: string; file: string; bytes: number };
    if (record.contentId === contentId) files.set(record.file, (files.get(record.file) ?? 0) + record.bytes);
  }
  return files;
}
