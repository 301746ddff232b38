import { readdir, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { MediaError } from "./error.ts";

/**
 * Before a media is built: its folder is there, nothing of its name is, and what a build of the same name left that was cut off goes.
 * @throws MediaError PRESTAGE_MEDIA_OUTPUT_EXISTS, PRESTAGE_MEDIA_OUTPUT_FOLDER
 */
export async function prepareOutput(output: string): Promise<void> {
  const folder = dirname(output);
  if (!(await stat(folder).then((status) => status.isDirectory(), () => false))) {
    throw new MediaError("PRESTAGE_MEDIA_OUTPUT_FOLDER", `Expected a folder ${folder} to write ${basename(output)} into; found none. Make it first, or choose another place.`);
  }
  if (await stat(output).then(() => true, () => false)) throw new MediaError("PRESTAGE_MEDIA_OUTPUT_EXISTS", `Expected no file at ${output}; found one. Remove it or choose another name.`);
  await sweepCutOff(folder, basename(output));
}

/** A WIM is written as `.NAME.partial-PID`; that of a process that runs is being written. */
async function sweepCutOff(folder: string, name: string): Promise<void> {
  const prefix = `.${name}.partial-`;
  for (const found of await readdir(folder)) {
    const pid = found.startsWith(prefix) ? found.slice(prefix.length) : "";
    if (/^[1-9]\d{0,9}$/.test(pid) && !runs(Number(pid))) await rm(join(folder, found), { force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return !(cause instanceof Error && "code" in cause && cause.code === "ESRCH");
  }
}
