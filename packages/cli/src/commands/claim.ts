import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, one, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

function claimTable(claims: readonly contract.Claim[]): string {
  return table(["CLAIM", "DISK", "MEDIA", "USED BY", "USED", "REVOKED"], claims.map((c) => [c.claimId.slice(0, 16), c.diskSerial ?? c.diskGuid, c.mediaId.slice(0, 16), c.usedBy ?? "-", c.usedAt ?? "-", c.revoked ?? "-"]));
}

export const claimRoutes = buildRouteMap({
  docs: { brief: "Claims of staged disks, from the receipts of registered depots: list, revoke" },
  routes: {
    list: command<SiteFlags>({
      brief: "List the claims and the devices that used them",
      example: "prestage claim list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/claims", z.array(contract.claimSchema));
        print(context, flags.json, found, claimTable(found));
      },
    }),
    revoke: command<SiteFlags, [string]>({
      brief: "End a claim for good; the device it let in is refused from its next request on",
      example: "prestage claim revoke 3f9a61c2d07be145",
      parameters: { flags: siteFlags, positional: one("Claim, or how its id begins", "ID") },
      async run(context, flags, id) {
        const client = await SiteClient.open(context, flags.data);
        const { claimId } = byPrefix(await client.call("GET", "/claims", z.array(contract.claimSchema)), (claim) => claim.claimId, id, "claim");
        const revoked = await client.call("POST", `/claims/${claimId}/revoke`, contract.claimSchema);
        print(context, flags.json, revoked, claimTable([revoked]));
      },
    }),
  },
});
