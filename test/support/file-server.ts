import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";

/** Debian's samba with one share, `drawings`, for one of this computer's accounts; on a port of the loopback, which a machine reaches at 10.0.2.2. */
export class FileServer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, server: ChildProcess) {
    this.port = port;
    this.#process = server;
  }

  static async start(folder: string, account: string, password: string): Promise<FileServer> {
    const port = await freePort();
    const [share, state, configuration, credentials] = ["drawings", "state", "smb.conf", "credentials"].map((name) => join(folder, name)) as [string, string, string, string];
    for (const path of [share, state]) await mkdir(path, { recursive: true });
    await writeFile(join(share, "plan"), "the plan\n");
    const places = ["private dir", "state directory", "cache directory", "lock directory", "pid directory"].map((name) => `${name} = ${state}`).join("\n");
    await writeFile(configuration, `[global]
server role = standalone server
smb ports = ${port}
interfaces = lo
bind interfaces only = yes
passdb backend = tdbsam
${places}
ncalrpc dir = ${state}/ncalrpc
log file = ${state}/log
disable spoolss = yes
load printers = no
server min protocol = SMB3
[drawings]
path = ${share}
read only = no
force user = root
`);
    await runProgram("smbpasswd", ["-c", configuration, "-L", "-s", "-a", account], { input: `${password}\n${password}\n` });
    await writeFile(credentials, `username=${account}\npassword=${password}\n`, { mode: 0o600 });
    const server = new FileServer(port, spawn("smbd", ["--foreground", `--configfile=${configuration}`], { stdio: "ignore" }));
    const deadline = AbortSignal.timeout(20_000);
    while ((await runProgram("smbclient", ["-s", configuration, "-A", credentials, "-p", String(port), "//127.0.0.1/drawings", "-c", "ls plan"], { accept: [0, 1], signal: deadline })).exitCode !== 0);
    return server;
  }

  stop(): void {
    this.#process.kill();
  }
}

/** A port of the loopback that nobody has. */
export function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const address = probe.address();
    probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}
