import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { isFirstPiece, joinPieces } from "@prestage/wim";
import type { Context } from "./context.ts";
import { Progress } from "./output.ts";

/** Lends a media as one file: pieces of one (`media.wim.001`, from a FAT32 stick) are joined in the work folder for as long as `use` takes, since laying down needs it whole. */
export async function withWholeMedia<T>(context: Context, media: string, workFolder: string | undefined, use: (media: string) => Promise<T>): Promise<T> {
  if (!isFirstPiece(media)) return await use(media);
  const folder = await mkdtemp(join(workFolder === undefined ? tmpdir() : resolve(workFolder), "prestage-joined-"));
  try {
    const whole = join(folder, basename(media).replace(/\.001$/, ""));
    const progress = new Progress(context);
    await joinPieces(resolve(media), whole, { signal: context.signal, onProgress: ({ done, total }) => progress.update("join", done, total) });
    progress.end();
    return await use(whole);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
