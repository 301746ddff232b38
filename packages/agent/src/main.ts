import { LogFile } from "./log-file.ts";
import { logTool } from "./screens/log-view.ts";
import { openTerminals } from "./screens/open-terminals.ts";
import { startBoot } from "./start-boot.ts";
import { startInstalled } from "./start-installed.ts";

const stopped = new AbortController();
process.on("SIGTERM", () => stopped.abort(new Error("the agent was asked to stop")));

const inBoot = process.env["PRESTAGE_ENVIRONMENT"] === "boot";
const logFile = new LogFile();
const terminals = (process.env["PRESTAGE_TERMINALS"] ?? (inBoot ? "/dev/tty0,/dev/ttyS0" : "/dev/console")).split(",");
const screen = openTerminals(terminals);
if (inBoot) screen.addTool(logTool(() => logFile.recent));

try {
  process.exit(await (inBoot ? startBoot : startInstalled)(screen, logFile, stopped.signal));
} catch (cause) {
  const error = cause instanceof Error ? cause : new Error(String(cause));
  logFile.write(`stopped: ${error.stack ?? error.message}`);
  if (stopped.signal.aborted) process.exit(0);
  const code = "code" in error && typeof error.code === "string" ? error.code : "PRESTAGE_AGENT_UNEXPECTED";
  const next = "next" in error && typeof error.next === "string" ? error.next : "Give this screen to the administrator of the site.";
  screen.error({ code, cause: error.message, next: inBoot ? `${next} Press a key to power off.` : next });
  if (!inBoot) process.exit(1); // the service starts again by itself
  await screen.anyKey(stopped.signal);
  process.exit(7);
}
