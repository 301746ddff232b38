import { closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join, parse } from "node:path";
import { restartWindows, restartWindowsAfter } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";
import type { RunContext } from "../run/run-context.ts";

/** Exit code that has the service remove what is left of the deployment, and itself; service-host.c knows it too. */
export const removeExitCode = 10;

/** The drive the agent lies on: whatever letter Windows has given its own volume. */
export function windowsRoot(): string {
  return parse(process.argv[1] ?? "").root || "C:\\";
}

/** The service names each start of Windows by a key of the registry that is gone after it. */
export function windowsBootId(): string {
  const id = process.env["PRESTAGE_BOOT_ID"];
  if (id === undefined || id === "") throw new AgentError("PRESTAGE_AGENT_UNEXPECTED", "Expected PRESTAGE_BOOT_ID in the environment; found none.", "The agent is started by its service, prestage-service.exe.");
  return id;
}

/** In Windows a step finds its volume by the paths it names: nothing of it is known by devices. */
export const windowsDisk: RunContext["disk"] = { device: "", espPartition: "", espGuid: "", dataPartition: "", dataGuid: "", dataFileSystemUuid: "", dataFileSystem: "ntfs" };

/** Has everything that was written to a volume reach the disk (FlushFileBuffers on the volume; the service may). Returns whether it could be asked for. */
export function flushVolume(root: string): boolean {
  try {
    const volume = openSync(`\\\\.\\${root.slice(0, 2)}`, "r+");
    try {
      fsyncSync(volume);
    } finally {
      closeSync(volume);
    }
    return true;
  } catch {
    return false;
  }
}

/** Restarts at once, or has Windows tell people and restart then. */
export function restartWindowsNow(notice?: { text: string; seconds: number }): ReturnType<typeof runCommand> {
  const { program, arguments: given } = notice === undefined ? restartWindows : restartWindowsAfter(notice.seconds, notice.text);
  return runCommand(program, given);
}

/** The EFI system partition has no letter in Windows; it gets one for as long as something is done to it (`mountvol DRIVE: /S`, `/D`). */
export class WindowsEsp {
  readonly root: string;
  readonly #drive: string;

  constructor() {
    const letter = "STUVWXYZRQPONMLKJIHGFE".split("").find((one) => !existsSync(`${one}:\\`)) ?? "S";
    this.#drive = `${letter}:`;
    this.root = `${this.#drive}\\`;
  }

  async open(): Promise<void> {
    if (existsSync(join(this.root, "prestage"))) return;
    const { code, output } = await runCommand("mountvol.exe", [this.#drive, "/S"]);
    if (code !== 0 || !existsSync(this.root)) throw new AgentError("PRESTAGE_AGENT_NO_START_PARTITION", `Expected the EFI system partition at ${this.#drive}; mountvol ended with ${code}: ${output.slice(0, 300)}.`, "Restart the computer to try again.");
  }

  async close(): Promise<void> {
    await runCommand("mountvol.exe", [this.#drive, "/D"]);
  }
}

/**
 * What the end of a sequence does to Windows before its service removes /prestage: the boot environment's files go, and the firmware starts Windows'
 * own boot manager again (`bcdboot`), without which BitLocker would measure another loader. What cannot be done is said and stays.
 */
export async function cleanUpWindows(dataRoot: string, log: (line: string) => void, esp = new WindowsEsp()): Promise<void> {
  const systemRoot = process.env["SystemRoot"] ?? join(dataRoot, "Windows");
  const { code, output } = await runCommand("bcdboot.exe", [systemRoot]);
  if (code !== 0) log(`bcdboot ended with ${code}: ${output.slice(0, 300)}; the computer starts by the deployment's boot loader`);
  try {
    await esp.open();
    for (const name of ["vmlinuz", "initrd"]) await rm(join(esp.root, "prestage", name), { force: true });
    await esp.close();
  } catch (cause) {
    log(`the boot environment stays on the EFI system partition: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  // Drivers and updates laid there for the first start.
  const staged = join(systemRoot, "Prestage");
  if (await stat(staged).then(() => true, () => false)) await rm(staged, { recursive: true, force: true });
}
