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
export async function readZipFiles(path: string, wanted: (path: string) => boolean): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  let sum = 0;
  await forEachEntry(path, async (entry, zip) => {
    const name = decodedPath(entry.fileName);
    if (name.endsWith("/") || !wanted(name)) return;
    if (entry.isEncrypted()) throw refusedZip("files without a password", `${name.slice(0, 200)} with one`);
    if (entry.uncompressedSize > largestFile || (sum += entry.uncompressedSize) > largestSum) throw refusedZip(`at most ${largestFile} bytes in a file and ${largestSum} in all`, "more");
    if (files.has(name)) throw refusedZip("each file once", `${name.slice(0, 200)} twice`);
    files.set(name, await contentOf(zip, entry));
  });
  return files;
}

/**
 * Goes through the entries of a .zip in their order; what is wrong with it is told as such.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN
 */
export async function forEachEntry(path: string, visit: (entry: Entry, zip: ZipFile) => Promise<void>): Promise<void> {
  let zip: ZipFile | undefined;
  try {
    zip = await yauzl.openPromise(path, { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: false });
    if (zip.entryCount > mostEntries) throw refusedZip(`at most ${mostEntries} files`, `${zip.entryCount}`);
    for (let entry = await next(zip); entry !== undefined; entry = await next(zip)) await visit(entry, zip);
  } catch (cause) {
    if (cause instanceof SequenceError) throw cause;
    throw refusedZip("a .zip as the Configuration Manager console writes it", cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    zip?.close();
  }
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

export function refusedZip(expected: string, found: string, cause?: unknown): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected ${expected}; found ${found}. Export the task sequence anew.`, { cause });
}
