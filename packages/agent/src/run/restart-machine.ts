import { runProgram, switchBoot, unmount } from "@prestage/disk";
import type { RunEnvironment } from "@prestage/sequence";
import { runCommand } from "../run-command.ts";
import { flushVolume, restartWindowsNow } from "../windows/installed-windows.ts";
import { hasWindows } from "../windows/write-answers.ts";
import type { RunContext } from "./run-context.ts";

/** How long the last messages may take before a restart; what is left stays in the spool. */
const flushMs = 10_000;

/**
 * Everything before a restart, in the order that survives a power cut: messages, a clean unmount of the data volume (GRUB does not replay
 * its journal), and last of all the boot switch. In the boot environment the restart itself is init's, when the agent has ended. On Windows, where no screen is
 * ours, `notice` is what Windows tells people before it restarts.
 */
export async function restartMachine(context: RunContext, to: RunEnvironment, notice?: { text: string; seconds: number }): Promise<void> {
  const { environment, dataRoot, espRoot, disk, status, screen, log, makeEspWritable } = context;
  screen.message({ screen: "restart", title: (texts) => texts.restarting, lines: [(texts) => (to === "installed" ? texts.restartToInstalled : texts.restartToBoot)] });
  await context.beforeLeaving?.();
  await status.flush(flushMs);
  status.stop();
  log(`restarting to ${to}`);
  process.chdir("/");
  if (environment === "boot") {
    const windows = to === "installed" && (await hasWindows(dataRoot));
    await leaveVolume(dataRoot, log);
    if (to === "installed") await setSwitch(windows ? { boot: "windows" } : { boot: "installed", rootUuid: disk.dataFileSystemUuid });
    await unmount(espRoot).catch((cause: unknown) => log(`the ESP stays mounted: ${String(cause)}`));
    return;
  }
  const onWindows = process.platform === "win32";
  if (onWindows) flushVolume(dataRoot);
  else await runCommand("sync", []);
  if (to === "environment") await setSwitch({ boot: "environment" });
  const { code, output } = onWindows ? await restartWindowsNow(notice) : await runCommand("systemctl", ["reboot"]);
  if (code !== 0) throw new Error(`${onWindows ? "shutdown /r" : "systemctl reboot"} ended with ${code}: ${output}`);

  async function setSwitch(state: Parameters<typeof switchBoot>[1]): Promise<void> {
    await makeEspWritable();
    await switchBoot(espRoot, state);
    screen.event("switched", state);
  }
}

/** Unmounts; where something holds the volume, makes it read-only, which leaves the file system as clean. */
async function leaveVolume(dataRoot: string, log: (line: string) => void): Promise<void> {
  await runProgram("sync", ["-f", dataRoot]);
  try {
    await unmount(dataRoot);
  } catch (cause) {
    log(`the volume is in use: ${String(cause)}`);
    await runProgram("mount", ["-o", "remount,ro", dataRoot]);
  }
}
