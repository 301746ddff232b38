import { readdir, rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { ExportedObject } from "@prestage/sequence/import";
import { ShareFolder } from "./share-folder.ts";
import { unpackZipContent } from "./unpack-zip-content.ts";

/** The content of an export's objects: `temporary` is to be deleted after it was used. */
export interface ExportContent { folder: ShareFolder; objects: ExportedObject[]; temporary?: string }

/**
 * The console leaves content in NAME_files beside NAME.zip, a folder for each object; whoever packed both into one .zip has it in there. Of the objects those that have
 * content, with where it lies. `contents` false: what is in the .zip is not unpacked, only looked at.
 */
export async function findExportContent(path: string, objects: readonly ExportedObject[], contents: boolean): Promise<ExportContent> {
  const beside = resolve(path).replace(/\.zip$/i, "") + "_files";
  const temporary = (await isFolder(beside)) ? undefined : await unpackZipContent(path, contents);
  const folder = new ShareFolder(temporary ?? beside);
  try {
    const there: ExportedObject[] = [];
    for (const object of objects) {
      const sources = await sourcesOf(folder, object);
      if (sources.length > 0) there.push({ ...object, sources });
    }
    return { folder, objects: there, ...(temporary !== undefined && { temporary }) };
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    throw cause;
  }
}

/** An object's folder in the content; of an image the .wim in it. */
async function sourcesOf(folder: ShareFolder, object: ExportedObject): Promise<string[]> {
  for (const place of object.places) {
    const found = await folder.find(place);
    if (found === undefined || !(await isFolder(found))) continue;
    return object.images === undefined ? [place] : imageIn(folder, place, found, object.images);
  }
  return [];
}

async function imageIn(folder: ShareFolder, place: string, path: string, likely: readonly string[]): Promise<string[]> {
  for (const name of likely) if ((await folder.find(`${place}/${name}`)) !== undefined) return [`${place}/${name}`];
  const [only, ...more] = (await readdir(path)).filter((name) => /\.wim$/i.test(name));
  return only === undefined || more.length > 0 || (await folder.find(`${place}/${only}`)) === undefined ? [] : [`${place}/${only}`];
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then((status) => status.isDirectory(), () => false);
}
