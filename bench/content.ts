import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ContentLibrary, importFolder, importImage, runWimlib } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";

/** What the media is built from: the same every time on one machine, made once. */
export interface BenchContent { tree: string; treeBytes: number; boot: StoredVersion; os: StoredVersion; application: StoredVersion }

/** Where an operating system's files are on any Debian. */
const sources = ["/usr/lib", "/usr/bin", "/usr/share"];

/** Makes, or finds in the cache, a tree of `bytes` of this machine's own files and the content made of it. */
export async function benchContent(cache: string, bytes: number, say: (text: string) => void): Promise<BenchContent> {
  const folder = join(cache, `bench-${Math.round(bytes / 1e6)}`);
  const library = new ContentLibrary(join(folder, "library"));
  const tree = join(folder, "tree");
  const record = join(folder, "content.json");
  const known = await readFile(record, "utf8").then((text) => JSON.parse(text) as Record<"treeBytes" | "boot" | "os" | "application", string>, () => undefined);
  if (known !== undefined) return { tree, treeBytes: Number(known.treeBytes), boot: await library.open(known.boot), os: await library.open(known.os), application: await library.open(known.application) };
  await rm(folder, { recursive: true, force: true });
  say(`Copying ${Math.round(bytes / 1e6)} MB of this machine's files (once)`);
  const treeBytes = await copySome(tree, bytes);
  say("Making a boot image, an OS image and an application of them (once; compressing takes minutes)");
  const boot = await bootImage(folder);
  await runWimlib(["capture", tree, join(folder, "os.wim"), "os", "--compress=LZX:20", "--check", "--unix-data", "--norpfix"]);
  await copySome(join(folder, "application"), bytes / 20);
  const content = { boot: await importImage(library, boot, [1, 2]), os: await importImage(library, join(folder, "os.wim"), [1]), application: await importFolder(library, join(folder, "application")) };
  await rm(join(folder, "os.wim"));
  await writeFile(`${record}.partial`, JSON.stringify({ treeBytes, boot: content.boot.contentId, os: content.os.contentId, application: content.application.contentId }));
  await rename(`${record}.partial`, record);
  return { tree, treeBytes, ...content };
}

/** A WIM of two images, as large as a boot environment: this Node, and bytes no compression makes smaller. */
async function bootImage(folder: string): Promise<string> {
  const initrd = Buffer.concat(Array.from({ length: 40 * 2 ** 15 }, (_, i) => createHash("sha256").update(String(i)).digest()));
  for (const [path, bytes] of [["boot.1/prestage/initrd", initrd], ["boot.1/EFI/BOOT/BOOTX64.EFI", initrd.subarray(0, 1_000_000)], ["boot.2/agent.mjs", Buffer.from("agent")]] as const) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), bytes);
  }
  await copyFile(process.execPath, join(folder, "boot.2/node"));
  const wim = join(folder, "boot.wim");
  for (const image of [1, 2]) await runWimlib([image === 1 ? "capture" : "append", join(folder, `boot.${image}`), wim, `image ${image}`, "--unix-data", "--check", ...(image === 1 ? ["--compress=LZX:20"] : [])]);
  return wim;
}

/** Copies plain files until there are `bytes` of them; names Windows could not hold are left out. */
async function copySome(target: string, bytes: number): Promise<number> {
  let copied = 0;
  const seen = new Set<string>();
  for (const source of sources) {
    for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
      if (copied >= bytes) return copied;
      const from = join(entry.parentPath, entry.name);
      const path = from.slice(1);
      if (!entry.isFile() || /[\\:*?"<>|]|[. ]($|\/)/.test(path) || seen.has(path.toUpperCase())) continue;
      const { size } = await stat(from);
      if (size > bytes / 10) continue;
      seen.add(path.toUpperCase());
      await mkdir(dirname(join(target, path)), { recursive: true });
      await copyFile(from, join(target, path));
      copied += size;
    }
  }
  return copied;
}
