import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { mediaRecordSchema } from "@prestage/contract";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, one, optionalText, siteFlags, text } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { requireFolderOf } from "../input-file.ts";
import { bytes, counted, print } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { downloadMedia } from "./media-download.ts";

export const rebuild = command<SiteFlags & { version?: string; comment?: string; validTo?: string; output: string }, [string]>({
  brief: "Build a media again with its own options, its password too, and the site's content of now",
  example: "prestage media rebuild 3f9a61c2d07be145 -o media-2.wim",
  parameters: {
    aliases: { o: "output" },
    flags: {
      ...siteFlags,
      version: optionalText("At most 32 characters; else the old one", "TEXT"),
      comment: optionalText("At most 127 characters; else the old one", "TEXT"),
      validTo: optionalText("RFC 3339; else the old end", "TIME"),
      output: text("File to write; FILE.sha256 and FILE.txt beside it", "FILE"),
    },
    positional: one("The older media, or how its id begins", "ID"),
  },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const output = resolve(flags.output);
    if (await access(output).then(() => true, () => false)) throw new CliError("PRESTAGE_MEDIA_OUTPUT_EXISTS", `Expected no file at ${output}; found one. Remove it or choose another name.`);
    await requireFolderOf(output);
    const { mediaId } = byPrefix(await client.call("GET", "/media", z.array(mediaRecordSchema)), (media) => media.mediaId, id, "media");
    const job = await client.runJob(`/media/${mediaId}/rebuild`, { ...(flags.version !== undefined && { version: flags.version }), ...(flags.comment !== undefined && { comment: flags.comment }), ...(flags.validTo && { validTo: flags.validTo }), ...(client.local && { output }) });
    const result = z.object({ mediaId: z.string(), size: z.number(), sha256: z.string(), path: z.string(), contents: z.number() }).parse(job.result);
    if (!client.local) await downloadMedia(client, output, result);
    const same = result.mediaId === mediaId ? "\nNothing has changed: it is the same media" : "";
    print(context, flags.json, { ...result, path: output }, `${output}: ${bytes(result.size)}, ${counted(result.contents, "piece of content", "pieces of content")}\nmedia ${result.mediaId}\nSHA-256 ${result.sha256}${same}`);
  },
});
