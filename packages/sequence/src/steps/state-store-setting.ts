import { z } from "zod";

const linuxFolder = /^\/(?!$)(?!.*(^|\/)\.\.(\/|$))[^\p{Cc}]+$/u;
const windowsFolder = /^([A-Za-z]:|\\\\[^\\/:*?"<>|\p{Cc}]+\\[^\\/:*?"<>|\p{Cc}]+)(\\(?!\.\.(\\|$))[^\\/:*?"<>|\p{Cc}]+)+$/u;

/** Where `local` is on Windows: beside the deployment, as on Linux. */
export const localOnWindows = String.raw`C:\prestage\user-state`;
/** The store of a step that captures or restores what is a user's; taken from OSDStateStorePath where it is left out. */
export const storeSetting = z.string().min(1).max(1000).regex(/^[^\p{Cc}]+$/u, "one line").optional().describe("The folder; left out: the one that request-state-store has found");
/** Why a step means nothing on Windows without one. */
export const noStore = "on Windows it needs a folder, which request-state-store finds";

export function isAbsoluteFolder(path: string): boolean {
  return linuxFolder.test(path) || windowsFolder.test(path);
}

/** A store that is a folder of Windows; undefined where it is none. */
export function windowsStore(store: string | undefined): string | undefined {
  return store !== undefined && windowsFolder.test(store) ? store : undefined;
}
