import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RunningNginx { plain: string; tls: string | undefined; stop(): Promise<void>; processes(): number; /** The most memory its processes held, each at its time, in MiB. */ memory(): number }

/** Debian's nginx over one folder, as docs/content.md has it: sendfile, one worker a processor. With a certificate it listens for TLS too. */
export async function startNginx(root: string, tls?: { certificate: string; key: string }): Promise<RunningNginx> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-nginx-"));
  const [plain, secure] = [await freePort(), await freePort()];
  for (const [name, text] of [["cert.pem", tls?.certificate], ["key.pem", tls?.key]] as const) if (text !== undefined) await writeFile(join(folder, name), text, { mode: 0o600 });
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  const listenTls = tls === undefined ? "" : `listen 127.0.0.1:${secure} ssl; ssl_certificate ${folder}/cert.pem; ssl_certificate_key ${folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;`;
  await writeFile(join(folder, "nginx.conf"), `daemon off; ${process.getuid?.() === 0 ? "user root;" : ""} worker_processes auto; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 512; }
http { ${temporary} access_log ${folder}/access.log; default_type application/octet-stream; sendfile on; keepalive_requests 1000000; server { listen 127.0.0.1:${plain}; ${listenTls} root ${root}; autoindex off; } }
`);
  const child = spawn("/usr/sbin/nginx", ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")], { stdio: "ignore" });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  const ids = () => [child.pid ?? 0, ...readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ").map(Number)];
  const memory = () => ids().reduce((sum, id) => sum + Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0) / 1024, 0);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`Expected nginx to start; it ended with ${child.exitCode}. Install Debian's nginx-light.`);
    if (await fetch(`http://127.0.0.1:${plain}/`).then(() => true, () => false)) return { plain: `http://127.0.0.1:${plain}`, tls: tls && `https://127.0.0.1:${secure}`, stop, memory, processes: () => ids().length };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
