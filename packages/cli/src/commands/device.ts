import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, optionalText, siteFlags, text, texts } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { readSecrets, secretFlags, sendSecrets } from "../secret-flags.ts";
import type { SecretFlags } from "../secret-flags.ts";
import { SiteClient } from "../site-client.ts";
import { affinityRoutes } from "./affinity.ts";
import { variables } from "./variables.ts";

/** Devices as lists show them. */
export function deviceTable(devices: readonly contract.Device[]): string {
  return table(
    ["ID", "NAME", "STATE", "BY", "CODE", "LAST SEEN", "LAST STATUS"],
    devices.map((d) => [d.id, d.name, d.conflictId === null ? d.state : `${d.state}, in conflict`, d.proof ?? "-", d.approvalCode ?? "-", d.lastSeen ?? "-", lastStatusText(d)]),
  );
}

function lastStatusText({ lastStatus, lastRun }: contract.Device): string {
  if (lastStatus === null) return "-";
  return `${lastStatus.kind}${lastStatus.step ? ` (${lastStatus.step.name})` : ""}${lastRun?.overdue === true ? `, overdue: longer than ${lastRun.maximumMinutes} minutes` : ""}`;
}

export const deviceRoutes = buildRouteMap({
  docs: { brief: "Devices: add, set, show, list, revoke; their users" },
  routes: {
    affinity: affinityRoutes,
    add: command<SiteFlags & SecretFlags & { name: string; smbiosUuid?: string; serialNumber?: string; macAddress?: string; replaces?: string; variable?: readonly string[] }>({
      brief: "Make a record for a computer that is expected",
      example: "prestage device add --name PC-17 --serial-number 5CG1234567",
      parameters: {
        flags: {
          ...siteFlags, name: text("Computer name", "NAME"), smbiosUuid: optionalText("Its SMBIOS UUID", "UUID"), serialNumber: optionalText("Its serial number", "SERIAL"), macAddress: optionalText("A MAC address of it", "MAC"),
          replaces: optionalText("The device whose place it takes", "GUID"), variable: texts("A variable of this device; may be repeated", "NAME=VALUE"), ...secretFlags,
        },
      },
      async run(context, flags) {
        const body = {
          name: flags.name, variables: variables(flags.variable), ...(flags.smbiosUuid && { smbiosUuid: flags.smbiosUuid }), ...(flags.serialNumber && { serialNumber: flags.serialNumber }),
          ...(flags.macAddress && { macAddress: flags.macAddress.toLowerCase() }), ...(flags.replaces && { replaces: flags.replaces }),
        };
        const client = await SiteClient.open(context, flags.data);
        const secrets = await readSecrets(context, flags);
        const { id } = await client.call("POST", "/devices", contract.deviceSchema, body);
        await sendSecrets(client, "device", id, secrets);
        const made = await client.call("GET", `/devices/${id}`, contract.deviceSchema);
        print(context, flags.json, made, deviceTable([made]));
      },
    }),
    set: command<SiteFlags & SecretFlags & { name?: string; replaces?: string; variable?: readonly string[] }, [string]>({
      brief: "Change a device's name, the device it replaces, or its variables",
      example: "prestage device set GUID --variable OSDComputerName=PC-17",
      parameters: { flags: { ...siteFlags, name: optionalText("Computer name", "NAME"), replaces: optionalText("The device whose place it takes", "GUID"), variable: texts("A variable of this device; may be repeated", "NAME=VALUE"), ...secretFlags }, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const body = { ...(flags.name && { name: flags.name }), ...(flags.replaces && { replaces: flags.replaces }), ...(flags.variable && { variables: variables(flags.variable) }) };
        const client = await SiteClient.open(context, flags.data);
        await sendSecrets(client, "device", id, await readSecrets(context, flags));
        const changed = await client.call("PATCH", `/devices/${id}`, contract.deviceSchema, body);
        print(context, flags.json, changed, deviceTable([changed]));
      },
    }),
    revoke: command<SiteFlags, [string]>({
      brief: "End a device's enrolment for good; it is refused from its next request on",
      example: "prestage device revoke GUID",
      parameters: { flags: siteFlags, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const revoked = await (await SiteClient.open(context, flags.data)).call("POST", `/devices/${encodeURIComponent(id)}/revoke`, contract.deviceSchema);
        print(context, flags.json, revoked, deviceTable([revoked]));
      },
    }),
    show: command<SiteFlags, [string]>({
      brief: "Show a device",
      example: "prestage device show GUID",
      parameters: { flags: siteFlags, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/devices/${id}`, contract.deviceSchema);
        print(context, flags.json, found, `${deviceTable([found])}\n${found.users.map((user) => `user ${user.name} (${user.state})\n`).join("")}\n${JSON.stringify(found.attributes, null, 2)}`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the devices",
      example: "prestage device list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/devices", z.array(contract.deviceSchema));
        print(context, flags.json, found, deviceTable(found));
      },
    }),
  },
});
