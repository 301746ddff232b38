import { readFile } from "node:fs/promises";
import { createReadStream } from "node:fs";
import type { Context } from "./context.ts";
import { CliError } from "./error.ts";

const longestSecret = 64 * 1024;

/**
 * Lines that must not stand on a command line, where every user of the machine can read them: typed on a terminal without echo,
 * each after its prompt, else read from standard input, one a line.
 * @throws CliError PRESTAGE_CLI_NO_SECRET
 */
export async function readSecretLines(context: Context, prompts: readonly string[], fd?: number): Promise<string[]> {
  const { stdin } = context.process;
  if (fd === undefined && stdin.isTTY) {
    const typed: string[] = [];
    for (const prompt of prompts) typed.push(await typeSecret(context, prompt));
    return typed;
  }
  const stream = fd === undefined ? stdin : createReadStream("", { fd });
  let text = "";
  for await (const part of stream as AsyncIterable<Buffer | string>) {
    text += part.toString();
    if (text.length > longestSecret) throw noSecret(`at most ${longestSecret} characters`, "more");
  }
  const lines = text.split(/\r?\n/);
  return prompts.map((prompt, i) => {
    const line = lines[i] ?? "";
    if (line === "") throw noSecret(`${prompt}, in line ${i + 1} of ${fd === undefined ? "standard input" : `file descriptor ${fd}`}`, "none");
    return line;
  });
}

/** A new password, typed twice on a terminal. @throws CliError PRESTAGE_CLI_NO_SECRET */
export async function readNewPassword(context: Context, fd?: number): Promise<string> {
  const twice = fd === undefined && context.process.stdin.isTTY;
  const [first = "", second = first] = await readSecretLines(context, twice ? ["Password of the media", "The same again"] : ["the password of the media"], fd);
  if (first !== second) throw noSecret("the same password twice", "two different ones");
  return first;
}

/** `NAME=VALUE` lines of a file only its owner should be able to read; `#` begins a comment. */
export async function readSecretFile(path: string): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const line of (await readFile(path, "utf8")).split(/\r?\n/)) {
    const [, name, value] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.+)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name.toLowerCase(), value);
  }
  return values;
}

/** One line from the terminal, without echo. */
async function typeSecret(context: Context, prompt: string): Promise<string> {
  const { stdin, stderr } = context.process;
  stderr.write(`${prompt}: `);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8").resume();
  let typed = "";
  try {
    for await (const [text] of events(stdin, context.signal)) {
      for (const character of text) {
        if (character === "\r" || character === "\n") {
          if (typed !== "") return typed;
        } else if (character === "\u0003" || character === "\u0004") throw noSecret("what was asked for", "an interruption");
        else if (character === "\u007f" || character === "\b") typed = Array.from(typed).slice(0, -1).join("");
        else if (character === "\u0015") typed = "";
        else if (character >= " ") typed += character;
      }
    }
    throw noSecret("what was asked for", "the end of the input");
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}

async function* events(stdin: NodeJS.ReadStream, signal: AbortSignal): AsyncGenerator<[string]> {
  while (!signal.aborted) {
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    const onData = (text: string) => resolve(text);
    const onEnd = () => resolve(undefined);
    const onAbort = () => reject(new Error("interrupted"));
    stdin.once("data", onData).once("end", onEnd);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const text = await promise;
      if (text === undefined) return;
      yield [text];
    } finally {
      stdin.off("data", onData).off("end", onEnd);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

function noSecret(expected: string, found: string): CliError {
  return new CliError("PRESTAGE_CLI_NO_SECRET", `Expected ${expected}; found ${found}. Type it when asked, or give it on standard input; never as an argument.`);
}
