import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

function conflictTable(conflicts: readonly contract.Conflict[]): string {
  const side = ({ name, state, attributes }: contract.Conflict["first"]) => `${name} (${state}${typeof attributes["serialNumber"] === "string" ? `, ${attributes["serialNumber"]}` : ""})`;
  return table(["ID", "CLAIM", "FIRST", "SECOND", "SEEN", "RESOLVED"], conflicts.map((c) => [c.id, c.claimId.slice(0, 16), side(c.first), side(c.second), c.seen, c.resolution ?? "-"]));
}

export const conflictRoutes = buildRouteMap({
  docs: { brief: "Computers that showed the claim of one disk, a cloned disk: list, resolve" },
  routes: {
    list: command<SiteFlags>({
      brief: "List the conflicts: the first computer was let in, the second waits",
      example: "prestage conflict list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/conflicts", z.array(contract.conflictSchema));
        print(context, flags.json, found, conflictTable(found));
      },
    }),
    resolve: command<SiteFlags & { resolution: "keep-first" | "accept-second" | "refuse-second" }, [string]>({
      brief: "Decide a conflict",
      example: "prestage conflict resolve GUID --resolution refuse-second",
      parameters: {
        flags: {
          ...siteFlags,
          resolution: { kind: "enum", values: ["keep-first", "accept-second", "refuse-second"], brief: "keep-first: the second waits like any other computer; accept-second: it is let in and the first revoked; refuse-second: it is turned away" },
        },
        positional: one("Conflict", "GUID"),
      },
      async run(context, flags, id) {
        const resolved = await (await SiteClient.open(context, flags.data)).call("POST", `/conflicts/${encodeURIComponent(id)}`, contract.conflictSchema, { resolution: flags.resolution });
        print(context, flags.json, resolved, conflictTable([resolved]));
      },
    }),
  },
});
