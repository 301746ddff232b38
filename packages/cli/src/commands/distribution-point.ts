import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, optionalText, siteFlags, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { locationFlags, publishLocation } from "../publish-location.ts";
import type { LocationFlags } from "../publish-location.ts";
import { SiteClient } from "../site-client.ts";
import { redistribute, status, validate } from "./distribution-point-status.ts";

const pointsSchema = z.array(contract.distributionPointSchema);
const url = one("Its URL", "URL");

function targetText({ target }: contract.DistributionPoint): string {
  if (target === undefined) return "-";
  return target.kind === "folder" ? target.path : `s3://${target.bucket}/${target.prefix} at ${target.endpoint}`;
}

function pointTable(points: readonly contract.DistributionPoint[]): string {
  return points.length === 0 ? "(the site itself)" : table(["ORDER", "URL", "PUBLISHED TO"], points.map((point) => [String(point.order), point.url, targetText(point)]));
}

export const distributionPointRoutes = buildRouteMap({
  docs: { brief: "Distribution points: set, remove, list, order, validate, status, redistribute" },
  routes: {
    set: command<SiteFlags & LocationFlags & { order: number; target?: string }, [string]>({
      brief: "Name a distribution point, its place in the order, and where it has its files from",
      example: "prestage distribution-point set https://dp2.example.com --order 2 --target /srv/www/prestage",
      parameters: {
        flags: {
          ...siteFlags, order: { kind: "parsed", parse: wholeNumber, brief: "Lower is tried first", placeholder: "N", default: "1" },
          target: optionalText("What it serves, where the site's server can write it: a folder, or s3://BUCKET/PREFIX; none: not known any more", "DIR|S3|none"), ...locationFlags,
        },
        positional: one("Its URL; content lies below URL/content/", "URL"),
      },
      async run(context, flags, address) {
        const target = flags.target === undefined ? undefined : flags.target === "none" ? null : publishLocation(flags.target, flags);
        const body = { url: address, order: flags.order, ...(target !== undefined && { target }) };
        await (await SiteClient.open(context, flags.data)).call("PUT", "/distribution-points", z.undefined(), body);
        print(context, flags.json, body, `${address} has place ${flags.order}`);
      },
    }),
    remove: command<SiteFlags, [string]>({
      brief: "Stop naming a distribution point; what it serves stays",
      example: "prestage distribution-point remove https://dp2.example.com",
      parameters: { flags: siteFlags, positional: url },
      async run(context, flags, address) {
        await (await SiteClient.open(context, flags.data)).call("DELETE", `/distribution-points?url=${encodeURIComponent(address)}`, z.undefined());
        print(context, flags.json, { removed: address }, `${address} is named no more`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the distribution points in the order computers try them",
      example: "prestage distribution-point list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/distribution-points", pointsSchema);
        print(context, flags.json, found, pointTable(found));
      },
    }),
    order: command<SiteFlags, string[]>({
      brief: "Put distribution points into this order; those not named come after them, as they were",
      example: "prestage distribution-point order https://dp2.example.com https://dp1.example.com",
      parameters: { flags: siteFlags, positional: { kind: "array", parameter: { parse: String, brief: "Its URL", placeholder: "URL" }, minimum: 1 } },
      async run(context, flags, ...urls) {
        const ordered = await (await SiteClient.open(context, flags.data)).call("PUT", "/distribution-points/order", pointsSchema, { urls });
        print(context, flags.json, ordered, pointTable(ordered));
      },
    }),
    validate, status, redistribute,
  },
});
