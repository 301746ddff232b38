import { spawn } from "node:child_process";
import { variableValue } from "@prestage/sequence";
import type { Variables } from "@prestage/sequence";
import { runCommand } from "../run-command.ts";
import { shellOf } from "../steps/run-shell.ts";

/**
 * SMSTSPostAction (features.md F212): a command at the very end, which nobody waits for. In the installed system it is a unit of its own, so
 * that it outlives the agent's service.
 */
export async function startPostAction(variables: Variables, log: (line: string) => void): Promise<void> {
  const command = variableValue(variables, "SMSTSPostAction");
  if (command === undefined) return;
  log("SMSTSPostAction is started");
  if (process.platform === "win32") {
    const { file, arguments: given } = shellOf("win32", command);
    spawn(file, given, { detached: true, windowsHide: true, windowsVerbatimArguments: true, stdio: "ignore" }).on("error", (cause) => log(`SMSTSPostAction could not be started: ${cause.message}`)).unref();
    return;
  }
  const { code } = await runCommand("systemd-run", unitArguments(command));
  if (code === 0) return;
  spawn("sh", ["-c", command], { cwd: "/", detached: true, stdio: "ignore", env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", HOME: "/root" } })
    .on("error", (cause) => log(`SMSTSPostAction could not be started: ${cause.message}`))
    .unref();
}

/** systemd puts variables of its own into a unit's command, `${X}` anywhere and `$$` for a dollar (systemd.service(5), "Command lines"): a shell is to get it as it was written. */
export function unitArguments(command: string): string[] {
  return ["--collect", "--no-block", "--quiet", "sh", "-c", command.replaceAll("$", "$$$$")];
}
