import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "./program.ts";

const commandLine = fileURLToPath(new URL("../packages/cli/src/main.ts", import.meta.url));

/** What the demonstration was given in its environment is for it alone, not for the programs it runs. */
const withoutDemoSecrets = { PRESTAGE_DEMO_PASSWORD: undefined, PRESTAGE_DEMO_SECRET: undefined };

/** The address a guest of QEMU's user network reaches this machine's loopback by. */
export const hostFromGuest = "10.0.2.2";

/** A site in a process of its own, used through the command line as an administrator would. */
export class SiteProcess {
  readonly dataDirectory: string;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  private constructor(dataDirectory: string, port: number, child: ChildProcess, exited: Promise<number | null>) {
    this.dataDirectory = dataDirectory;
    this.port = port;
    this.#child = child;
    this.#exited = exited;
  }

  /** The URL under which a virtual machine reaches the site. */
  get guestUrl(): string {
    return `https://${hostFromGuest}:${this.port}`;
  }

  static async start(dataDirectory: string, options: { siteCode?: string; port?: number; patches?: boolean; signal?: AbortSignal | undefined } = {}): Promise<SiteProcess> {
    await mkdir(join(dataDirectory, "logs"), { recursive: true });
    const port = options.port ?? (await freePort());
    const log = await open(join(dataDirectory, "logs", "serve.log"), "a");
    const args = [commandLine, "serve", "--json", "--data", dataDirectory, "--site-code", options.siteCode ?? "DEM", "--host", "127.0.0.1", "--port", String(port), "--public-url", `https://${hostFromGuest}:${port}`, ...(options.patches === false ? ["--no-patches"] : [])];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", log.fd], env: { ...process.env, ...withoutDemoSecrets } });
    const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
    const ready = new Promise<void>((resolve) => child.stdout?.on("data", (text: Buffer) => text.includes("dataDirectory") && resolve()));
    const outcome = await Promise.race([ready.then(() => "ready" as const), exited]);
    await log.close();
    if (outcome !== "ready") throw new Error(`Expected the site to start; it ended with ${outcome}. See ${dataDirectory}/logs/serve.log`);
    return new SiteProcess(dataDirectory, port, child, exited);
  }

  /** Runs `prestage ARGS --json` against this site and returns what it printed. A secret goes by standard input, never by an argument. */
  async run<T = unknown>(args: readonly string[], onLine?: (line: string) => void, input?: string): Promise<T> {
    const output = await runProgram(process.execPath, [commandLine, ...args, "--data", this.dataDirectory, "--json"], { env: withoutDemoSecrets, ...(onLine && { onLine }), ...(input !== undefined && { input }) }).catch((cause: unknown) => {
      throw cause instanceof Error ? new Error(`prestage ${args.slice(0, 3).join(" ")}: ${cause.message}`, { cause }) : cause;
    });
    return JSON.parse(output) as T;
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exited;
  }

  /** Ends the server at once, as a power failure would; its PostgreSQL goes with it. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("Expected a free port; found none.");
  return address.port;
}
