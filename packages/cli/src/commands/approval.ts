import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { deviceTable } from "./device.ts";

function decide(decision: "approve" | "refuse", brief: string) {
  return command<SiteFlags & { name?: string }, [string]>({
    brief,
    example: `prestage approval ${decision} K7QX2M`,
    parameters: { flags: { ...siteFlags, name: optionalText("Give the computer this name", "NAME") }, positional: one("The six characters on the computer's screen", "CODE") },
    async run(context, flags, code) {
      const body = { decision, ...(flags.name && { name: flags.name }) };
      const device = await (await SiteClient.open(context, flags.data)).call("POST", `/approvals/${code.toUpperCase()}`, contract.deviceSchema, body);
      print(context, flags.json, device, deviceTable([device]));
    },
  });
}

export const approvalRoutes = buildRouteMap({
  docs: { brief: "Computers waiting for approval: list, approve, refuse" },
  routes: {
    list: command<SiteFlags>({
      brief: "List the computers that wait",
      example: "prestage approval list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/approvals", z.array(contract.deviceSchema));
        print(context, flags.json, found, deviceTable(found));
      },
    }),
    approve: decide("approve", "Let the computer that shows this code in"),
    refuse: decide("refuse", "Turn the computer that shows this code away"),
  },
});
