import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, siteFlags, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

export const distributionPointRoutes = buildRouteMap({
  docs: { brief: "Distribution points: set, remove, list" },
  routes: {
    set: command<SiteFlags & { order: number }, [string]>({
      brief: "Name a distribution point and its place in the order",
      example: "prestage distribution-point set https://dp2.example.com --order 2",
      parameters: { flags: { ...siteFlags, order: { kind: "parsed", parse: wholeNumber, brief: "Lower is tried first", placeholder: "N", default: "1" } }, positional: one("Its URL; content lies below URL/content/", "URL") },
      async run(context, flags, url) {
        await (await SiteClient.open(context, flags.data)).call("PUT", "/distribution-points", z.undefined(), { url, order: flags.order });
        print(context, flags.json, { url, order: flags.order }, `${url} has place ${flags.order}`);
      },
    }),
    remove: command<SiteFlags, [string]>({
      brief: "Stop naming a distribution point",
      example: "prestage distribution-point remove https://dp2.example.com",
      parameters: { flags: siteFlags, positional: one("Its URL", "URL") },
      async run(context, flags, url) {
        await (await SiteClient.open(context, flags.data)).call("DELETE", `/distribution-points?url=${encodeURIComponent(url)}`, z.undefined());
        print(context, flags.json, { removed: url }, `${url} is named no more`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the distribution points",
      example: "prestage distribution-point list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/distribution-points", z.array(contract.distributionPointSchema));
        print(context, flags.json, found, found.length === 0 ? "(the site itself)" : table(["ORDER", "URL"], found.map((p) => [String(p.order), p.url])));
      },
    }),
  },
});
