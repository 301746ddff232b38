import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { print, table } from "../output.ts";
import { readSecrets, sendSecrets } from "../secret-flags.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";

type OwnerFlags = { device?: string; collection?: string; deployment?: string }
const ownerFlags = { device: optionalText("The device it belongs to", "GUID"), collection: optionalText("The collection it belongs to", "ID"), deployment: optionalText("The deployment it belongs to", "ID") };

function ownerOf(flags: OwnerFlags): { scope: contract.SecretScope; ownerId: string } {
  const given = contract.secretScopes.flatMap((scope) => (flags[scope] === undefined ? [] : [{ scope, ownerId: scope === "device" ? flags[scope] : objectId(flags[scope]) }]));
  const [owner] = given;
  if (owner === undefined || given.length > 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected one of --device, --collection and --deployment; found ${given.length}.`);
  return owner;
}

export const secretRoutes = buildRouteMap({
  docs: { brief: "Secret variables, for the steps that name them: set, list, remove" },
  routes: {
    set: command<SiteFlags & OwnerFlags & { secretFile?: string }, [string]>({
      brief: "Set a secret variable; its value is asked for, or read from standard input",
      example: "prestage secret set --deployment ABC00009 JOIN_PASSWORD",
      parameters: { flags: { ...siteFlags, ...ownerFlags, secretFile: optionalText("Take the value from this file of NAME=VALUE lines", "FILE") }, positional: one("Variable", "NAME") },
      async run(context, flags, name) {
        const owner = ownerOf(flags);
        const client = await SiteClient.open(context, flags.data);
        await sendSecrets(client, owner.scope, owner.ownerId, await readSecrets(context, { secretVariable: [name], ...(flags.secretFile && { secretFile: flags.secretFile }) }));
        print(context, flags.json, { ...owner, name }, `${name} is set for ${owner.scope} ${owner.ownerId}`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the secret variables by name; a value is shown nowhere",
      example: "prestage secret list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/secrets", z.array(contract.secretRecordSchema));
        print(context, flags.json, found, table(["NAME", "OF", "ID", "CHANGED"], found.map((s) => [s.name, s.scope, s.ownerId, s.changed])));
      },
    }),
    remove: command<SiteFlags & OwnerFlags, [string]>({
      brief: "Remove a secret variable",
      example: "prestage secret remove --deployment ABC00009 JOIN_PASSWORD",
      parameters: { flags: { ...siteFlags, ...ownerFlags }, positional: one("Variable", "NAME") },
      async run(context, flags, name) {
        const owner = ownerOf(flags);
        await (await SiteClient.open(context, flags.data)).call("DELETE", `/secrets?${new URLSearchParams({ ...owner, name }).toString()}`, z.undefined());
        print(context, flags.json, { ...owner, name }, `${name} is removed from ${owner.scope} ${owner.ownerId}`);
      },
    }),
  },
});
