import { lstat, mkdir, mkdtemp, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { captureUserStateStep } from "@prestage/sequence";
import { AgentError } from "../../error.ts";
import { defineStep } from "../step-executor.ts";
import { localUsers, sha256Of, storePath, unfinishedName, wimName, writeCapturedState } from "./state-store.ts";
import type { CapturedUser } from "./state-store.ts";

/** Copies users' homes into one WIM, an image each; the former capture stays until the new one is whole. */
export const step = defineStep(captureUserStateStep, async (run, { store: named, users, exclude }) => {
  const { dataRoot, signal } = run.context;
  const store = await storePath(named);
  const all = localUsers(await readFile(join(dataRoot, "etc/passwd"), "utf8"));
  const missing = users?.filter((name) => !all.some((user) => user.name === name)) ?? [];
  if (missing.length > 0) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected the users ${missing.join(", ")} with a home under /home; found none.`, "Correct the step's users.");
  const captured: CapturedUser[] = [];
  const work = await mkdtemp(join(tmpdir(), "prestage-capture-"));
  // What wimlib makes anybody may read; in a store on a server others may look into the folder.
  const unfinished = join(store, unfinishedName);
  const wim = join(unfinished, wimName);
  try {
    const configuration = join(work, "exclude.ini");
    await writeFile(configuration, `[ExclusionList]\n${exclude.join("\n")}\n`);
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished, { mode: 0o700 });
    const chosen = all.filter((user) => users === undefined || users.includes(user.name));
    for (const [i, user] of chosen.entries()) {
      const home = join(dataRoot, user.home);
      // A link would lead to somebody else's files.
      if (!(await lstat(home).then((status) => status.isDirectory(), () => false))) {
        run.output(`${user.name} has no home ${user.home}`);
        continue;
      }
      run.progress({ label: `Capturing ${user.name}`, done: i, total: chosen.length, unit: "files" });
      const first = captured.length === 0;
      await runProgram("wimlib-imagex", [first ? "capture" : "append", home, wim, user.name, "--unix-data", "--norpfix", "--check", `--config=${configuration}`, ...(first ? ["--compress=fast"] : [])], { signal });
      captured.push({ ...user, image: captured.length + 1 });
    }
    if (captured.length === 0) return { outputTail: "nobody has a home here: nothing was captured" };
    await runProgram("wimlib-imagex", ["verify", wim], { signal });
    const file = await open(wim, "r+");
    try {
      await file.chmod(0o600);
      await file.sync();
    } finally {
      await file.close();
    }
    const [bytes, sha256] = [(await stat(wim)).size, await sha256Of(wim, signal)];
    await rename(wim, join(store, wimName));
    await writeCapturedState(store, { formatVersion: 1, bytes, sha256, users: captured });
    return { outputTail: `captured ${captured.map((user) => user.name).join(", ")}: ${bytes} bytes` };
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(unfinished, { recursive: true, force: true });
  }
});
