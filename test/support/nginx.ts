import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { request } from "undici";
import { freePort } from "../../demo/site-process.ts";

export interface NginxOptions { /** More directives of the server. */ directives?: string }
/** One request as nginx logged it; `bytes`: of the body; `sent`: with the headers of the answer. */
export interface NginxRequest { path: string; status: number; bytes: number; range: string; sent: number }

const nobody = 65_534;

/** A real nginx that serves a folder as docs/content.md says, its listing off; as nobody where the test runs as root. */
export class Nginx {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(port: number, folder: string, child: ChildProcess) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#process = child;
  }

  static async start(root: string, options: NginxOptions = {}): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), "prestage-nginx-"));
    const port = await freePort();
    await chmod(folder, 0o777);
    await writeFile(join(folder, "nginx.conf"), configuration(root, folder, port, options.directives ?? ""));
    const asNobody = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
    const child = spawn("/usr/sbin/nginx", ["-p", folder, "-e", join(folder, "error.log"), "-c", join(folder, "nginx.conf")], { stdio: ["ignore", "ignore", "pipe"], ...asNobody });
    let said = "";
    child.stderr.on("data", (text: Buffer) => (said += text.toString()));
    const nginx = new Nginx(port, folder, child);
    after(async () => {
      await nginx.kill();
      await rm(folder, { recursive: true, force: true });
    });
    for (;;) {
      if (child.exitCode !== null) throw new Error(`Expected nginx to start; it ended with ${child.exitCode}: ${said}`);
      const ready = await request(`${nginx.url}/ready`).then((answer) => answer.body.dump().then(() => true), () => false);
      if (ready) return nginx;
    }
  }

  /** Gone from one instant to the next, its connections with it. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.killed) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }

  /** Ends it when every request has been answered and logged; returns what it logged of the content. */
  async finish(): Promise<NginxRequest[]> {
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGQUIT");
    await ended;
    const text = await readFile(join(this.#folder, "access.log"), "utf8");
    return text.split("\n").flatMap((line) => {
      const [path, status, bytes, range, sent] = line.split("|");
      return path?.startsWith("/content/") === true ? [{ path, status: Number(status), bytes: Number(bytes), range: range ?? "", sent: Number(sent) }] : [];
    });
  }
}

function configuration(root: string, folder: string, port: number, directives: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `  ${name}_temp_path ${folder}/${name};`).join("\n");
  return `daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
${temporary}
  log_format ranges '$uri|$status|$body_bytes_sent|$http_range|$bytes_sent';
  access_log ${folder}/access.log ranges;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush off;
  server {
    listen 127.0.0.1:${port};
    root ${root};
    autoindex off;
    ${directives}
  }
}
`;
}
