import { SequenceError } from "@prestage/sequence";
import yauzl from "yauzl";
import type { Entry, ZipFile } from "yauzl";

const mostEntries = 20_000;
const largestFile = 32 * 1024 * 1024;
const largestSum = 128 * 1024 * 1024;

/**
 * The files of a .zip that `wanted` names, unpacked in memory. yauzl refuses names that are absolute or lead out, and checks sizes while it unpacks.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN
 */
export async function readZipFiles(bytes: Buffer, wanted: (path: string) => boolean): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  let sum = 0;
  try {
    const zip = await yauzl.fromBufferPromise(bytes, { lazyEntries: true, validateEntrySizes: true, strictFileNames: false });
    if (zip.entryCount > mostEntries) throw refused(`at most ${mostEntries} files`, `${zip.entryCount}`);
    for (let entry = await next(zip); entry !== undefined; entry = await next(zip)) {
      const path = decodedPath(entry.fileName);
      if (path.endsWith("/") || !wanted(path)) continue;
      if (entry.isEncrypted()) throw refused("files without a password", `${path.slice(0, 200)} with one`);
      if (entry.uncompressedSize > largestFile || (sum += entry.uncompressedSize) > largestSum) throw refused(`at most ${largestFile} bytes in a file and ${largestSum} in all`, "more");
      if (files.has(path)) throw refused("each file once", `${path.slice(0, 200)} twice`);
      files.set(path, await contentOf(zip, entry));
    }
  } catch (cause) {
    if (cause instanceof SequenceError) throw cause;
    throw refused("a .zip as the Configuration Manager console writes it", cause instanceof Error ? cause.message : String(cause), cause);
  }
  return files;
}

function next(zip: ZipFile): Promise<Entry | undefined> {
  return new Promise((resolve, reject) => {
    zip.once("entry", resolve).once("end", () => resolve(undefined)).once("error", reject);
    zip.readEntry();
  }).finally(() => zip.removeAllListeners()) as Promise<Entry | undefined>;
}

async function contentOf(zip: ZipFile, entry: Entry): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** The console escapes names as in addresses. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function refused(expected: string, found: string, cause?: unknown): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected ${expected}; found ${found}. Export the task sequence anew.`, { cause });
}
