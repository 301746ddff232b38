import { chmod, chown, cp, link, lstat, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { AgentError } from "../error.ts";
import type { Program } from "./run-shell.ts";
import type { StepRun } from "./step-executor.ts";

export interface Account { name: string; uid: number; gid: number; home: string; shell: string }

/** Where a program of another account finds what a step gives it: beside /prestage, of which nothing is opened to that account. */
export interface AccountPlace {
  readonly account: Account;
  /** Only this account and root may enter it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** A copy of a package's verified files, which the account can read and run and cannot change. */
  lendFolder(source: string): Promise<string>;
  /** A text of the sequence as a file. */
  lendText(name: string, text: string): Promise<string>;
  /** A program of the agent's, which lies where the account may not look. */
  lendProgram(source: string, name: string): Promise<string>;
  /** Opens the place to the account: what is lent afterwards is lent too late. */
  open(): Promise<void>;
  /** A command line by `sh -c` as this account, in a folder it may enter. */
  program(command: string, folder: string): Program;
  remove(): Promise<void>;
}

/** Below the installed system's root. */
export const accountPlaces = "var/lib/prestage-accounts";

/**
 * Makes a place for an account; what an interrupted step left there is removed before. Linux needs no password of it: the agent is root.
 * @throws AgentError PRESTAGE_AGENT_STEP_ENVIRONMENT: in the boot environment; PRESTAGE_AGENT_ACCOUNT_UNKNOWN
 */
export async function openAccountPlace(run: StepRun, name: string): Promise<AccountPlace> {
  const { dataRoot, environment } = run.context;
  if (environment === "boot") throw new AgentError("PRESTAGE_AGENT_STEP_ENVIRONMENT", `Expected a step without an account in the boot environment, which has none but root; this one is to run as ${name}.`, "Move the step behind the restart into the installed system.");
  const account = await findAccount(name);
  const parent = join(dataRoot, accountPlaces);
  await removePlace(parent);
  await mkdir(parent, { recursive: true });
  await chmod(parent, 0o711);
  const folder = await mkdtemp(join(parent, "step-"));
  return {
    account, folder,
    environment: { HOME: account.home, USER: account.name, LOGNAME: account.name, SHELL: account.shell },
    lendFolder: async (source) => {
      const target = join(folder, "package");
      await cp(source, target, { recursive: true, verbatimSymlinks: true });
      await makeReadable(target);
      return target;
    },
    lendText: async (file, text) => {
      const path = join(folder, file);
      await writeFile(path, text);
      await chmod(path, 0o644);
      return path;
    },
    lendProgram: async (source, file) => {
      const path = join(folder, file);
      // Another name of the same file where the file system has that; a copy elsewhere.
      await link(source, path).catch(() => cp(source, path));
      return path;
    },
    // Last: until then only root can reach what is being made.
    open: async () => {
      await chown(folder, account.uid, account.gid);
      await chmod(folder, 0o500);
    },
    // The folder is entered as the account: entered as root it could be one that the account may not look into.
    program: (command, workingFolder) => ({
      file: "setpriv", verbatim: false,
      arguments: [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--init-groups", "--inh-caps=-all", "--", "sh", "-c", 'cd -- "$1" && exec sh -c "$2"', "sh", workingFolder, command],
    }),
    remove: () => removePlace(parent),
  };
}

/** rm walks by open folders and follows no link: the account may change what is in its own folder meanwhile, and reaches nothing else by that. */
async function removePlace(parent: string): Promise<void> {
  await runProgram("rm", ["-rf", "--one-file-system", "--", parent]);
}

/** As the system's own name service knows it: accounts of a directory are found as well (getent(1); passwd(5)). */
async function findAccount(name: string): Promise<Account> {
  const { output, exitCode } = await runProgram("getent", ["passwd", "--", name], { accept: [0, 1, 2] });
  const [found = "", , uid = "", gid = "", , home = "", shell = ""] = output.trim().split(":");
  // getent takes a number for a user's id.
  if (exitCode !== 0 || found.toLowerCase() !== name.toLowerCase() || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) {
    throw new AgentError("PRESTAGE_AGENT_ACCOUNT_UNKNOWN", `Expected an account ${name} in the installed system; there is none.`, "Correct the step's account, or make the account in a step before it.");
  }
  return { name: found, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell || "/bin/sh" };
}

/** Readable by everybody who can reach it, which is this account alone; what was a program stays one. */
async function makeReadable(path: string): Promise<void> {
  const status = await lstat(path);
  if (status.isSymbolicLink()) return;
  await chmod(path, status.isDirectory() || (status.mode & 0o111) !== 0 ? 0o755 : 0o644);
  if (status.isDirectory()) for (const name of await readdir(path)) await makeReadable(join(path, name));
}
