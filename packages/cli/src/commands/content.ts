import { buildRouteMap } from "@stricli/core";
import { libraryFaultSchema, patchRecordSchema } from "@prestage/contract";
import { z } from "zod";
import { command, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { publish } from "./content-publish.ts";
import { exportCommand, importCommand } from "./content-transfer.ts";

const patchesSchema = z.array(patchRecordSchema);

async function patches(client: SiteClient): Promise<{ found: z.infer<typeof patchesSchema>; text: string }> {
  const found = await client.call("GET", "/patches", patchesSchema);
  const rows = found.map((patch) => [patch.objectId, patch.name, patch.from === patch.to ? "any, by pieces" : patch.from.slice(0, 16), patch.to.slice(0, 16), patch.bytes === null ? "not made yet" : bytes(patch.bytes)]);
  return { found, text: rows.length === 0 ? "No version on a media has been revised: no patches are needed." : table(["ID", "NAME", "FROM", "TO", "SIZE"], rows) };
}

const list = command<SiteFlags>({
  brief: "List the patches from the versions that are on media to the newest ones",
  example: "prestage content patches list",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const { found, text } = await patches(await SiteClient.open(context, flags.data));
    print(context, flags.json, found, text);
  },
});

const make = command<SiteFlags>({
  brief: "Make the patches that are missing now, and wait for them; the site makes them by itself, in the background",
  example: "prestage content patches make",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const client = await SiteClient.open(context, flags.data);
    await client.runJob("/patches", undefined);
    const { found, text } = await patches(client);
    print(context, flags.json, found, text);
  },
});

const validate = command<SiteFlags>({
  brief: "Read every version in the site's library and compare it with what it must be; exit code 1 where anything is damaged",
  example: "prestage content validate",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const job = await (await SiteClient.open(context, flags.data)).runJob("/library/validate", undefined);
    const result = z.object({ versions: z.int(), bytes: z.int(), faults: z.array(libraryFaultSchema) }).parse(job.result);
    const text = result.faults.length === 0 ? `${counted(result.versions, "version")}, ${bytes(result.bytes)}: all as they must be` : table(["CONTENT", "FILE", "FAULT"], result.faults.map((fault) => [fault.contentId.slice(0, 16), fault.file, fault.fault]));
    print(context, flags.json, result, text);
    if (result.faults.length > 0) throw new CliError("PRESTAGE_CLI_LIBRARY_DAMAGED", `Expected a whole library; found ${counted(result.faults.length, "fault")}. Import what is damaged again from its source: a version that is the same takes its place.`);
  },
});

const collect = command<SiteFlags>({
  brief: "Remove from the library the versions no revision and no computer's policy names any more",
  example: "prestage content collect",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const job = await (await SiteClient.open(context, flags.data)).runJob("/library/collect", undefined);
    const result = z.object({ removed: z.array(z.string()), bytes: z.int() }).parse(job.result);
    print(context, flags.json, result, `${counted(result.removed.length, "version")} removed, ${bytes(result.bytes)}`);
  },
});

const share = command<SiteFlags>({
  brief: "Store once what several versions have, of whatever object; the site does it by itself after each import",
  example: "prestage content share",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const job = await (await SiteClient.open(context, flags.data)).runJob("/library/share", undefined);
    const result = z.object({ shared: z.array(z.string()), bytes: z.int(), sharedBytes: z.int() }).parse(job.result);
    print(context, flags.json, result, `${counted(result.shared.length, "version")} stored with a newer one, ${bytes(result.bytes)} less; ${bytes(result.sharedBytes)} shared in all`);
  },
});

export const contentLibraryRoutes = buildRouteMap({
  docs: { brief: "The site's content library: validate, collect, share, publish, export, import, patches" },
  routes: { validate, collect, share, publish, export: exportCommand, import: importCommand, patches: buildRouteMap({ docs: { brief: "Patches: what a computer fetches instead of a new version, where it holds an old one" }, routes: { list, make } }) },
});
