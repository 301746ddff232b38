import { execFileSync, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Why nothing of Windows can be tried here; false where it can. */
export function withoutWine(): string | false {
  for (const program of ["wine", "wixl", "x86_64-w64-mingw32-gcc"]) {
    try {
      execFileSync("which", [program], { stdio: "ignore" });
    } catch {
      return `${program} is not installed`;
    }
  }
  return false;
}

/** A Windows without Windows: Wine in a folder of its own. What it prints goes to a file: Node under Wine cannot write to a pipe of Linux. */
export class Wine {
  readonly drive: string;
  readonly #folder: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(folder: string) {
    this.#folder = folder;
    this.drive = join(folder, "prefix/drive_c");
    this.#environment = { ...process.env, WINEPREFIX: join(folder, "prefix"), WINEARCH: "win64", WINEDEBUG: "-all", WINEDLLOVERRIDES: "mscoree=;mshtml=;winedbg.exe=d" };
  }

  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.run("wineboot", ["-i"], 120);
    await this.run("wine", ["winecfg", "-v", "win10"], 60); // Node refuses older
    await this.stop(); // what set it up does not know services made afterwards
  }

  /** Starts a program that does nothing: Wine ends its services with the last program that is none. */
  keepRunning(node: string): void {
    void this.run("wine", [node, "-e", "setInterval(() => {}, 1000)"], 3600);
  }

  /** Runs a program to its end; what it printed, and its exit code. */
  async run(program: string, given: readonly string[], seconds = 60): Promise<{ code: number; output: string }> {
    const path = join(this.#folder, `output-${process.hrtime.bigint()}`);
    const file = openSync(path, "w");
    try {
      const child = spawn("timeout", [String(seconds), program, ...given], { cwd: "/", env: this.#environment, stdio: ["ignore", file, file] });
      const code = await new Promise<number>((resolve, reject) => child.on("error", reject).on("exit", (exit) => resolve(exit ?? 128)));
      return { code, output: readFileSync(path, "utf8").replaceAll("\r", "") };
    } finally {
      closeSync(file);
      await rm(path, { force: true });
    }
  }

  windows(...given: string[]): Promise<{ code: number; output: string }> {
    return this.run("wine", given);
  }

  /** Ends every program in it, this Wine's own server last. */
  async stop(): Promise<void> {
    await this.run("wineserver", ["-k"], 30);
    await this.run("wineserver", ["-w"], 30);
  }
}
