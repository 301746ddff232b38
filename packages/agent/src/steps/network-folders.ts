import { createHash } from "node:crypto";
import { readdir, readFile, realpath, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { runProgram } from "@prestage/disk";

/** Where folders of file servers are mounted; gone after a restart. */
export const foldersRoot = "/run/prestage/folders";

/** The place of a folder, always the same. */
export function placeOfFolder(path: string, root = foldersRoot): string {
  return join(root, createHash("sha256").update(path).digest("hex").slice(0, 16));
}

/** What is mounted, by place (proc(5), /proc/mounts: blanks and the like are written as octal numbers). */
export async function mountedPlaces(): Promise<Map<string, string>> {
  const plain = (text: string) => text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  const lines = (await readFile("/proc/mounts", "utf8")).split("\n").filter((line) => line !== "").map((line) => line.split(" "));
  return new Map(lines.map(([source = "", place = ""]) => [plain(place), plain(source)]));
}

/** A path among these places where no server's folder is now: what is written there would lie in memory and be gone after a restart. */
export async function isLostFolder(path: string, root = foldersRoot): Promise<boolean> {
  const real = await realPath(resolve(path));
  if (real !== root && !real.startsWith(`${root}/`)) return false;
  return ![...(await mountedPlaces()).keys()].some((place) => place.startsWith(`${root}/`) && (real === place || real.startsWith(`${place}/`)));
}

/** With every link followed; what is not there yet is taken as it is written. */
async function realPath(path: string): Promise<string> {
  if (path === "/") return path;
  return realpath(path).catch(async () => join(await realPath(dirname(path)), basename(path)));
}

/** Lets go of every folder; one that is still used is let go when nobody uses it any more. */
export async function disconnectFolders(root = foldersRoot): Promise<void> {
  for (const place of (await mountedPlaces()).keys()) {
    if (place.startsWith(`${root}/`)) await runProgram("umount", ["--lazy", place], { accept: [0, 32] });
  }
  // Only what is empty: nothing here may ever reach into a server's files.
  for (const name of await readdir(root).catch(() => [])) await rmdir(join(root, name)).catch(() => undefined);
  await rmdir(root).catch(() => undefined);
}
