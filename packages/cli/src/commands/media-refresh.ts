import { openAsBlob } from "node:fs";
import { rm, stat, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { chunksOfFile, encodeChunkFile, openChunkFile, refreshFile } from "@prestage/content";
import type { ContentSource, FileChunks } from "@prestage/content";
import { verifyMedia } from "@prestage/media";
import { Agent, request } from "undici";
import { command, jsonFlag, one, optionalText, siteFlags, text } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { bytes, counted, print, Progress } from "../output.ts";
import { trustedKeyring } from "./trusted-keyring.ts";

/** A list for a media of 5 TB would be longer. */
const mostListBytes = 4 * 1024 ** 3;

export const chunks = command<{ json?: boolean }, [string]>({
  brief: "Write FILE.chunks beside a media: what a depot needs to bring an older media up to it, fetching only what changed",
  example: "prestage media chunks media-2.wim",
  parameters: { flags: { ...jsonFlag }, positional: one("Media", "FILE") },
  async run(context, flags, path) {
    await requireFile(path);
    const progress = new Progress(context);
    const found = await chunksOfFile(path, { signal: context.signal, onProgress: (event) => progress.update("chunks", event.done, event.total) });
    progress.end();
    const list = encodeChunkFile(found);
    await writeFile(`${path}.chunks`, list);
    print(context, flags.json, { file: `${path}.chunks`, size: found.size, sha256: found.sha256, bytes: list.length }, `${path}.chunks: ${bytes(list.length)} for ${bytes(found.size)}. Publish both on any web server with ranges.`);
  },
});

export const refresh = command<{ from: string; output: string; keyring?: string; data?: string; json?: boolean }, [string]>({
  brief: "Bring an older media up to a newer one, byte for byte, fetching only what changed",
  example: "prestage media refresh media-1.wim --from https://files.example.com/media-2.wim -o media-2.wim",
  parameters: {
    aliases: { o: "output" },
    flags: {
      from: text("The newer media, at a web server or as a file, with its .chunks beside it (`prestage media chunks`)", "URL|FILE"),
      output: text("File to write", "FILE"),
      keyring: optionalText("Trust only a media signed under this keyring; else the local site's, else the media's own", "FILE"),
      ...siteFlags,
    },
    positional: one("The older media", "OLD"),
  },
  async run(context, flags, old) {
    await requireFile(old);
    const output = resolve(flags.output);
    if (output === resolve(old)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected another file after -o: the older media is read while the newer one is made. Give it its name afterwards.");
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const { source, list, close } = /^https?:\/\//.test(flags.from) ? await overHttp(context, flags.from) : await fromFile(flags.from);
    try {
      const progress = new Progress(context);
      const have = await chunksOfFile(old, { signal: context.signal, onProgress: (event) => progress.update("read", event.done, event.total) });
      const result = await refreshFile(list, [{ path: old, chunks: have }], source, basename(flags.from), output, { signal: context.signal, onProgress: (event) => progress.update("fetch", event.done, event.total) });
      // What is not whole, or not signed by who is trusted, keeps no name a person would take for a media's.
      const verified = await verifyMedia(output, { ...(keyring && { trustedKeyring: keyring }), signal: context.signal, onProgress: (event) => progress.update("verify", event.done, event.total) }).catch(async (cause: unknown) => {
        await rm(output, { force: true });
        throw cause;
      });
      progress.end();
      if (verified.findings.length > 0) await rm(output, { force: true });
      if (verified.findings.length > 0) throw new CliError("PRESTAGE_MEDIA_FILE_DAMAGED", `Expected a whole media at ${flags.from}; found ${counted(verified.findings.length, "fault")}: ${verified.findings[0]?.message ?? ""}`);
      await writeFile(`${output}.sha256`, `${list.sha256}  ${basename(output)}\n`);
      const fetched = result.fetched + encodeChunkFile(list).length;
      print(context, flags.json, { mediaId: verified.media.mediaId, file: output, size: list.size, sha256: list.sha256, reused: result.reused, fetched }, `${output}: media ${verified.media.mediaId.slice(0, 16)}, ${bytes(list.size)}, all as signed; ${bytes(result.reused)} were here, ${bytes(fetched)} fetched`);
    } finally {
      await close();
    }
  },
});

interface Newer { source: ContentSource; list: FileChunks; close: () => Promise<void> }

async function fromFile(path: string): Promise<Newer> {
  const list = openChunkFile(await readInputFile(`${path}.chunks`, "the newer media's list of chunks"));
  const blob = await openAsBlob(path);
  const source: ContentSource = { name: path, open: async (_id, _name, { start, end }) => blob.slice(start, end).stream() };
  return { source, list, close: () => Promise.resolve() };
}

async function overHttp(context: Context, url: string): Promise<Newer> {
  const agent = new Agent({ connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000 });
  const ask = async (address: string, range: Record<string, string>, signal: AbortSignal) => {
    const answer = await request(address, { dispatcher: agent, headers: range, signal });
    const expected = "range" in range ? 206 : 200;
    if (answer.statusCode === expected) return answer.body;
    await answer.body.dump();
    throw new Error(answer.statusCode === 200 ? "the server sends whole files only; one with ranges is needed" : `HTTP ${answer.statusCode}`);
  };
  try {
    const parts: Buffer[] = [];
    let size = 0;
    const list = new URL(url);
    list.pathname += ".chunks";
    for await (const part of (await ask(list.href, {}, context.signal)) as AsyncIterable<Buffer>) {
      if ((size += part.length) > mostListBytes) throw new Error(`more than ${mostListBytes} bytes`);
      parts.push(part);
    }
    const source: ContentSource = { name: url, open: (_id, _name, { start, end }, signal) => ask(url, { range: `bytes=${start}-${end === undefined ? "" : end - 1}` }, signal) };
    return { source, list: openChunkFile(Buffer.concat(parts)), close: () => agent.close() };
  } catch (cause) {
    await agent.close();
    if (cause instanceof Error && "code" in cause && String(cause.code).startsWith("PRESTAGE_")) throw cause;
    throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a list of chunks at ${url}.chunks; found: ${cause instanceof Error ? cause.message : String(cause)}. Make it with \`prestage media chunks\` and publish it beside the media.`, { cause });
  }
}

async function requireFile(path: string): Promise<void> {
  if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a media file; found none at ${path}.`);
}
