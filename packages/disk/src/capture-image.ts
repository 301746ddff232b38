import { constants, copyFile, mkdir, mkdtemp, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { openWimFile } from "@prestage/wim";
import { runProgram } from "./run-program.ts";

export interface CaptureImageOptions {
  /** A mounted volume's folder; or the device of an NTFS that is not mounted, of which everything Windows keeps is captured. */
  source: string;
  kind: "folder" | "ntfs";
  /** Path of the .wim; in a folder that is there. */
  wim: string;
  name: string;
  description?: string | undefined;
  /** Properties of the image by their path in the WIM's XML. */
  properties?: Readonly<Record<string, string>>;
  compression: "lzx" | "xpress" | "none";
  /** The .wim that is there keeps its images; one of the same name is replaced. */
  append: boolean;
  /** Paths in the volume that are left out, with what is in them; `/folder/*` is what is in a folder. */
  exclude: readonly string[];
  /** Files that are in the image without what is in them, with their rights, though they are left out. */
  empty?: readonly { path: string; mode: number }[];
  signal?: AbortSignal | undefined;
  /** Percent of what is captured, then of what is read back. */
  onProgress?: (event: { phase: "capture" | "verify"; percent: number }) => void;
}

const compressions = { lzx: "LZX", xpress: "XPRESS", none: "none" } as const;

/**
 * Captures a volume into a .wim: beside it, in a folder that root alone reads, verified by reading all of it back, and moved into its place when it is whole.
 * Cut anywhere, the .wim that was there is as it was. Returns its size.
 */
export async function captureImage(options: CaptureImageOptions): Promise<{ bytes: number }> {
  const { wim, signal } = options;
  const unfinished = unfinishedFolder(wim);
  const work = await mkdtemp(join(tmpdir(), "prestage-capture-"));
  try {
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    const made = join(unfinished, basename(wim));
    const former = options.append && (await isFile(wim)) ? await imageNames(wim) : [];
    // An image of this name was captured before, perhaps by an attempt that was cut short after its end.
    const replaced = former.includes(options.name);
    const appended = former.length > (replaced ? 1 : 0);
    if (appended) await copyFile(wim, made, constants.COPYFILE_FICLONE);
    if (appended && replaced) await runProgram("wimlib-imagex", ["delete", made, String(former.indexOf(options.name) + 1), "--soft", "--check"], { signal });
    const given = [options.source, made, options.name, ...(options.description === undefined ? [] : [options.description])];
    const config = join(work, "exclude.ini");
    await writeFile(config, `[ExclusionList]\n${options.exclude.join("\n")}\n`);
    const how = [...(options.kind === "folder" ? ["--unix-data", "--norpfix"] : []), "--check", `--config=${config}`, ...Object.entries(options.properties ?? {}).map(([name, value]) => `--image-property=${name}=${value}`)];
    await runProgram("wimlib-imagex", appended ? ["append", ...given, ...how, ...(replaced ? ["--rebuild"] : [])] : ["capture", ...given, ...how, `--compress=${compressions[options.compression]}`], { signal, onLine: percentIn("Archiving", (percent) => options.onProgress?.({ phase: "capture", percent })) });
    await addEmptyFiles(made, work, options.empty ?? [], signal);
    await runProgram("wimlib-imagex", ["verify", made], { signal, onLine: percentIn("Verifying", (percent) => options.onProgress?.({ phase: "verify", percent })) });
    const bytes = await onDisk(made);
    await rename(made, wim);
    await rm(unfinished, { recursive: true, force: true });
    await flushFolder(dirname(wim));
    return { bytes };
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Where a .wim is put together; what is found there is only to be deleted. */
export function unfinishedFolder(wim: string): string {
  return join(dirname(wim), `.${basename(wim)}.unfinished`);
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then((status) => status.isFile(), () => false);
}

async function imageNames(wim: string): Promise<string[]> {
  const file = await openWimFile(wim);
  try {
    return file.xml.images.map((image) => image.name);
  } finally {
    await file.close();
  }
}

/** Files that must be there, but empty: what fills them is one computer's own. */
async function addEmptyFiles(wim: string, work: string, files: NonNullable<CaptureImageOptions["empty"]>, signal: AbortSignal | undefined): Promise<void> {
  if (files.length === 0) return;
  const commands = await Promise.all(files.map(async ({ path, mode }, i) => {
    const empty = join(work, `empty-${i}`);
    const file = await open(empty, "wx", mode);
    await file.chmod(mode);
    await file.close();
    return `add '${empty}' '${path}' --unix-data\n`;
  }));
  await runProgram("wimlib-imagex", ["update", wim, String((await imageNames(wim)).length), "--check"], { input: commands.join(""), signal });
}

function percentIn(phase: string, onPercent: (percent: number) => void): (line: string) => void {
  let percent = -1;
  return (line) => {
    const found = Number((line.startsWith(phase) && /\((\d+)%\) done/.exec(line)?.[1]) || "NaN");
    if (!Number.isNaN(found) && found !== percent) onPercent((percent = found));
  };
}

/** Its size, once it is on the disk; a server's folder may know no rights. */
async function onDisk(path: string): Promise<number> {
  const file = await open(path, "r+");
  try {
    await file.chmod(0o600).catch(() => undefined);
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

/** A server's folder may not know how. */
async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync().catch(() => undefined);
  } finally {
    await folder.close();
  }
}
