import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { captureLocalGroupsStep } from "@prestage/sequence";
import { defineStep } from "../step-executor.ts";
import { localGroups, writeLocalGroups } from "./local-groups.ts";
import { localUsers, storePath } from "./state-store.ts";

/** Keeps which local users are in which groups. */
export const step = defineStep(captureLocalGroupsStep, async (run, { store: named, groups: chosen }) => {
  const { dataRoot } = run.context;
  const store = await storePath(named);
  const users = new Set(localUsers(await readFile(join(dataRoot, "etc/passwd"), "utf8")).map((user) => user.name));
  const groups = localGroups(await readFile(join(dataRoot, "etc/group"), "utf8"), users).filter((group) => chosen?.includes(group.name) ?? true);
  await writeLocalGroups(store, groups);
  return { outputTail: groups.length === 0 ? "nobody is in a group" : groups.map((group) => `${group.name}: ${group.members.join(", ")}`).join("\n").slice(-4000) };
});
