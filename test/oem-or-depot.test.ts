import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { debianImage } from "../demo/debian-image.ts";
import { freePort } from "../demo/site-process.ts";

interface Block { language: string; name: string; text: string }

/** The code blocks of a document, in order: language, the word after it, text. */
function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)(?: (\S+))?\n([^]*?)^```$/gm)].map(([, language = "", name = "", text = ""]) => ({ language, name, text }));
}

const work = await mkdtemp(join(tmpdir(), "prestage-depot-"));
await chmod(work, 0o755); // PostgreSQL's own user must reach the site's data
const children: ChildProcess[] = [];
after(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGINT");
    await new Promise((done) => child.once("exit", done));
  }
  await rm(work, { recursive: true, force: true });
});

/** Starts a block as `sh -e` would run it, in the working folder, and calls `onText` with everything it prints. */
function start(block: Block, environment: Record<string, string>, onText: (text: string) => void): ChildProcess {
  const child = spawn("sh", ["-e", "-c", block.name === "" ? block.text : `exec ${block.text}`], { cwd: work, env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", onText);
  return child;
}

async function run(block: Block, environment: Record<string, string>): Promise<string> {
  let output = "";
  const child = start({ ...block, name: "" }, environment, (text) => (output += text));
  const code = await new Promise((done) => child.once("close", done));
  assert.equal(code, 0, `${block.text}\n${output}`);
  return output;
}

/** A running block, and what it prints from now on. */
class Running {
  #text = "";
  #waiting: (() => void) | undefined;

  readonly receive = (text: string): void => {
    this.#text += text;
    this.#waiting?.();
  };

  async waitFor(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text);
      if (match !== null) return match;
      await new Promise<void>((resume) => (this.#waiting = resume));
    }
  }
}

test("every command block of docs/oem-or-depot.md does what the document says, to the deployed computer", { timeout: 30 * 60_000 }, async () => {
  const blocks = blocksOf(await readFile(new URL("../docs/oem-or-depot.md", import.meta.url), "utf8"));
  const bin = join(work, "bin");
  await mkdir(bin);
  await symlink(resolve(import.meta.dirname, "../prestage"), join(bin, "prestage"));
  await symlink(await debianImage(() => undefined), join(work, "debian-12.wim"));
  await mkdir(join(work, "hello"));
  await writeFile(join(work, "hello/hello.txt"), "Hello from the depot\n");
  await writeFile(join(work, "hello/install.sh"), "install -D -m 0644 hello.txt /opt/hello/hello.txt\n");
  const port = await freePort();
  const environment: Record<string, string> = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, PRESTAGE_DATA: join(work, "site"), PRESTAGE_DEPOT_KEY: join(work, "depot/depot-key.pem"), SITE_PORT: String(port), SITE_URL: `https://10.0.2.2:${port}` };
  const computer = new Running();
  let ran = 0;
  for (const block of blocks) {
    if (block.language === "yaml") await writeFile(join(work, block.name), block.text);
    if (block.language !== "sh") continue;
    ran++;
    if (block.name === "serve") {
      const site = new Running();
      start(block, environment, site.receive);
      await site.waitFor(/is ready at/);
    } else if (block.name === "computer") start(block, environment, computer.receive);
    else if (block.name === "approve") {
      const [, code = ""] = await computer.waitFor(/@@prestage screen \{[^\n]*"code":"([A-Z2-7]{6})"/);
      assert.match(await run(block, { ...environment, CODE: code }), new RegExp(code));
    } else if (block.name === "follow") {
      const [, outcome] = await computer.waitFor(/@@prestage (done|error) \{/);
      assert.equal(outcome, "done");
      assert.match(await run(block, environment), /sequence-finished +\S+ +succeeded/);
    } else await run(block, environment);
  }
  assert.equal(ran, 14, "blocks of commands in the document");
});
