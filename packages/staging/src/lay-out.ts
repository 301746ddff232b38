import { chmod, mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { runWimlib } from "@prestage/content";
import { dataPaths, mediaImages } from "@prestage/media";
import { StagingError } from "./error.ts";
import type { MediaFiles } from "./media-files.ts";

/** The media's two trees, laid out in folders once for all disks. */
export interface LaidOut {
  esp: string;
  data: string;
  remove(): Promise<void>;
}

export interface LayOutOptions {
  signal?: AbortSignal | undefined;
  onProgress: (percent: number) => void;
}

/** Lays both images of a media out under a folder. */
export async function layOut(mediaPath: string, files: MediaFiles, under: string, options: LayOutOptions): Promise<LaidOut> {
  const space = await statfs(under);
  const free = space.bavail * space.bsize;
  if (free < files.espBytes + files.dataBytes) {
    throw new StagingError("PRESTAGE_STAGING_NO_SPACE", `The media's files need ${Math.ceil((files.espBytes + files.dataBytes) / (1 << 20))} MiB in ${under} while the disk is made, ${Math.floor(free / (1 << 20))} MiB are free. Name another folder for it.`);
  }
  const folder = await mkdtemp(join(under, ".prestage-stage-"));
  const laid = { esp: join(folder, "esp"), data: join(folder, "data"), remove: () => rm(folder, { recursive: true, force: true }) };
  try {
    await applyImages(mediaPath, laid.esp, laid.data, options);
    return laid;
  } catch (error) {
    await laid.remove();
    throw error;
  }
}

/** Applies both images of a media to two folders, which may be mounted partitions. */
export async function applyImages(mediaPath: string, esp: string, data: string, options: LayOutOptions): Promise<void> {
  const run = { ...(options.signal === undefined ? {} : { signal: options.signal }) };
  for (const folder of [esp, data]) await mkdir(folder, { recursive: true });
  await runWimlib(["apply", mediaPath, String(mediaImages.boot), esp, "--no-acls", "--norpfix"], run);
  await runWimlib(["apply", mediaPath, String(mediaImages.data), data, "--unix-data", "--norpfix"], { ...run, onProgress: (event) => options.onProgress(event.percent) });
  await chmod(data, 0o755);
  await chmod(join(data, dataPaths.root), 0o700);
}
