import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { restoreLocalGroupsStep } from "@prestage/sequence";
import { defineStep } from "../step-executor.ts";
import { readLocalGroups } from "./local-groups.ts";
import { localUsers, storePath } from "./state-store.ts";

/** groupadd(8): the number is taken. */
const numberTaken = 4;

/** Puts users back into their groups; who is no user here is left out. */
export const step = defineStep(restoreLocalGroupsStep, async (run, { store: named, groups: chosen, createGroups }) => {
  const { dataRoot, signal } = run.context;
  const place = dataRoot === "/" ? [] : ["--prefix", dataRoot];
  const groups = (await readLocalGroups(await storePath(named))).filter((group) => chosen?.includes(group.name) ?? true);
  const users = new Set(localUsers(await readFile(join(dataRoot, "etc/passwd"), "utf8")).map((user) => user.name));
  const done: string[] = [];
  for (const group of groups) {
    const known = (await groupNames(dataRoot)).has(group.name);
    if (!known && !createGroups) {
      run.output(`${group.name} is no group here: left out`);
      continue;
    }
    if (!known) {
      // The number of a system's own group may be another's here.
      const own = group.gid >= 1000 ? ["--gid", String(group.gid)] : ["--system"];
      const { exitCode } = await runProgram("groupadd", [...place, ...own, group.name], { accept: [0, numberTaken], signal });
      if (exitCode === numberTaken) await runProgram("groupadd", [...place, group.name], { signal });
      run.output(`made the group ${group.name}`);
    }
    for (const member of group.members) {
      if (users.has(member)) await runProgram("usermod", [...place, "--append", "--groups", group.name, member], { signal });
      else run.output(`${member} is no user here: left out of ${group.name}`);
    }
    done.push(`${group.name}: ${group.members.filter((member) => users.has(member)).join(", ")}`);
  }
  return { outputTail: done.join("\n").slice(-4000) || "nobody is in a group" };
});

async function groupNames(dataRoot: string): Promise<Set<string>> {
  return new Set((await readFile(join(dataRoot, "etc/group"), "utf8")).split("\n").map((line) => line.split(":")[0] ?? ""));
}
