import { openChunkFile } from "@prestage/content";
import type { ContentSource, FileChunks } from "@prestage/content";
import type { Context } from "./context.ts";
import { CliError } from "./error.ts";
import { filesSource } from "./files-source.ts";
import { readInputFile } from "./input-file.ts";

/** A list for a media of 5 TB would be longer. */
const mostListBytes = 4 * 1024 ** 3;

/** A media to bring an older one up to, with the list of its chunks. */
export interface NewerMedia { source: ContentSource; list: FileChunks; close: () => Promise<void> }

/** @throws CliError PRESTAGE_CLI_FILE_UNREADABLE, PRESTAGE_CLI_BAD_ARGUMENT, ContentError PRESTAGE_CONTENT_CHUNK_FILE */
export async function newerMedia(context: Context, from: string): Promise<NewerMedia> {
  const files = filesSource(from);
  const source: ContentSource = { name: from, open: (_id, _name, range, signal) => files.open("", "", range, signal) };
  try {
    const list = /^https?:\/\//.test(from) ? await fetchList(context, from) : await readInputFile(`${from}.chunks`, "the newer media's list of chunks");
    return { source, list: openChunkFile(list), close: () => files.close() };
  } catch (cause) {
    await files.close();
    throw cause;
  }
}

async function fetchList(context: Context, from: string): Promise<Buffer> {
  const address = new URL(from);
  address.pathname += ".chunks";
  const list = filesSource(address.href);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of await list.open("", "", { start: 0 }, context.signal)) {
      if ((size += part.length) > mostListBytes) throw new Error(`more than ${mostListBytes} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch (cause) {
    context.signal.throwIfAborted();
    throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a list of chunks at ${from}.chunks; found: ${cause instanceof Error ? cause.message : String(cause)}. Make it with \`prestage media chunks\` and publish it beside the media.`, { cause });
  } finally {
    await list.close();
  }
}
