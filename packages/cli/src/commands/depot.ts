import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import { depotSchema, registerDepotAnswerSchema } from "@prestage/contract";
import type { Depot } from "@prestage/contract";
import { defaultDepotKeyPath, depotFilePath, loadDepot, makeDepotKey } from "@prestage/staging";
import { depotFile, fingerprint, openDepotFile } from "@prestage/trust";
import type { DepotFile } from "@prestage/trust";
import { z } from "zod";
import { command, jsonFlag, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { readInputFile, requireFolderOf } from "../input-file.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { publicKeyOf } from "./receipt.ts";

const keyFileFlag = optionalText("The depot's key; else PRESTAGE_DEPOT_KEY, else in the user's configuration folder", "FILE");

function depotText(file: DepotFile): string {
  return [`Depot       ${file.name}`, `Key id      ${fingerprint(file.keyId)}`, `Public key  ${file.publicKey}`].join("\n");
}

export const init = command<{ name?: string; keyFile?: string; json?: boolean }>({
  brief: "Make this depot's key, once; it signs the receipts of the disks staged here and never leaves this computer",
  example: "prestage depot init --name 'Depot 3'",
  parameters: { flags: { name: optionalText("The depot's name; else this computer's", "NAME"), keyFile: keyFileFlag, ...jsonFlag } },
  async run(context, flags) {
    const path = resolve(flags.keyFile ?? defaultDepotKeyPath(process.env));
    const file = await makeDepotKey(path, flags.name ?? hostname());
    print(context, flags.json, { ...file, keyFile: path, publicFile: depotFilePath(path) }, `${depotText(file)}\n\nThe key is in ${path}; keep a copy of it in a safe place.\nSend ${depotFilePath(path)} to the site's administrator, and tell the key id by another way.`);
  },
});

export const show = command<{ keyFile?: string; output?: string; json?: boolean }>({
  brief: "Show the public half of this depot's key, or write it as the file to send to the site",
  example: "prestage depot show --output depot-3.json",
  parameters: { flags: { keyFile: keyFileFlag, output: optionalText("Write the public half here", "FILE"), ...jsonFlag } },
  async run(context, flags) {
    const path = flags.keyFile ?? defaultDepotKeyPath(process.env);
    const depot = await loadDepot(path);
    if (depot === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a depot's key at ${path}; found none. Make one with \`prestage depot init\`.`);
    const file = depotFile(depot.name, depot.key);
    if (flags.output !== undefined) await requireFolderOf(flags.output);
    if (flags.output !== undefined) await writeFile(flags.output, `${JSON.stringify(file, null, 2)}\n`);
    print(context, flags.json, file, depotText(file));
  },
});

function depotTable(depots: readonly Depot[]): string {
  return table(["KEY ID", "NAME", "REGISTERED", "REVOKED", "RECEIPTS", "STARTED"], depots.map((d) => [d.keyId, d.name, d.registered, d.revoked ?? "-", String(d.receipts), String(d.started)]));
}

const register = command<SiteFlags & { publicKey?: string; name?: string }, [string?]>({
  brief: "Register a depot at the site: its receipts count from now on, those kept before too. Compare the key id with the depot first",
  example: "prestage depot register depot-3.json",
  parameters: {
    flags: { ...siteFlags, publicKey: optionalText("The public key itself, base64, in place of a file (with --name)", "KEY"), name: optionalText("Another name than the depot gave itself", "NAME") },
    positional: { kind: "tuple", parameters: [{ parse: String, optional: true, brief: "The depot's public file", placeholder: "FILE" }] },
  },
  async run(context, flags, path) {
    if ((path === undefined) === (flags.publicKey === undefined)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected the depot's public FILE or --public-key KEY; found both or neither.");
    const given = path === undefined ? { ...publicKeyOf(flags.publicKey ?? ""), name: flags.name } : openDepotFile(await readInputFile(path, "a depot's public file"));
    const name = flags.name ?? given.name;
    if (name === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --name with --public-key; found none.");
    const answer = await (await SiteClient.open(context, flags.data)).call("POST", "/depots", registerDepotAnswerSchema, { name, keyId: given.keyId, publicKey: given.publicKey });
    print(context, flags.json, answer, `${name} is registered; ${answer.confirmed === 1 ? "1 receipt kept before is" : `${answer.confirmed} receipts kept before are`} confirmed now\nKey id  ${fingerprint(given.keyId)}`);
  },
});

const list = command<SiteFlags>({
  brief: "List the registered depots",
  example: "prestage depot list",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const found = await (await SiteClient.open(context, flags.data)).call("GET", "/depots", z.array(depotSchema));
    print(context, flags.json, found, depotTable(found));
  },
});

const revoke = command<SiteFlags, [string]>({
  brief: "Revoke a depot's key for good: its receipts give no right any more, and computers let in by them are refused",
  example: "prestage depot revoke KEYID",
  parameters: { flags: siteFlags, positional: one("The depot's key id", "KEYID") },
  async run(context, flags, keyId) {
    const revoked = await (await SiteClient.open(context, flags.data)).call("POST", `/depots/${encodeURIComponent(keyId.replaceAll(" ", "").toLowerCase())}/revoke`, depotSchema, {});
    print(context, flags.json, revoked, depotTable([revoked]));
  },
});

export const depotRoutes = buildRouteMap({ docs: { brief: "Depots: the key that signs receipts, and its registration at the site" }, routes: { init, show, register, list, revoke } });
