import { spawn } from "node:child_process";
import { variableValue } from "@prestage/sequence";
import type { Variables } from "@prestage/sequence";
import { runCommand } from "../run-command.ts";

/**
 * SMSTSPostAction (features.md F212): a command at the very end, which nobody waits for. In the installed system it is a unit of its own, so
 * that it outlives the agent's service.
 */
export async function startPostAction(variables: Variables, log: (line: string) => void): Promise<void> {
  const command = variableValue(variables, "SMSTSPostAction");
  if (command === undefined) return;
  log("SMSTSPostAction is started");
  const { code } = await runCommand("systemd-run", ["--collect", "--no-block", "--quiet", "sh", "-c", command]);
  if (code === 0) return;
  spawn("sh", ["-c", command], { cwd: "/", detached: true, stdio: "ignore", env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", HOME: "/root" } })
    .on("error", (cause) => log(`SMSTSPostAction could not be started: ${cause.message}`))
    .unref();
}
