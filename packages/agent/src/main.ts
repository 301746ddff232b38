import { describeError } from "./first-boot/after-error.ts";
import { LogFile } from "./log-file.ts";
import { setConsoleFont } from "./screens/keyboard.ts";
import { logTool } from "./screens/log-view.ts";
import { openTerminals } from "./screens/open-terminals.ts";
import { startBoot } from "./start-boot.ts";
import { startInstalled } from "./start-installed.ts";

const stopped = new AbortController();
process.on("SIGTERM", () => stopped.abort(new Error("the agent was asked to stop")));

const inBoot = process.env["PRESTAGE_ENVIRONMENT"] === "boot";
const logFile = new LogFile();
const terminals = (process.env["PRESTAGE_TERMINALS"] ?? (inBoot ? "/dev/tty0,/dev/ttyS0" : "/dev/console")).split(",");
// Before a terminal is opened: Node asks for its size only then.
if (inBoot) await setConsoleFont();
const screen = openTerminals(terminals);
if (inBoot) screen.addTool(logTool(() => logFile.recent));

try {
  process.exit(await (inBoot ? startBoot : startInstalled)(screen, logFile, stopped.signal));
} catch (cause) {
  if (stopped.signal.aborted) process.exit(0);
  const { code, message, next } = describeError(cause);
  logFile.write(`stopped: ${cause instanceof Error ? (cause.stack ?? message) : message}`);
  screen.error({ code, cause: message, next });
  process.exit(1); // in the installed system the service starts again by itself; in the boot environment init shows its own screen
}
