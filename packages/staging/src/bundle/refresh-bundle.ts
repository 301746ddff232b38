import { createHash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { chunksOfFile, openChunkFile, refreshFile, syncPath, type ContentSource } from "@prestage/content";
import { verifyMedia } from "@prestage/media";
import { StagingError } from "../error.ts";
import { bundleList, checksumTexts, modeInBundle, parseBundleList, type BundleFile } from "./bundle-files.ts";

export interface RefreshBundleOptions {
  /** The site's keyring, where it is known; else the older bundle's. */
  trustedKeyring?: Uint8Array | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: (event: { phase: "fetch" | "verify"; done: number; total: number }) => void;
}

export interface RefreshedBundle { path: string; mediaId: string; files: number; /** Files taken from the older bundle as they are. */ kept: number; fetched: number }

/** Of a list, and of a file that is fetched whole, in bytes. */
const [mostListBytes, mostFileBytes] = [8 << 20, 2 * 1024 ** 3];

/**
 * Brings a bundle up to a newer one, byte for byte: `source` has the newer one's files by their paths. Files that are the same are
 * copied; of the media only what changed is fetched. Cut off, it goes on where it was; the folder gets its name when all is there.
 * The media is checked as any; the programs are those the source lists, so let it be one you trust, over https.
 * @throws StagingError PRESTAGE_STAGING_BUNDLE, ContentError, MediaError, TrustError
 */
export async function refreshBundle(older: string, source: ContentSource, output: string, options: RefreshBundleOptions = {}): Promise<RefreshedBundle> {
  const path = resolve(output);
  if (await stat(path).then(() => true, () => false)) throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected nothing at ${path}, where the bundle is to be made; found something. Remove it or choose another name.`);
  const list = parseBundleList((await readWhole(source, bundleList, mostListBytes, options)).toString("utf8"), `${source.name}/${bundleList}`);
  const have = parseBundleList(await readFile(join(older, bundleList), "utf8").catch((cause: unknown) => {
    throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected a bundle at ${older}; found none: no ${bundleList} in it.`, { cause });
  }), join(older, bundleList));
  const folder = `${path}.refresh`;
  await mkdir(folder, { recursive: true });
  const result: RefreshedBundle = { path, mediaId: "", files: list.length, kept: 0, fetched: Buffer.byteLength(checksumTexts(list).at(-1)?.[1] ?? "") };
  // The media's list of chunks comes first: with it the media is put together.
  const ordered = list.toSorted((a, b) => Number(a.path === "media.wim") - Number(b.path === "media.wim"));
  for (const [done, file] of ordered.entries()) {
    options.signal?.throwIfAborted();
    options.onProgress?.({ phase: "fetch", done, total: list.length });
    const to = join(folder, file.path);
    await mkdir(dirname(to), { recursive: true });
    let right = (await hashOf(to)) === file.sha256;
    if (!right && have.some((one) => one.path === file.path && one.sha256 === file.sha256)) {
      right = await copied(join(older, file.path), to, file);
      if (right) result.kept++;
    }
    if (!right) {
      result.fetched += file.path === "media.wim" && list.some((one) => one.path === "media.wim.chunks") ? await refreshMedia(older, source, folder, options) : await fetchWhole(source, file, to, options);
      right = (await hashOf(to)) === file.sha256;
    }
    if (!right) throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected ${file.path} with SHA-256 ${file.sha256}, as ${source.name}/${bundleList} says; found another. Was the bundle there replaced meanwhile? Run it again.`);
    await chmod(to, modeInBundle(file.path));
    await syncPath(to); // a copy may be in memory alone, and the folder gets its name when all is there
  }
  for (const [name, text] of checksumTexts(list)) await writeFile(join(folder, name), text, { flush: true });
  const trusted = options.trustedKeyring ?? (await readFile(join(older, "keyring.dsse.json")).catch(() => undefined));
  const { media, findings } = await verifyMedia(join(folder, "media.wim"), { ...(trusted && { trustedKeyring: trusted }), ...(options.signal && { signal: options.signal }), onProgress: (event) => options.onProgress?.({ phase: "verify", ...event }) });
  if (findings[0] !== undefined) throw new StagingError("PRESTAGE_STAGING_MEDIA_DAMAGED", `Expected a whole media in the bundle at ${source.name}; found ${findings.length} faults: ${findings[0].message}`);
  await removeOthers(folder, list);
  for (const each of new Set(["", ...list.map((one) => dirname(one.path))])) await syncPath(join(folder, each));
  await rename(folder, path);
  await syncPath(dirname(path));
  return { ...result, mediaId: media.mediaId };
}

async function refreshMedia(older: string, source: ContentSource, folder: string, options: RefreshBundleOptions): Promise<number> {
  const wanted = openChunkFile(await readFile(join(folder, "media.wim.chunks")));
  const had = join(older, "media.wim");
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const { fetched } = await refreshFile(wanted, [{ path: had, chunks: await chunksOfFile(had, signal) }], source, "media.wim", join(folder, "media.wim"), signal);
  return fetched;
}

/** False where the older bundle's file is not what its list says. */
async function copied(from: string, to: string, file: BundleFile): Promise<boolean> {
  await rm(to, { force: true });
  return copyFile(from, to, constants.COPYFILE_FICLONE).then(async () => (await hashOf(to)) === file.sha256, () => false);
}

async function fetchWhole(source: ContentSource, file: BundleFile, to: string, options: RefreshBundleOptions): Promise<number> {
  const handle = await open(to, "w");
  let size = 0;
  try {
    for await (const part of await source.open("", file.path, { start: 0 }, options.signal ?? new AbortController().signal)) {
      if ((size += part.length) > mostFileBytes) throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected at most ${mostFileBytes} bytes of ${file.path} at ${source.name}; more came.`);
      await handle.writeFile(part);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return size;
}

async function readWhole(source: ContentSource, name: string, limit: number, options: RefreshBundleOptions): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of await source.open("", name, { start: 0 }, options.signal ?? new AbortController().signal)) {
      if ((size += part.length) > limit) throw new Error(`more than ${limit} bytes`);
      parts.push(part);
    }
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected a bundle at ${source.name}, with its ${name}; found: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
  return Buffer.concat(parts);
}

/** Undefined where there is none. */
async function hashOf(path: string): Promise<string | undefined> {
  if (!(await stat(path).then((status) => status.isFile(), () => false))) return undefined;
  const hash = createHash("sha256");
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) hash.update(part);
  return hash.digest("hex");
}

/** What an attempt at another bundle left in the folder. */
async function removeOthers(folder: string, list: readonly BundleFile[]): Promise<void> {
  const wanted = new Set([...list.map(({ path }) => path), ...checksumTexts(list).map(([name]) => name)]);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isDirectory() && !wanted.has(path.slice(folder.length + 1))) await rm(path);
  }
}
