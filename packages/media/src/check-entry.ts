import { createHash } from "node:crypto";
import { spanSize } from "@prestage/content";
import { WimError } from "@prestage/wim";
import type { ResourceHasher, ResourceHeader, WimEntry, WimFile } from "@prestage/wim";

/** What the manifest or an index says of a file. */
export interface ExpectedFile { size: number; sha256: string; spans?: readonly string[] | undefined }
export interface MediaFinding { code: "PRESTAGE_MEDIA_FILE_DAMAGED" | "PRESTAGE_MEDIA_FILE_MISSING" | "PRESTAGE_MEDIA_FILE_UNEXPECTED"; path: string; message: string }
/** The media, with threads that hash what it holds; `onBytes` is told what they have done. */
export interface OpenMedia { wim: WimFile; hasher: ResourceHasher; onBytes: (bytes: number) => void; /** The data were compared as they are stored. */ asSigned: boolean }

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
  if (media.asSigned) return undefined;
  const found = blob === undefined ? emptyFile : await describe(media, blob.resource, expected.spans);
  if (found.error !== undefined) return damaged(`data that cannot be read (${found.error})`);
  const bad = expected.spans?.flatMap((span, i) => (found.spans[i] === span ? [] : [i])) ?? [];
  if (bad.length > 0) return damaged(`other bytes in span(s) ${bad.slice(0, 20).join(", ")} of ${spanSize} bytes each`);
  return expected.spans === undefined && found.sha256 !== expected.sha256 ? damaged(`SHA-256 ${found.sha256}`) : undefined;
}

interface Found { sha256: string; spans: readonly string[]; error?: string }

const emptyFile: Found = { sha256: createHash("sha256").digest("hex"), spans: [] };

/** Hashes what a resource decodes to: where spans are known each by itself, so that one large file uses every core. */
async function describe(media: OpenMedia, resource: ResourceHeader, spans: readonly string[] | undefined): Promise<Found> {
  if (spans !== undefined && spans.length !== Math.ceil(resource.size / spanSize)) return { sha256: "", spans: [], error: `${spans.length} spans for ${resource.size} bytes` };
  const hash = (from: number, to: number) => media.hasher.hash(media.wim, resource, from, to, "sha256", media.onBytes);
  try {
    if (spans === undefined) return { sha256: await hash(0, resource.size), spans: [] };
    return { sha256: "", spans: await allSpans(spans.length, (i) => hash(i * spanSize, Math.min(resource.size, (i + 1) * spanSize))) };
  } catch (cause) {
    if (cause instanceof WimError) return { sha256: "", spans: [], error: cause.code };
    throw cause;
  }
}

/** A span that cannot be decoded is one that is not as it should be: the others are checked all the same. */
async function allSpans(count: number, hash: (span: number) => Promise<string>): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, async (_, i) => await hash(i).catch((cause: unknown) => {
    if (cause instanceof WimError) return `unreadable: ${cause.code}`;
    throw cause;
  })));
}
