import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, flag, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

export const statusRoutes = buildRouteMap({
  docs: { brief: "Status messages: list" },
  routes: {
    list: command<SiteFlags & { device?: string; all?: boolean }>({
      brief: "List what devices reported, in order",
      example: "prestage status list --device GUID",
      parameters: { flags: { ...siteFlags, device: optionalText("Only this device", "GUID"), all: flag("Progress messages too") } },
      async run(context, flags) {
        const client = await SiteClient.open(context, flags.data);
        const records: contract.StatusRecord[] = [];
        for (;;) {
          const page = await client.call("GET", `/status?after=${records.at(-1)?.position ?? 0}&limit=1000${flags.device ? `&deviceId=${flags.device}` : ""}`, z.array(contract.statusRecordSchema));
          if (page.length === 0) break;
          records.push(...page);
        }
        const shown = records.filter((record) => flags.all === true || record.message.kind !== "content-fetch-progress");
        const words = (m: contract.StatusMessage) => [m.step?.name, m.group?.name, m.outcome, m.content && `${m.content.name}: ${m.content.state}`, m.error && `${m.error.code}: ${m.error.message}`, m.text].filter(Boolean).join(", ");
        print(context, flags.json, shown, table(["TIME", "KIND", "WHERE", "WHAT"], shown.map(({ message: m }) => [m.time, m.kind, m.environment, words(m)])));
        if (flags.json === true) return;
        const devices = await client.call("GET", "/devices", z.array(contract.deviceSchema));
        for (const { id, name, lastRun } of devices) {
          if (lastRun?.overdue === true && (flags.device === undefined || flags.device === id)) context.process.stdout.write(`overdue: ${name} runs ${lastRun.deploymentId} since ${lastRun.started}, longer than ${lastRun.maximumMinutes} minutes\n`);
        }
      },
    }),
  },
});
