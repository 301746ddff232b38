import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, flag, one, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

function alertTable(alerts: readonly contract.Alert[]): string {
  const what = (alert: contract.Alert) => (alert.kind === "success-below" ? `${alert.percent} % succeeded, fewer than ${alert.threshold} %` : `${alert.percent} % failed, more than ${alert.threshold} %`);
  const state = (alert: contract.Alert) => (alert.cleared !== null ? `over since ${alert.cleared}` : alert.closed !== null ? `closed ${alert.closed}` : "open");
  return table(["ID", "DEPLOYMENT", "WHAT", "SINCE", "STATE"], alerts.map((alert) => [alert.id, `${alert.taskSequenceName} (${alert.deploymentId})`, what(alert), alert.opened, state(alert)]));
}

export const alertRoutes = buildRouteMap({
  docs: { brief: "Alerts of deployments: list, close" },
  routes: {
    list: command<SiteFlags & { all?: boolean }>({
      brief: "List the alerts that are open: too few computers have succeeded, or too many failed",
      example: "prestage alert list",
      parameters: { flags: { ...siteFlags, all: flag("Those that are over or were closed, too") } },
      async run(context, flags) {
        const alerts = await (await SiteClient.open(context, flags.data)).call("GET", `/alerts${flags.all === true ? "?all=true" : ""}`, z.array(contract.alertSchema));
        print(context, flags.json, alerts, alertTable(alerts));
      },
    }),
    close: command<SiteFlags, [string]>({
      brief: "Close an alert; it comes again only when it has been over meanwhile",
      example: "prestage alert close GUID",
      parameters: { flags: siteFlags, positional: one("Alert", "GUID") },
      async run(context, flags, id) {
        const closed = await (await SiteClient.open(context, flags.data)).call("POST", `/alerts/${encodeURIComponent(id)}/close`, contract.alertSchema);
        print(context, flags.json, closed, alertTable([closed]));
      },
    }),
  },
});
