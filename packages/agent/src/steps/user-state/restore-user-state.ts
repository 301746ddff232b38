import { lchown, lstat, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { runProgram } from "@prestage/disk";
import { restoreUserStateStep } from "@prestage/sequence";
import { AgentError } from "../../error.ts";
import { defineStep } from "../step-executor.ts";
import type { StepRun } from "../step-executor.ts";
import { mergeKept, removeSpecial } from "./merge-home.ts";
import { localUsers, readCapturedState, sha256Of, storePath, wimName } from "./state-store.ts";
import type { CapturedUser } from "./state-store.ts";

/** Puts captured homes back, each at once. */
export const step = defineStep(restoreUserStateStep, async (run, { store: named, createUsers }) => {
  const { signal } = run.context;
  const store = await storePath(named);
  const state = await readCapturedState(store);
  const wim = join(store, wimName);
  if ((await sha256Of(wim, signal)) !== state.sha256) throw new AgentError("PRESTAGE_AGENT_STATE_STORE_DAMAGED", `Expected ${wim} as it was captured; it has changed since.`, "Capture the users' files again.");
  const done: string[] = [];
  for (const [i, captured] of state.users.entries()) {
    const user = (await findUser(run, captured)) ?? (createUsers ? await makeUser(run, captured) : undefined);
    if (user === undefined) {
      run.output(`${captured.name} is no user here: left out`);
      continue;
    }
    run.progress({ label: `Restoring ${user.name}`, done: i, total: state.users.length, unit: "files" });
    await restoreHome(run, wim, user);
    done.push(user.name);
  }
  await runProgram("sync", ["-f", run.context.dataRoot], { signal });
  return { outputTail: `restored ${done.join(", ") || "nobody"}` };
});

async function findUser({ context }: StepRun, captured: CapturedUser): Promise<CapturedUser | undefined> {
  const found = localUsers(await readFile(join(context.dataRoot, "etc/passwd"), "utf8")).find((user) => user.name === captured.name);
  return found === undefined ? undefined : { ...found, image: captured.image };
}

/** The number it had, where that is free; no password. */
async function makeUser(run: StepRun, captured: CapturedUser): Promise<CapturedUser | undefined> {
  const { dataRoot, signal } = run.context;
  const place = dataRoot === "/" ? [] : ["--prefix", dataRoot];
  const common = [...place, "--no-create-home", "--home-dir", captured.home, "--shell", captured.shell, "--user-group", captured.name];
  // 4: the number is taken (useradd(8)).
  const { exitCode } = await runProgram("useradd", ["--uid", String(captured.uid), ...common], { accept: [0, 4], signal });
  if (exitCode === 4) await runProgram("useradd", common, { signal });
  run.output(`made the user ${captured.name}`);
  return findUser(run, captured);
}

/** The new home is put together beside the old one and takes its place by a rename; a cut between two renames is mended the next time. */
async function restoreHome(run: StepRun, wim: string, user: CapturedUser): Promise<void> {
  const { dataRoot, signal } = run.context;
  const home = join(dataRoot, user.home);
  // What is applied has owners and rights of its own at once: the folder around it keeps everybody out until it is checked.
  const closed = join(dirname(home), `.prestage-restored-${basename(home)}`);
  const made = join(closed, "home");
  const former = join(dirname(home), `.prestage-former-${basename(home)}`);
  await mkdir(dirname(home), { recursive: true, mode: 0o755 });
  if ((await isFolder(former)) && !(await isFolder(home))) await rename(former, home);
  for (const left of [closed, former]) await rm(left, { recursive: true, force: true });
  for (const path of [closed, made]) await mkdir(path, { mode: 0o700 });
  await runProgram("wimlib-imagex", ["apply", wim, String(user.image), made, "--unix-data", "--norpfix"], { signal });
  const leftOut = (path: string) => run.output(`left out of ${user.home}: ${path}, which is no file, folder or link`);
  await removeSpecial(made, leftOut, signal);
  if (await isFolder(home)) await mergeKept(home, made, leftOut, signal);
  await own(made, user, signal);
  await runProgram("sync", ["-f", made], { signal });
  if (await isFolder(home)) await rename(home, former);
  await rename(made, home);
  for (const left of [former, closed]) await rm(left, { recursive: true, force: true });
}

/** A change of owner also takes the right to act as another user from a program. */
async function own(path: string, user: CapturedUser, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await lchown(path, user.uid, user.gid);
  if (await isFolder(path)) for (const name of await readdir(path)) await own(join(path, name), user, signal);
}

function isFolder(path: string): Promise<boolean> {
  return lstat(path).then((status) => status.isDirectory(), () => false);
}
