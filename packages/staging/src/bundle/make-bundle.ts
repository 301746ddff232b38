import { createHash } from "node:crypto";
import { createReadStream, constants } from "node:fs";
import { chmod, copyFile, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { chunksOfFile, encodeChunkFile, syncPath } from "@prestage/content";
import { inspectMedia } from "@prestage/media";
import { StagingError } from "../error.ts";
import { englishInstructions, frenchInstructions } from "./instructions.ts";
import { dataFiles, findLibraries } from "./libraries.ts";
import { checksumTexts, modeInBundle } from "./bundle-files.ts";
import type { BundleFile } from "./bundle-files.ts";
import { bundledPrograms, findPrograms } from "./programs.ts";
import { runScript, wrapper } from "./scripts.ts";

export interface BundleInput {
  /** The folder to make; it must not be there. */
  output: string;
  media: string;
  /** Our command for the depot as one file that Node runs with nothing beside it. */
  command: string;
  /** The Node program to run it with. */
  node: string;
  /** Where programs are looked for, as in PATH. */
  searchPath: string;
  /** The site's keyring: the media must be signed under it, and the depot lays no other. */
  keyring?: Uint8Array | undefined;
}

export interface BundleOptions {
  signal?: AbortSignal | undefined;
  onProgress?: (event: { phase: "programs" | "media" | "checksums"; done: number; total: number }) => void;
}

export interface Bundle {
  path: string;
  mediaId: string;
  files: number;
  bytes: number;
}

/**
 * Makes the folder a depot without Prestage needs: the media, our command with a loader, libraries and programs of its
 * own, instructions and checksums. It appears under its name only when all of it is there.
 * @throws StagingError PRESTAGE_STAGING_BUNDLE
 */
export async function makeBundle(input: BundleInput, options: BundleOptions = {}): Promise<Bundle> {
  const output = resolve(input.output);
  if (await stat(output).then(() => true, () => false)) throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected nothing at ${output}, where the bundle is to be made; found something. Remove it or choose another name.`);
  const media = await inspectMedia(input.media, input.keyring === undefined ? {} : { trustedKeyring: input.keyring });
  const folder = `${output}.partial`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    options.onProgress?.({ phase: "programs", done: 0, total: 1 });
    await layRunner(join(folder, "runner"), input, options);
    options.onProgress?.({ phase: "media", done: 0, total: 1 });
    await layMedia(folder, input.media, options.signal === undefined ? {} : { signal: options.signal });
    const facts = { mediaId: media.mediaId, taskSequence: media.manifest.taskSequence.name, size: media.size, createdBy: media.manifest.createdBy };
    const texts: [string, string | Uint8Array][] = [["README.txt", englishInstructions(facts)], ["LISEZMOI.txt", frenchInstructions(facts)], ["run.sh", runScript], ...(input.keyring === undefined ? [] : [["keyring.dsse.json", input.keyring] as [string, Uint8Array]])];
    for (const [name, text] of texts) await writeFile(join(folder, name), text);
    const { files, bytes } = await writeChecksums(folder, options);
    options.signal?.throwIfAborted();
    await rename(folder, output);
    await syncPath(dirname(output));
    return { path: output, mediaId: media.mediaId, files, bytes };
  } catch (cause) {
    await rm(folder, { recursive: true, force: true });
    throw cause;
  }
}

/** Programs, their libraries and data, our command; each program behind a script that starts it by the runner's own loader. */
async function layRunner(runner: string, input: BundleInput, options: BundleOptions): Promise<void> {
  for (const name of ["bin", "programs", "lib", "gconv", "locale"]) await mkdir(join(runner, name), { recursive: true });
  const programs = [...(await findPrograms(bundledPrograms, input.searchPath)), { name: "node", path: input.node, file: basename(input.node) }];
  for (const { name, path, file } of programs) {
    options.signal?.throwIfAborted();
    await copyFile(path, join(runner, "programs", file));
    await writeFile(join(runner, "bin", name), wrapper(name, file), { mode: 0o755 });
  }
  for (const { from, to, optional } of dataFiles) {
    await cp(from, join(runner, to), { recursive: true, dereference: true }).catch((cause: unknown) => {
      if (optional !== true) throw new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected ${from} on this machine, to put it into the bundle; it could not be copied. Install the package libc-bin.`, { cause });
    });
  }
  const modules = join(runner, "gconv/IBM850.so");
  for (const [soname, path] of await findLibraries([...programs.map((program) => program.path), modules], options)) await copyFile(path, join(runner, "lib", soname));
  await copyFile(input.command, join(runner, "prestage.mjs"));
}

/** The media and its readable sheet, under the names the instructions use. */
async function layMedia(folder: string, media: string, options: { signal?: AbortSignal }): Promise<void> {
  await copyFile(media, join(folder, "media.wim"), constants.COPYFILE_FICLONE);
  const sheet = await readFile(`${media}.txt`).catch(() => undefined); // may be lost
  if (sheet !== undefined) await writeFile(join(folder, "media.wim.txt"), sheet);
  // With it an older bundle is brought up to this one, fetching what changed.
  await writeFile(join(folder, "media.wim.chunks"), encodeChunkFile(await chunksOfFile(media, options)));
}

/** SHA256SUMS for everything, and runner.sha256 for what run.sh checks by itself; all as `sha256sum -c` reads it. */
async function writeChecksums(folder: string, options: BundleOptions): Promise<{ files: number; bytes: number }> {
  const paths = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  const files: BundleFile[] = [];
  let bytes = 0;
  for (const path of paths.toSorted((a, b) => (a < b ? -1 : 1))) {
    const hash = createHash("sha256");
    for await (const part of createReadStream(join(folder, path), { highWaterMark: 1 << 20 })) {
      options.signal?.throwIfAborted();
      hash.update(part as Buffer);
      bytes += (part as Buffer).length;
    }
    await chmod(join(folder, path), modeInBundle(path));
    files.push({ path, sha256: hash.digest("hex") });
    options.onProgress?.({ phase: "checksums", done: files.length, total: paths.length });
  }
  const texts = checksumTexts(files);
  for (const [name, text] of texts) await writeFile(join(folder, name), text);
  return { files: files.length + texts.length, bytes };
}
