import { writeFileSync } from "node:fs";
import { Terminal } from "./terminal.ts";
import { TerminalScreen } from "./terminals.ts";

/** Opens the terminals there are; on those that are drawn on, the kernel's messages are kept away. */
export function openTerminals(paths: readonly string[]): TerminalScreen {
  const screen = new TerminalScreen();
  const opened: Terminal[] = [];
  for (const path of paths) {
    const terminal = Terminal.open(path, (text, from) => screen.typed(text, from));
    if (terminal === undefined) continue;
    opened.push(terminal);
    screen.addTerminal(terminal);
  }
  if (opened.some((terminal) => terminal.style !== "lines")) {
    if (process.env["PRESTAGE_ENVIRONMENT"] === "boot") quietKernel();
    process.on("exit", () => {
      for (const terminal of opened) terminal.restore();
    });
  }
  return screen;
}

/** Emergencies only on the console: a panic is still seen. */
function quietKernel(): void {
  try {
    writeFileSync("/proc/sys/kernel/printk", "1 4 1 7");
  } catch {
    // Only the looks of the screen.
  }
}
