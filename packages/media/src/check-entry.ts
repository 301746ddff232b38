import { createHash } from "node:crypto";
import { spanSize } from "@prestage/content";
import type { HashPool } from "@prestage/content";
import { resourceFlags, WimError } from "@prestage/wim";
import type { ResourceHeader, WimEntry, WimFile } from "@prestage/wim";

/** What the manifest or an index says of a file. */
export interface ExpectedFile { size: number; sha256: string; spans?: readonly string[] | undefined }
export interface MediaFinding { code: "PRESTAGE_MEDIA_FILE_DAMAGED" | "PRESTAGE_MEDIA_FILE_MISSING" | "PRESTAGE_MEDIA_FILE_UNEXPECTED"; path: string; message: string }
/** The media as a file, with threads that hash ranges of it. */
export interface OpenMedia { wim: WimFile; path: string; pool: HashPool }

/** Compares one entry of an image with what is expected there; `name` is what a person is shown. Damage is a finding, never an error. */
export async function checkEntry(media: OpenMedia, entry: WimEntry | undefined, name: string, expected: ExpectedFile): Promise<MediaFinding | undefined> {
  if (entry === undefined) return { code: "PRESTAGE_MEDIA_FILE_MISSING", path: name, message: `Expected ${name} on the media; found none.` };
  const damaged = (found: string): MediaFinding => ({ code: "PRESTAGE_MEDIA_FILE_DAMAGED", path: name, message: `Expected ${name} with ${expected.size} bytes and SHA-256 ${expected.sha256}; found ${found}.` });
  if (entry.reparseTag !== undefined) return damaged("a link");
  if (entry.streams.length > 0) return damaged("a second stream of data beside its own");
  const blob = entry.sha1 === undefined ? undefined : media.wim.blobs.get(entry.sha1);
  if (entry.sha1 !== undefined && blob === undefined) return damaged("no data");
  const size = blob?.resource.size ?? 0;
  if (size !== expected.size) return damaged(`${size} bytes`);
  const found = blob === undefined ? emptyFile : await describe(media, blob.resource, expected.spans);
  if (found.error !== undefined) return damaged(`data that cannot be read (${found.error})`);
  const bad = expected.spans?.flatMap((span, i) => (found.spans[i] === span ? [] : [i])) ?? [];
  if (bad.length > 0) return damaged(`other bytes in span(s) ${bad.slice(0, 20).join(", ")} of ${spanSize} bytes each`);
  return expected.spans === undefined && found.sha256 !== expected.sha256 ? damaged(`SHA-256 ${found.sha256}`) : undefined;
}

interface Found { sha256: string; spans: readonly string[]; error?: string }

const emptyFile: Found = { sha256: createHash("sha256").digest("hex"), spans: [] };

/** Hashes a resource: of a stored one every span by a thread of its own, of a compressed one what it decodes to. */
async function describe(media: OpenMedia, resource: ResourceHeader, spans: readonly string[] | undefined): Promise<Found> {
  if ((resource.flags & resourceFlags.compressed) !== 0) return decode(media.wim, resource, spans !== undefined);
  const ranges = spans === undefined ? [{ at: 0, length: resource.size }] : spans.map((_, i) => ({ at: i * spanSize, length: Math.min(spanSize, resource.size - i * spanSize) }));
  if (spans !== undefined && spans.length !== Math.ceil(resource.size / spanSize)) return { sha256: "", spans: [], error: `${spans.length} spans for ${resource.size} bytes` };
  const hashes = await Promise.all(ranges.map(({ at, length }) => media.pool.hash(media.path, resource.offset + at, length)));
  const digests = hashes.map((hash) => ("error" in hash ? `unreadable: ${hash.error}` : hash.sha256));
  return spans === undefined ? { sha256: digests[0] ?? "", spans: [] } : { sha256: "", spans: digests };
}

async function decode(wim: WimFile, resource: ResourceHeader, spanned: boolean): Promise<Found> {
  const whole = createHash("sha256");
  const spans: string[] = [];
  let span = createHash("sha256");
  let room = spanSize;
  try {
    for await (const piece of wim.readResource(resource)) {
      if (!spanned) whole.update(piece);
      for (let offset = 0; spanned && offset < piece.length; ) {
        const take = Math.min(piece.length - offset, room);
        span.update(piece.subarray(offset, offset + take));
        offset += take;
        room -= take;
        if (room > 0) continue;
        spans.push(span.digest("hex"));
        span = createHash("sha256");
        room = spanSize;
      }
    }
  } catch (cause) {
    if (cause instanceof WimError) return { sha256: "", spans: [], error: cause.code };
    throw cause;
  }
  if (room < spanSize) spans.push(span.digest("hex"));
  return { sha256: whole.digest("hex"), spans };
}
