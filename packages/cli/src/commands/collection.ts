import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, siteFlags, text, texts } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { readSecrets, secretFlags, sendSecrets } from "../secret-flags.ts";
import type { SecretFlags } from "../secret-flags.ts";
import { SiteClient } from "../site-client.ts";
import { variables } from "./variables.ts";

export const collectionRoutes = buildRouteMap({
  docs: { brief: "Collections: create, list" },
  routes: {
    create: command<SiteFlags & SecretFlags & { name: string; member?: readonly string[]; variable?: readonly string[] }>({
      brief: "Make a collection of devices",
      example: "prestage collection create --name Kiosks --member GUID --variable OSDComputerName=KIOSK",
      parameters: { flags: { ...siteFlags, name: text("Name", "NAME"), member: texts("A device in it; may be repeated", "GUID"), variable: texts("A variable of its devices; may be repeated", "NAME=VALUE"), ...secretFlags } },
      async run(context, flags) {
        const body = { name: flags.name, members: flags.member ?? [], variables: variables(flags.variable) };
        const client = await SiteClient.open(context, flags.data);
        const secrets = await readSecrets(context, flags);
        const made = await client.call("POST", "/collections", z.object({ id: z.string() }), body);
        await sendSecrets(client, "collection", made.id, secrets);
        print(context, flags.json, made, made.id);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the collections",
      example: "prestage collection list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/collections", z.array(contract.collectionSchema));
        print(context, flags.json, found, table(["ID", "NAME", "MEMBERS"], found.map((c) => [c.id, c.name, c.builtIn === null ? String(c.members.length) : "by itself"])));
      },
    }),
  },
});
