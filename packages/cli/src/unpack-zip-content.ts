import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { forEachEntry, refusedZip } from "./read-zip-files.ts";

const largestSum = 64 * 1024 ** 3;
/** The file's kind in the upper half of what a Unix zip writes of it (APPNOTE.TXT 4.4.15, stat.h). */
const [kindMask, symbolicLink] = [0xf000, 0xa000];

/**
 * Unpacks the folder NAME_files of an export's .zip, where it has one, into a new temporary folder; whoever asks for it deletes it. `contents` false: the names alone,
 * each file empty, for a look at what there is. Undefined: there is no such folder in it.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN for names that lead out, links, passwords, files given twice, and more than there is room for
 */
export async function unpackZipContent(path: string, contents: boolean): Promise<string | undefined> {
  let folder: string | undefined;
  let sum = 0;
  try {
    const room = await roomIn(tmpdir());
    await forEachEntry(path, async (entry, zip) => {
      const [top = "", ...names] = entry.fileName.split("/");
      if (!top.toLowerCase().endsWith("_files") || names.length === 0) return;
      folder ??= await mkdtemp(join(tmpdir(), "prestage-content-"));
      const isFolder = names.at(-1) === "";
      if (isFolder) names.pop();
      if (names.length > 64 || names.some((name) => !/^[^\0:\\]{1,255}$/u.test(name) || name === "." || name === "..")) throw refusedZip("names of files below NAME_files", JSON.stringify(entry.fileName.slice(0, 200)));
      if (((entry.externalFileAttributes >>> 16) & kindMask) === symbolicLink) throw refusedZip("no link in the content", entry.fileName.slice(0, 200));
      if (entry.isEncrypted()) throw refusedZip("files without a password", `${entry.fileName.slice(0, 200)} with one`);
      if ((sum += entry.uncompressedSize) > Math.min(room, largestSum)) throw refusedZip(`content of at most ${largestSum} bytes, and room for it in ${tmpdir()}, where ${room} bytes are free`, "more");
      const target = join(folder, ...names);
      await mkdir(isFolder ? target : dirname(target), { recursive: true });
      if (isFolder) return;
      if (contents) await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { flags: "wx" }));
      else await writeFile(target, "", { flag: "wx" });
    });
    return folder;
  } catch (cause) {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    throw cause;
  }
}

async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
