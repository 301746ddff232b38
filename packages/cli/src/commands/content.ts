import { buildRouteMap } from "@stricli/core";
import { patchRecordSchema } from "@prestage/contract";
import { z } from "zod";
import { command, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { bytes, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

const patchesSchema = z.array(patchRecordSchema);

async function patches(client: SiteClient): Promise<{ found: z.infer<typeof patchesSchema>; text: string }> {
  const found = await client.call("GET", "/patches", patchesSchema);
  const rows = found.map((patch) => [patch.objectId, patch.name, patch.from.slice(0, 16), patch.to.slice(0, 16), patch.bytes === null ? "not made yet" : bytes(patch.bytes)]);
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

export const contentLibraryRoutes = buildRouteMap({
  docs: { brief: "The site's content library" },
  routes: { patches: buildRouteMap({ docs: { brief: "Patches: what a computer fetches instead of a new version, where it holds an old one" }, routes: { list, make } }) },
});
