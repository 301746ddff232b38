import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { administrationPrefix, errorAnswerSchema, jobAnswerSchema, jobSchema } from "@prestage/contract";
import type { Job } from "@prestage/contract";
import { Agent, request } from "undici";
import { z } from "zod";
import type { Context } from "./context.ts";
import { CliError } from "./error.ts";
import { Progress } from "./output.ts";

/** Where a site keeps its data unless told otherwise. */
export function defaultDataDirectory(): string {
  return process.env["PRESTAGE_DATA"] ?? (process.getuid?.() === 0 ? "/var/lib/prestage" : join(homedir(), ".local/share/prestage"));
}

const siteFileSchema = z.object({ url: z.url(), siteCode: z.string(), ca: z.string() });

/** The administration API, reached by the address and token in the site's data directory, or from the environment. */
export class SiteClient {
  /** True where the site's data directory is on this machine: then it can read and write files of this machine itself. */
  readonly local: boolean;
  readonly url: string;
  /** The site's own authority, PEM. */
  readonly ca: string;
  readonly #token: string;
  readonly #agent: Agent;
  readonly #context: Context;

  private constructor(context: Context, site: { url: string; ca: string; token: string; local: boolean }) {
    this.#context = context;
    this.url = site.url;
    this.ca = site.ca;
    this.local = site.local;
    this.#token = site.token;
    this.#agent = new Agent({ connect: { ca: site.ca } });
  }

  /** @throws CliError PRESTAGE_CLI_NO_SITE */
  static async open(context: Context, dataDirectory: string | undefined): Promise<SiteClient> {
    const { PRESTAGE_SITE: url, PRESTAGE_TOKEN: token, PRESTAGE_CA: caFile } = process.env;
    if (dataDirectory === undefined && url !== undefined && token !== undefined && caFile !== undefined) {
      return new SiteClient(context, { url, token, ca: await readFile(caFile, "utf8"), local: false });
    }
    const folder = dataDirectory ?? defaultDataDirectory();
    try {
      const site = siteFileSchema.parse(JSON.parse(await readFile(join(folder, "site.json"), "utf8")));
      return new SiteClient(context, { url: site.url, ca: site.ca, token: (await readFile(join(folder, "admin-token"), "utf8")).trim(), local: true });
    } catch (cause) {
      throw new CliError("PRESTAGE_CLI_NO_SITE", `Expected a site's data in ${folder}; found none that can be read. Start one with \`prestage serve --data ${folder}\`, name it with --data, or set PRESTAGE_SITE, PRESTAGE_TOKEN and PRESTAGE_CA.`, { cause });
    }
  }

  async call<T>(method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE", path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const answer = await request(`${this.url}${administrationPrefix}${path}`, {
      method, dispatcher: this.#agent, signal: this.#context.signal,
      headers: { authorization: `Bearer ${this.#token}`, ...(body !== undefined && { "content-type": "application/json" }) },
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((cause: unknown) => {
      this.#context.signal.throwIfAborted();
      throw new CliError("PRESTAGE_CLI_NO_SITE", `Expected the site at ${this.url} to answer; found: ${cause instanceof Error ? cause.message : String(cause)}. Is \`prestage serve\` running?`, { cause });
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 400) {
      const error = errorAnswerSchema.safeParse(safeJson(text));
      throw new CliError(error.success ? error.data.code : "PRESTAGE_CLI_SITE_REFUSED", error.success ? error.data.message : `The site answered HTTP ${answer.statusCode}.`);
    }
    return schema.parse(text === "" ? undefined : JSON.parse(text));
  }

  /** Starts a job and shows its progress until it ends; Ctrl-C cancels it at the site too. @throws CliError with the job's own code */
  async runJob(path: string, body: unknown): Promise<Job> {
    const { jobId } = await this.call("POST", path, jobAnswerSchema, body);
    const progress = new Progress(this.#context);
    try {
      for (;;) {
        const job = await this.call("GET", `/jobs/${jobId}`, jobSchema);
        if (job.progress !== null) progress.update(job.progress.phase, job.progress.done, job.progress.total);
        if (job.state === "succeeded") return job;
        if (job.state === "failed" || job.state === "cancelled") throw new CliError(job.error?.code ?? "PRESTAGE_CLI_JOB_FAILED", job.error?.message ?? `The job was ${job.state}.`);
        await delay(150, undefined, { signal: this.#context.signal });
      }
    } catch (cause) {
      if (this.#context.signal.aborted) await this.#cancel(jobId);
      throw cause;
    } finally {
      progress.end();
    }
  }

  /** Downloads a file of the API, going on where an earlier attempt broke off; it takes its name when it is whole and right. */
  async download(path: string, output: string, expected: { size: number; sha256: string }): Promise<void> {
    const partial = `${output}.${expected.sha256.slice(0, 16)}.partial`;
    const progress = new Progress(this.#context);
    for (let attempt = 1; ; attempt++) {
      const at = await stat(partial).then((status) => status.size, () => 0);
      if (at >= expected.size) break;
      try {
        await this.#append(path, partial, at, (done) => progress.update("download", done, expected.size));
      } catch (cause) {
        this.#context.signal.throwIfAborted();
        if (cause instanceof CliError || attempt === 10) throw cause;
      }
    }
    progress.end();
    const found = await sha256Of(partial);
    if (found !== expected.sha256) {
      await rm(partial, { force: true });
      throw new CliError("PRESTAGE_CLI_DOWNLOAD_DAMAGED", `Expected ${output} with SHA-256 ${expected.sha256}; ${found} arrived. Try again.`);
    }
    await rename(partial, output);
  }

  async #append(path: string, partial: string, from: number, onDone: (done: number) => void): Promise<void> {
    const answer = await request(`${this.url}${administrationPrefix}${path}`, { dispatcher: this.#agent, signal: this.#context.signal, headers: { authorization: `Bearer ${this.#token}`, range: `bytes=${from}-` } });
    if (answer.statusCode !== 206) throw new CliError("PRESTAGE_CLI_SITE_REFUSED", `The site answered HTTP ${answer.statusCode}.`);
    let at = from;
    const count = new Transform({
      transform(piece: Buffer, _encoding, done) {
        onDone((at += piece.length));
        done(null, piece);
      },
    });
    await pipeline(answer.body, count, createWriteStream(partial, { flags: "a" }));
  }

  async #cancel(jobId: string): Promise<void> {
    await request(`${this.url}${administrationPrefix}/jobs/${jobId}`, { method: "DELETE", dispatcher: this.#agent, headers: { authorization: `Bearer ${this.#token}` } }).catch(() => undefined);
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest("hex");
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
