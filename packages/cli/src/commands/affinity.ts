import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags, texts } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

const affinitiesSchema = z.array(contract.affinitySchema);

function affinityTable(affinities: readonly contract.Affinity[]): string {
  return table(["DEVICE", "NAME", "USER", "STATE", "DEPLOYMENT", "SINCE"], affinities.map((a) => [a.deviceId, a.deviceName, a.user, a.state, a.source ?? "-", a.created]));
}

type DecideFlags = SiteFlags & { user?: readonly string[] };
const decideParameters = { flags: { ...siteFlags, user: texts("This user; may be repeated. Left out: all of the device that are pending", "DOMAIN\\USER") }, positional: one("Device", "GUID") } as const;

/** Decides the users named, or all of a device that wait for it. */
async function decide(flags: DecideFlags, client: SiteClient, deviceId: string, decision: "approve" | "refuse"): Promise<contract.Affinity[]> {
  const pending = async () => (await client.call("GET", `/affinities?deviceId=${encodeURIComponent(deviceId)}&state=pending`, affinitiesSchema)).map((one) => one.user);
  const users = flags.user ?? (await pending());
  if (users.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a user of device ${deviceId} that is pending; found none. See \`prestage device affinity list\`, or name the user with --user.`);
  const decided: contract.Affinity[] = [];
  for (const user of users) decided.push(await client.call("POST", "/affinities", contract.affinitySchema, { deviceId, user, decision }));
  return decided;
}

export const affinityRoutes = buildRouteMap({
  docs: { brief: "Users of devices: list, approve, refuse, remove" },
  routes: {
    list: command<SiteFlags & { device?: string; pending?: boolean }>({
      brief: "List the users of devices, as task sequences named them",
      example: "prestage device affinity list --pending",
      parameters: { flags: { ...siteFlags, device: optionalText("Only this device's", "GUID"), pending: flag("Only those that wait for a decision") } },
      async run(context, flags) {
        const query = new URLSearchParams({ ...(flags.device && { deviceId: flags.device }), ...(flags.pending === true && { state: "pending" }) });
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/affinities?${query.toString()}`, affinitiesSchema);
        print(context, flags.json, found, affinityTable(found));
      },
    }),
    approve: command<DecideFlags, [string]>({
      brief: "Approve users of a device",
      example: "prestage device affinity approve GUID --user 'CONTOSO\\alice'",
      parameters: decideParameters,
      async run(context, flags, id) {
        const decided = await decide(flags, await SiteClient.open(context, flags.data), id, "approve");
        print(context, flags.json, decided, affinityTable(decided));
      },
    }),
    refuse: command<DecideFlags, [string]>({
      brief: "Refuse users of a device; reported again they stay refused",
      example: "prestage device affinity refuse GUID --user 'CONTOSO\\alice'",
      parameters: decideParameters,
      async run(context, flags, id) {
        const decided = await decide(flags, await SiteClient.open(context, flags.data), id, "refuse");
        print(context, flags.json, decided, affinityTable(decided));
      },
    }),
    remove: command<SiteFlags & { user: readonly string[] }, [string]>({
      brief: "Forget users of a device; reported again they are recorded anew",
      example: "prestage device affinity remove GUID --user 'CONTOSO\\alice'",
      parameters: { flags: { ...siteFlags, user: { kind: "parsed", parse: String, variadic: true, brief: "This user; may be repeated", placeholder: "DOMAIN\\USER" } }, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const client = await SiteClient.open(context, flags.data);
        for (const user of flags.user) await client.call("DELETE", `/affinities?${new URLSearchParams({ deviceId: id, user }).toString()}`, z.undefined());
        print(context, flags.json, { deviceId: id, removed: flags.user }, `${flags.user.join(", ")}: no longer of device ${id}`);
      },
    }),
  },
});
