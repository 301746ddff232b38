import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { runProgram } from "@prestage/disk";
import { connectNetworkFolderStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { mountedPlaces, placeOfFolder } from "./network-folders.ts";
import { defineStep } from "./step-executor.ts";

/** A server that never answers must not hold a deployment. */
const patienceMs = 120_000;

/** Mounts a folder of a file server. The password lies, for the time of the mount, in a file of /run that root alone reads; never in an argument. */
export const step = defineStep(connectNetworkFolderStep, async (run, { path, account, password, readOnly, port, variable }) => {
  const { context } = run;
  const { signal } = context;
  if (context.environment === "boot" && !path.startsWith("//")) throw new AgentError("PRESTAGE_AGENT_STEP_ENVIRONMENT", `Expected a folder by SMB in the boot environment, which mounts no other; found ${path}.`, "Connect to it in the installed system, or have the server offer it by SMB.");
  const place = placeOfFolder(path);
  if ((await mountedPlaces()).get(place) === path) {
    run.setVariable(variable, place);
    return { outputTail: `${path} is mounted already` };
  }
  await mkdir(place, { recursive: true, mode: 0o700 });
  const credentials = `${dirname(place)}/credentials`;
  const smb = path.startsWith("//");
  const common = [readOnly ? "ro" : "rw", "nosuid", "nodev", ...(port === undefined ? [] : [`port=${port}`])];
  try {
    if (account !== undefined && password !== undefined) await writeFile(credentials, credentialsFile(account, run.secrets.value(password)), { mode: 0o600, flag: "w" });
    // nobrl: the server would hold a program's lock against its own other handle, as wimlib has two of a .wim it changes (mount.cifs(8)).
    const options = smb ? [...common, "vers=3", "nobrl", account === undefined ? "guest" : `credentials=${credentials}`] : [...common, "vers=4", "soft", "timeo=100"];
    await runProgram("mount", ["-t", smb ? "cifs" : "nfs4", "-o", options.join(","), path, place], { signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]) });
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof AgentError) throw cause;
    const said = cause instanceof Error ? run.secrets.redact(cause.message.replace(/^[\s\S]* It said: /, "")) : String(cause);
    throw new AgentError("PRESTAGE_AGENT_FOLDER_UNREACHABLE", `Expected to mount ${path}; mount said: ${said}`, `Check the path, the account and the network${context.environment === "boot" ? "" : `, and that ${smb ? "cifs-utils" : "nfs-common"} is installed`}.`, { cause });
  } finally {
    await rm(credentials, { force: true });
  }
  run.setVariable(variable, place);
  run.output(`${path} is at ${place}`);
  return {};
}, { everyStart: true });

/** mount.cifs(8), "credentials". A value of two lines would be a setting of its own. */
export function credentialsFile(account: string, password: string): string {
  if (/[\r\n\0]/.test(account + password)) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected an account and a password of one line each; found more.", "Give the account another password.");
  const [domain, user] = account.includes("\\") ? [account.slice(0, account.indexOf("\\")), account.slice(account.indexOf("\\") + 1)] : [undefined, account];
  return `username=${user}\npassword=${password}\n${domain === undefined ? "" : `domain=${domain}\n`}`;
}
