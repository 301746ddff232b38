import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeSettings } from "@prestage/disk";
import { z } from "zod";
import { AgentError } from "../../error.ts";

export const localGroupsName = "local-groups.json";
const largestList = 4 << 20;
const name = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/);
const listSchema = z.strictObject({ formatVersion: z.literal(1), groups: z.array(z.strictObject({ name, gid: z.int().min(0).max(4_294_967_294), members: z.array(name).max(1000) })).max(1000) });
export type LocalGroup = z.infer<typeof listSchema>["groups"][number];

/** Who is in which group: as /etc/group lists them, of these users alone. A user's own first group is not listed there. */
export function localGroups(group: string, users: ReadonlySet<string>): LocalGroup[] {
  return group.split("\n").flatMap((line) => {
    const [named = "", , gid = "", listed = ""] = line.split(":");
    const members = listed.split(",").map((member) => member.trim()).filter((member) => users.has(member));
    const found = listSchema.shape.groups.element.safeParse({ name: named, gid: Number(gid), members });
    return members.length > 0 && found.success ? [found.data] : [];
  });
}

export async function writeLocalGroups(store: string, groups: readonly LocalGroup[]): Promise<void> {
  await writeSettings(store, [{ kind: "file", path: localGroupsName, mode: 0o600, content: JSON.stringify(listSchema.parse({ formatVersion: 1, groups })) }]);
}

/** The list is checked, as it may come from a share. */
export async function readLocalGroups(store: string): Promise<LocalGroup[]> {
  const path = join(store, localGroupsName);
  try {
    if ((await stat(path)).size > largestList) throw new Error("it is too large");
    return listSchema.parse(JSON.parse(await readFile(path, "utf8"))).groups;
  } catch (cause) {
    throw new AgentError("PRESTAGE_AGENT_STATE_STORE_DAMAGED", `Expected a list of local groups in ${store}; found none that is whole: ${cause instanceof Error ? cause.message.slice(0, 300) : String(cause)}.`, "Capture them again (capture-local-groups), or name the right store.", { cause });
  }
}
