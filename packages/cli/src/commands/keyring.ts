import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { command, flag, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

type Role = "root" | "media" | "policy" | "time" | "url";
const roles: readonly Role[] = ["root", "media", "policy", "time", "url"];

function keyringText(keyring: contract.KeyringAnswer): string {
  const keys = Object.entries(keyring.keys).map(([role, ids]) => [role, ids.map((id) => id.slice(0, 16)).join(", ")]);
  return `Version ${keyring.version}, issued ${keyring.issued}, expires ${keyring.expires}\n\n${table(["ROLE", "KEYS"], keys)}`;
}

export const keyringRoutes = buildRouteMap({
  docs: { brief: "The site's keyring: show, rotate" },
  routes: {
    show: command<SiteFlags>({
      brief: "Show the public keys of each role",
      example: "prestage keyring show",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const keyring = await (await SiteClient.open(context, flags.data)).call("GET", "/keyring/keys", contract.keyringAnswerSchema);
        print(context, flags.json, keyring, keyringText(keyring));
      },
    }),
    rotate: command<SiteFlags & { role?: readonly Role[]; forgetMediaKeys?: boolean }>({
      brief: "Make new keys, and a keyring that names them, signed by the root key; devices follow at their next contact",
      example: "prestage keyring rotate --role policy --role time",
      parameters: {
        flags: {
          ...siteFlags,
          role: { kind: "enum", values: roles, optional: true, variadic: true, brief: "Whose key is made anew, may be repeated; else all but the root key's" },
          forgetMediaKeys: flag("The present media key was stolen: what it signed is no longer recognised"),
        },
      },
      async run(context, flags) {
        const body = { roles: flags.role ?? ["media", "policy", "time", "url"], forgetMediaKeys: flags.forgetMediaKeys ?? false };
        const keyring = await (await SiteClient.open(context, flags.data)).call("POST", "/keyring/rotate", contract.keyringAnswerSchema, body);
        print(context, flags.json, keyring, `${keyringText(keyring)}\n\nStaged disks go on working. Before the next media, build the boot image again and import it: it carries the keyring.`);
      },
    }),
  },
});
