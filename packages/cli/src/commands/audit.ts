import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, optionalText, siteFlags, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

export const auditRoutes = buildRouteMap({
  docs: { brief: "The audit: who decided what; nothing is ever removed from it" },
  routes: {
    list: command<SiteFlags & { subject?: string; limit?: number }>({
      brief: "List the newest decisions, oldest first",
      example: "prestage audit list --subject ABC00009 --limit 50",
      parameters: { flags: { ...siteFlags, subject: optionalText("Only those about or by this id", "ID"), limit: { kind: "parsed", parse: wholeNumber, optional: true, brief: "At most this many, up to 5,000", placeholder: "N" } } },
      async run(context, flags) {
        const query = new URLSearchParams({ ...(flags.subject && { subject: flags.subject }), ...(flags.limit !== undefined && { limit: String(flags.limit) }) });
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/audit?${query.toString()}`, z.array(contract.auditRecordSchema));
        print(context, flags.json, found, table(["TIME", "ACTOR", "ACTION", "SUBJECT"], found.map((line) => [line.time, line.actor, line.action, line.subject])));
      },
    }),
  },
});
