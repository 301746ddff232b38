import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { writeSettings } from "@prestage/disk";
import { z } from "zod";
import { AgentError } from "../../error.ts";
import { isLostFolder } from "../network-folders.ts";
import { localGroupsName } from "./local-groups.ts";

/** Below the deployment's own folder: an OS image leaves it alone. */
export const localStore = "prestage/user-state";
export const wimName = "user-state.wim";
/** A folder that root alone reads, for a capture that is not whole yet. */
export const unfinishedName = `${wimName}.new`;
export const listName = "user-state.json";
const largestList = 4 << 20;

const userSchema = z.strictObject({ name: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/), uid: z.int().min(1000).max(59_999), gid: z.int().min(0), home: z.string().regex(/^\/home\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/), shell: z.string().regex(/^\/[A-Za-z0-9_./-]{1,100}$/), image: z.int().min(1) });
const listSchema = z.strictObject({ formatVersion: z.literal(1), bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/), users: z.array(userSchema).min(1).max(1000) });
export type CapturedUser = z.infer<typeof userSchema>;
export type CapturedState = z.infer<typeof listSchema>;

/** The store a step names, or the one that request-state-store has found: OSDStateStorePath. */
export async function storePath(path: string | undefined): Promise<string> {
  if (path?.startsWith("/") === true) await refuseLostFolder(path);
  if (path?.startsWith("/") !== true || !(await stat(path).then((status) => status.isDirectory(), () => false))) {
    throw new AgentError("PRESTAGE_AGENT_NO_STATE_STORE", `Expected a store for users' files, the step's own or in OSDStateStorePath; found ${path === undefined || path === "" ? "it empty" : `${JSON.stringify(path)}, which is not there`}.`, "Put a request-state-store step before, in the same environment; where the store is a file server's folder, connect it before (connect-network-folder).");
  }
  return path;
}

/** The place of a file server's folder that is not mounted is none for files. */
export async function refuseLostFolder(path: string): Promise<void> {
  if (await isLostFolder(path)) throw new AgentError("PRESTAGE_AGENT_NO_STATE_STORE", `Expected a file server's folder at ${path}; none is mounted there now.`, "Put a connect-network-folder step before, and see in the log why the folder is not mounted.");
}

/** The list comes last: with it the capture is whole. */
export async function writeCapturedState(store: string, state: CapturedState): Promise<void> {
  await writeSettings(store, [{ kind: "file", path: listName, mode: 0o600, content: JSON.stringify(listSchema.parse(state)) }]);
}

/** What was captured; everything in it is checked, as it may come from a share. */
export async function readCapturedState(store: string): Promise<CapturedState> {
  const path = join(store, listName);
  try {
    if ((await stat(path)).size > largestList) throw new Error("it is too large");
    const state = listSchema.parse(JSON.parse(await readFile(path, "utf8")));
    const { size } = await stat(join(store, wimName));
    if (size !== state.bytes) throw new Error(`${wimName} has ${size} bytes instead of ${state.bytes}`);
    return state;
  } catch (cause) {
    throw new AgentError("PRESTAGE_AGENT_STATE_STORE_DAMAGED", `Expected captured users' files in ${store}; found none that are whole: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}.`, "Capture them again, or name the right store.", { cause });
  }
}

export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest("hex");
}

export async function removeCapturedState(store: string): Promise<void> {
  for (const name of [listName, wimName, unfinishedName, localGroupsName]) await rm(join(store, name), { recursive: true, force: true });
}

/** /etc/passwd's local users with a home of their own. */
export function localUsers(passwd: string): Omit<CapturedUser, "image">[] {
  return passwd.split("\n").flatMap((line) => {
    const [name, , uid, gid, , home, shell] = line.split(":");
    const user = userSchema.omit({ image: true }).safeParse({ name, uid: Number(uid), gid: Number(gid), home, shell: shell === "" ? "/bin/sh" : shell });
    return user.success ? [user.data] : [];
  });
}
