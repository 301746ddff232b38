import { stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ContentLibrary, importExport, openExport } from "@prestage/content";
import { openTrustedKeyring } from "@prestage/trust";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, Progress, table } from "../output.ts";
import { defaultDataDirectory, SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";
import { trustedKeyring } from "./trusted-keyring.ts";

const exportedSchema = z.object({ output: z.string(), size: z.int(), versions: z.int(), objects: z.array(z.object({ id: z.string(), name: z.string() })) });

export const exportCommand = command<SiteFlags & { output: string; confidential?: boolean }, string[]>({
  brief: "Write content, with the applications it depends on and its patches, into one signed file for a distribution point or a site without a good link",
  example: "prestage content export ABC00003 ABC00007 -o content.wim",
  parameters: {
    flags: { ...siteFlags, output: { kind: "parsed", parse: String, brief: "File to write, as the site's server sees it", placeholder: "FILE" }, confidential: flag("Also what is confidential: the file is then for a site alone") },
    aliases: { o: "output" },
    positional: { kind: "array", parameter: { parse: String, brief: "Object whose newest revision is exported", placeholder: "ID" }, minimum: 1 },
  },
  async run(context, flags, ...ids) {
    const result = await exportContent(await SiteClient.open(context, flags.data), ids, flags.output, flags.confidential === true);
    print(context, flags.json, result, `${result.output}: ${counted(result.versions, "version")}, ${bytes(result.size)}\n${table(["ID", "NAME"], result.objects.map(({ id, name }) => [id, name]))}`);
  },
});

/** Has the site write content into one signed file. */
export async function exportContent(client: SiteClient, ids: readonly string[], file: string, confidential: boolean): Promise<z.infer<typeof exportedSchema>> {
  const output = resolve(file);
  if (client.local && !(await stat(dirname(output)).then((status) => status.isDirectory(), () => false))) throw new CliError("PRESTAGE_CLI_NO_FOLDER", `Expected a folder ${dirname(output)} to write into; found none. Make it first, or choose another place.`);
  return exportedSchema.parse((await client.runJob("/content/export", { objectIds: ids.map(objectId), output, confidential })).result);
}

const importedSchema = z.object({ siteCode: z.string(), written: z.array(z.string()), bytes: z.int(), objects: z.array(z.object({ id: z.string(), was: z.string(), name: z.string(), revision: z.int() })) });

export const importCommand = command<SiteFlags & { to?: string; trust?: string }, [string]>({
  brief: "Verify a file made by `prestage content export`, every byte of it, and take its content into the site - or into a folder a web server serves",
  example: "prestage content import content.wim --trust /media/usb/keyring.dsse.json\nprestage content import content.wim --to /srv/www/prestage --trust /etc/prestage/keyring.dsse.json",
  parameters: {
    flags: { ...siteFlags, to: optionalText("Folder that is served as a distribution point; no site is needed", "DIR"), trust: optionalText("Keyring of the site it comes from (keys/keyring.dsse.json in its data directory); else that of the site here", "KEYRING") },
    positional: one("The file, as the site's server sees it", "FILE"),
  },
  async run(context, flags, path) {
    const file = resolve(path);
    if (flags.to !== undefined) return importToFolder(context, file, resolve(flags.to), flags);
    const client = await SiteClient.open(context, flags.data);
    const keyring = flags.trust === undefined ? undefined : await trustedKeyring(flags.trust, undefined);
    const job = await client.runJob("/content/import", { source: file, ...(keyring !== undefined && { keyring: Buffer.from(keyring).toString("base64") }) });
    const result = importedSchema.parse(job.result);
    const rows = result.objects.map(({ id, was, name, revision }) => [id, `${was} of site ${result.siteCode}`, name, String(revision)]);
    print(context, flags.json, result, `${counted(result.written.length, "version")} new here, ${bytes(result.bytes)}\n${table(["ID", "WAS", "NAME", "REVISION"], rows)}`);
  },
});

async function importToFolder(context: Context, file: string, folder: string, flags: { trust?: string; data?: string; json?: boolean }): Promise<void> {
  const keyring = await trustedKeyring(flags.trust, flags.data ?? defaultDataDirectory());
  if (keyring === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected to know which site's content to trust; found no site here. Name its keyring with --trust: keys/keyring.dsse.json in its data directory.");
  const progress = new Progress(context);
  const options = { signal: context.signal, onProgress: (event: { phase: string; done: number; total: number }) => progress.update(event.phase, event.done, event.total) };
  const opened = await openExport(file, openTrustedKeyring(keyring), options);
  try {
    const secret = opened.objects.find((object) => object.confidential === true);
    if (secret !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected nothing confidential in what goes into a folder that is served; ${secret.id} (${secret.name}) is. Import the file into a site, or export without it.`);
    const { written, bytes: size } = await importExport(opened, new ContentLibrary(folder), options);
    progress.end();
    print(context, flags.json, { folder, siteCode: opened.siteCode, versions: opened.versions.size, written, bytes: size }, `${folder}: ${counted(opened.versions.size, "version")}, ${written.length} new, ${bytes(size)} written`);
  } finally {
    await opened.close();
  }
}
