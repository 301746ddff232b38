import { rm, stat, writeFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { chunksOfFile, encodeChunkFile, planRefreshFile, refreshFile } from "@prestage/content";
import { verifyMedia } from "@prestage/media";
import { refreshBundle } from "@prestage/staging";
import { command, flag, jsonFlag, one, optionalText, siteFlags, text } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { newerMedia } from "../newer-media.ts";
import { bytes, counted, print, Progress } from "../output.ts";
import { filesSource } from "../files-source.ts";
import { trustedKeyring } from "./trusted-keyring.ts";

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

export const refresh = command<{ from: string; output?: string; dryRun?: boolean; keyring?: string; data?: string; json?: boolean }, [string]>({
  brief: "Bring an older media, or a depot's bundle, up to a newer one, byte for byte, fetching only what changed",
  example: "prestage media refresh media-1.wim --from https://files.example.com/media-2.wim -o media-2.wim\nprestage media refresh bundle-1 --from https://files.example.com/bundle-2 -o bundle-2\nprestage media refresh media-1.wim --from https://files.example.com/media-2.wim --dry-run",
  parameters: {
    aliases: { o: "output" },
    flags: {
      from: text("The newer media, at a web server or as a file, with its .chunks beside it (`prestage media chunks`); or the newer bundle", "URL|FILE"),
      output: optionalText("File to write; of a bundle, the folder to make", "FILE"),
      dryRun: flag("Only say what would be fetched, boot environment and all; of a media, not of a bundle"),
      keyring: optionalText("Trust only a media signed under this keyring; else the local site's, else the media's own", "FILE"),
      ...siteFlags,
    },
    positional: one("The older media, or the older bundle's folder", "OLD"),
  },
  async run(context, flags, old) {
    if (await stat(old).then((status) => status.isDirectory(), () => false)) return refreshFolder(context, { ...flags, output: requireOutput(flags) }, old);
    await requireFile(old);
    if (flags.dryRun === true) return planOnly(context, flags, old);
    const output = resolve(requireOutput(flags));
    if (output === resolve(old)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected another file after -o: the older media is read while the newer one is made. Give it its name afterwards.");
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const { source, list, close } = await newerMedia(context, flags.from);
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

function requireOutput(flags: { output?: string; dryRun?: boolean }): string {
  if (flags.output !== undefined && flags.dryRun !== true) return flags.output;
  throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", flags.dryRun === true ? "Expected a media for --dry-run; found a bundle's folder. What it would fetch is known only when its files are compared." : "Expected -o FILE, the file to write; or --dry-run.");
}

async function planOnly(context: Context, flags: { from: string; json?: boolean }, old: string): Promise<void> {
  const { list, close } = await newerMedia(context, flags.from);
  try {
    const progress = new Progress(context);
    const have = await chunksOfFile(old, { signal: context.signal, onProgress: (event) => progress.update("read", event.done, event.total) });
    progress.end();
    const { reused, toFetch, requests } = planRefreshFile(list, [have]);
    const described = encodeChunkFile(list).length;
    print(context, flags.json, { size: list.size, sha256: list.sha256, reused, toFetch: toFetch + described, requests: requests + 1 }, `${flags.from}: ${bytes(list.size)}; ${bytes(reused)} are here, ${bytes(toFetch + described)} would be fetched in ${counted(requests + 1, "request")}`);
  } finally {
    await close();
  }
}

async function requireFile(path: string): Promise<void> {
  if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a media file; found none at ${path}.`);
}

/** A bundle for a depot without Prestage: media, programs, instructions. */
async function refreshFolder(context: Context, flags: { from: string; output: string; keyring?: string; data?: string; json?: boolean }, old: string): Promise<void> {
  const keyring = await trustedKeyring(flags.keyring, flags.data);
  const source = filesSource(flags.from);
  const progress = new Progress(context);
  try {
    const made = await refreshBundle(old, source, flags.output, { ...(keyring && { trustedKeyring: keyring }), signal: context.signal, onProgress: (event) => progress.update(event.phase, event.done, event.total) });
    progress.end();
    print(context, flags.json, made, `${made.path}: media ${made.mediaId.slice(0, 16)}, ${counted(made.files, "file")}, ${made.kept} as they were, ${bytes(made.fetched)} fetched`);
  } finally {
    await source.close();
  }
}
