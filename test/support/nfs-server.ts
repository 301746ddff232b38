import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "@prestage/disk";
import { freePort } from "./file-server.ts";

/** Debian's NFS-Ganesha, a server of NFS 4 outside the kernel, with one export, `/plans`; on a port of the loopback, which a machine reaches at 10.0.2.2. */
export class NfsServer {
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, server: ChildProcess) {
    this.port = port;
    this.#process = server;
  }

  static async start(folder: string): Promise<NfsServer> {
    const port = await freePort();
    const [share, state, configuration] = ["plans", "state", "ganesha.conf"].map((name) => join(folder, name)) as [string, string, string];
    for (const path of [share, state]) await mkdir(path, { recursive: true });
    await writeFile(join(share, "plan"), "the plan\n");
    await writeFile(configuration, `NFS_CORE_PARAM { Protocols = 4; NFS_Port = ${port}; Bind_addr = 127.0.0.1; Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; }
NFSv4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = "${state}"; Only_Numeric_Owners = true; Minor_Versions = 0, 1, 2; }
NFS_KRB5 { Active_krb5 = false; }
EXPORT { Export_Id = 1; Path = "${share}"; Pseudo = "/plans"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP; FSAL { Name = VFS; } }
`);
    const server = new NfsServer(port, spawn("ganesha.nfsd", ["-F", "-f", configuration, "-L", join(state, "log"), "-p", join(state, "pid")], { stdio: "ignore" }));
    const deadline = AbortSignal.timeout(30_000);
    try {
      while ((await runProgram("nfs-cat", [`nfs://127.0.0.1/plans/plan?version=4&nfsport=${port}`], { accept: Array.from({ length: 256 }, (_, code) => code), signal: deadline })).output !== "the plan\n");
    } catch (cause) {
      server.stop();
      throw cause;
    }
    return server;
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }
}
