import { stat } from "node:fs/promises";
import { contentUrlsAnswerSchema } from "@prestage/contract";
import { describeDiskDamage, findDiskDamage, readDiskFiles, repairDisk } from "@prestage/staging";
import type { RepairSource } from "@prestage/staging";
import { command, optionalText, siteFlags, text } from "../command.ts";
import type { Context } from "../context.ts";
import { distributionPointSource } from "../distribution-point-source.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, Progress } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { trustedKeyring } from "./trusted-keyring.ts";

/** Checks a staged disk on the shelf whole, without mounting it and without changing anything. @throws CliError PRESTAGE_MEDIA_FILE_DAMAGED */
export async function verifyStagedDisk(context: Context, disk: string, flags: { keyring?: string; data?: string; json?: boolean }): Promise<void> {
  const keyring = await trustedKeyring(flags.keyring, flags.data);
  const found = await readDiskFiles(disk, { ...(keyring && { trustedKeyring: keyring }), signal: context.signal });
  const progress = new Progress(context);
  const damage = await findDiskDamage(found, { signal: context.signal, onProgress: (event) => progress.update("verify", event.done, event.total) });
  progress.end();
  const files = found.esp.size + found.data.size;
  const lines = damage.map((one) => `${one.volume === "esp" ? "ESP:" : ""}/${one.path}: ${describeDiskDamage(one)}`);
  print(context, flags.json, { mediaId: found.mediaId, files, bytes: found.bytes, damaged: damage }, damage.length === 0 ? `${disk}: media ${found.mediaId.slice(0, 16)}, ${counted(files, "file")}, ${bytes(found.bytes)}, all as signed` : lines.join("\n"));
  if (damage.length > 0) throw new CliError("PRESTAGE_MEDIA_FILE_DAMAGED", `Expected every file as signed on ${disk}; found ${damage.length} damaged. Mend it with \`prestage media repair --disk ${disk} --from MEDIA\`.`);
}

export const repair = command<{ disk: string; from: string; keyring?: string; data?: string; json?: boolean }>({
  brief: "Mend a staged disk on the shelf: only what is damaged is written, from the media file or a distribution point",
  example: "prestage media repair --disk /dev/sdb --from media.wim\nprestage media repair --disk /dev/sdb --from https://deploy.example.com:8443",
  parameters: {
    flags: {
      disk: text("The staged disk, or its image file", "DISK"),
      from: text("The media the disk was staged from, or a distribution point's address (its bad chunks alone are fetched; with a site's own, this site's)", "FILE|URL"),
      keyring: optionalText("Trust only a disk signed under this keyring; else the local site's, else the disk's own", "FILE"),
      ...siteFlags,
    },
  },
  async run(context, flags) {
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const progress = new Progress(context);
    const { source, close } = /^https?:\/\//.test(flags.from) ? await fromUrl(context, flags.from, flags.data) : await fromFile(flags.from);
    try {
      const repaired = await repairDisk(flags.disk, source, {
        ...(keyring && { trustedKeyring: keyring }), signal: context.signal, onProgress: (event) => progress.update("verify", event.done, event.total),
        fetch: { onProgress: (event) => progress.update("fetch", event.done, event.total) },
      });
      progress.end();
      const lines = repaired.map((one) => `${one.volume === "esp" ? "ESP:" : ""}/${one.path}: mended, ${bytes(one.written)} written${one.fetched > 0 ? `, ${bytes(one.fetched)} fetched` : ""} (${one.was})`);
      print(context, flags.json, { disk: flags.disk, repaired }, repaired.length === 0 ? `${flags.disk}: every file is as signed; nothing was changed` : [...lines, `${flags.disk}: read again, all as signed`].join("\n"));
    } finally {
      await close();
    }
  },
});

async function fromFile(path: string): Promise<{ source: RepairSource; close: () => Promise<void> }> {
  if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a media file or the address of a distribution point after --from; found ${JSON.stringify(path)}.`);
  return { source: { kind: "media", path }, close: () => Promise.resolve() };
}

/** A site's own distribution point wants signed addresses, which the site gives to its administrator; a static one wants none. */
async function fromUrl(context: Context, url: string, data: string | undefined): Promise<{ source: RepairSource; close: () => Promise<void> }> {
  const site = await SiteClient.open(context, data).catch(() => undefined); // none here: a static distribution point needs none
  const queries = new Map<string, Record<string, string>>();
  const query = async (contentId: string, file: string): Promise<string | undefined> => {
    if (site === undefined) return undefined;
    if (!queries.has(contentId)) queries.set(contentId, (await site.call("POST", "/content-urls", contentUrlsAnswerSchema, { contentIds: [contentId] })).queries[contentId] ?? {});
    return queries.get(contentId)?.[file];
  };
  const point = distributionPointSource(url, { ca: site?.ca, query });
  return { source: { kind: "distribution-points", sources: [point] }, close: () => point.close() };
}
