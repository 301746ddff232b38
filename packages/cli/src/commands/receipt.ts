import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import { depotSchema, importReceiptAnswerSchema, receiptRecordSchema } from "@prestage/contract";
import { checkReceiptOfDisk, receiptCodeText, receiptRows, renewDisks } from "@prestage/staging";
import { openDepotFile, openReceipt, signedBy } from "@prestage/trust";
import type { OpenedReceipt, PublicKey } from "@prestage/trust";
import { z } from "zod";
import { command, flag, jsonFlag, one, optionalText, siteFlags, texts } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { print, Progress, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { version } from "../version.ts";
import { DiskTable, disksExitCode, tellDisks } from "../disk-table.ts";
import { failureOf } from "../failure.ts";
import { readInputFile } from "../input-file.ts";
import { depotOf, machineSerial, receiptFlags } from "./receipt-flags.ts";
import type { ReceiptFlags } from "./receipt-flags.ts";
import { trustedKeyring } from "./trusted-keyring.ts";

export const create = command<ReceiptFlags & { disk?: readonly string[]; keyring?: string; data?: string; json?: boolean }>({
  brief: "Give copies of a golden disk what each needs of its own: verifies the disk whole, new GUIDs, a claim, a receipt. May be repeated; a disk that has a receipt of its own keeps it. Exit codes as of `prestage stage`",
  example: "prestage receipt create --disk /dev/sdb --disk /dev/sdc --receipts receipts",
  parameters: { flags: { disk: texts("Block device or raw image file; may be repeated", "DISK"), ...receiptFlags, keyring: optionalText("Accept only media signed under this keyring", "FILE"), data: siteFlags.data, ...jsonFlag } },
  async run(context, flags) {
    const disks = (flags.disk ?? []).map((disk) => resolve(disk));
    if (disks.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected at least one --disk; found none.");
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const options = { toolVersion: version, operator: flags.operator, machineSerial: await machineSerial(flags, disks.length), depot: await depotOf(flags), receiptFile: flags.receipt, receiptFolder: flags.receipts };
    const shown = new DiskTable(context, disks);
    const results = await renewDisks(disks, { ...options, trustedKeyring: keyring, signal: context.signal, onProgress: (event) => shown.update(event.disk, event.phase, event.done, event.total) }).finally(() => shown.end());
    tellDisks(context, flags.json, results.map((one) => (one.outcome === "failed" ? one : { ...one, verified: one.receipt.files.verified })));
  },
});

type Kept = z.infer<typeof importReceiptAnswerSchema>;
type Imported = { file: string; outcome: "imported"; kept: Kept } | { file: string; outcome: "failed"; error: Error };

const importCommand = command<SiteFlags, string[]>({
  brief: "Give the site receipts: one of a registered depot lets the disk's claim count; any other is kept as unconfirmed and gives no right. Of several, one that fails does not stop the others; exit codes as of `prestage stage`",
  example: "prestage receipt import disk.img.receipt.json\nprestage receipt import receipts/*.receipt.dsse.json",
  parameters: { flags: siteFlags, positional: { kind: "array", parameter: { parse: String, brief: "Receipt", placeholder: "FILE" }, minimum: 1 } },
  async run(context, flags, ...files) {
    const client = await SiteClient.open(context, flags.data);
    const results: Imported[] = [];
    for (const file of files) results.push(await importOne(client, file));
    context.signal.throwIfAborted();
    const [only] = results;
    if (results.length > 1 || only === undefined) return tellImported(context, flags.json, results);
    if (only.outcome === "failed") throw only.error;
    print(context, flags.json, only.kept, `${only.kept.id}  ${keptText(only.kept)}`);
  },
});

async function importOne(client: SiteClient, file: string): Promise<Imported> {
  try {
    const bytes = await readInputFile(file, "a receipt");
    openReceipt(bytes); // what was altered on the way is told here already
    return { file, outcome: "imported", kept: await client.call("POST", "/receipts", importReceiptAnswerSchema, JSON.parse(bytes.toString("utf8"))) };
  } catch (cause) {
    return { file, outcome: "failed", error: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

function keptText(kept: Kept): string {
  return kept.confirmed ? "confirmed: its claim counts" : `kept as unconfirmed, because ${kept.reason ?? "nothing confirms it"}`;
}

function tellImported(context: Context, json: boolean | undefined, results: readonly Imported[]): void {
  const shown = results.map((one) => (one.outcome === "failed" ? { ...one, error: failureOf(one.error) } : { file: one.file, outcome: one.outcome, ...one.kept }));
  print(context, json, shown, table(["FILE", "OUTCOME"], results.map((one) => [one.file, one.outcome === "failed" ? `failed: ${one.error.message}` : keptText(one.kept)])));
  context.process.exitCode = disksExitCode(results);
  const failed = results.filter((one) => one.outcome === "failed").length;
  if (failed === 0 || json === true) return;
  context.process.stderr.write(`prestage: Expected all of ${results.length} receipts to be imported; ${failed} failed.\n(PRESTAGE_CLI_FAILED_PARTLY)\n`);
}

const list = command<SiteFlags & { neverStarted?: boolean; media?: string }>({
  brief: "List the receipts, and which disks have started",
  example: "prestage receipt list --never-started",
  parameters: { flags: { ...siteFlags, neverStarted: flag("Only disks that were staged and never started"), media: optionalText("Only disks of this media", "ID") } },
  async run(context, flags) {
    const query = new URLSearchParams({ ...(flags.neverStarted === true && { neverStarted: "true" }), ...(flags.media && { mediaId: flags.media }) });
    const found = await (await SiteClient.open(context, flags.data)).call("GET", `/receipts?${query.toString()}`, z.array(receiptRecordSchema));
    const state = (r: (typeof found)[number]) => (r.revoked !== null ? "revoked" : r.confirmed ? "confirmed" : "unconfirmed");
    const head = ["ID", "MEDIA", "DISK", "COMPUTER", "STATE", "DEPOT", "STAGED", "STARTED"];
    print(context, flags.json, found, table(head, found.map((r) => [r.id, r.mediaId.slice(0, 16), r.diskSerial ?? "-", r.machineSerial ?? "-", state(r), r.depot?.name ?? "-", r.staged, r.started ?? "never"])));
  },
});

export const show = command<{ json?: boolean }, [string]>({
  brief: "Show a receipt file, with the code a scanner reads",
  example: "prestage receipt show disk.img.receipt.json",
  parameters: { flags: jsonFlag, positional: one("Receipt", "FILE") },
  async run(context, flags, file) {
    const opened = openReceipt(await readInputFile(file, "a receipt"));
    print(context, flags.json, { ...opened.receipt, sha256: opened.sha256, signed: opened.envelope !== null }, `${receiptRows(opened).join("\n")}\n\n${receiptCodeText(opened)}`);
  },
});

type VerifyFlags = SiteFlags & { depot?: string; publicKey?: string; disk?: string; keyring?: string };
export const verify = command<VerifyFlags, [string]>({
  brief: "Check a receipt: unaltered, and signed by the depot whose key is given or by one registered at the site; with --disk also that it speaks of this disk, every file read back",
  example: "prestage receipt verify disk.img.receipt.dsse.json --depot depot-3.public.json --disk disk.img",
  parameters: {
    flags: {
      depot: optionalText("The depot's public file; else the site's registered depots are asked", "FILE"),
      publicKey: optionalText("The depot's public key, base64", "KEY"),
      disk: optionalText("The disk it should speak of", "DISK"),
      keyring: optionalText("Accept on the disk only media signed under this keyring", "FILE"),
      ...siteFlags,
    },
    positional: one("Receipt", "FILE"),
  },
  async run(context, flags, file) {
    const opened = openReceipt(await readInputFile(file, "a receipt"));
    const signature = await checkSignature(context, flags, opened);
    if (flags.disk !== undefined) {
      const keyring = await trustedKeyring(flags.keyring, flags.data);
      const progress = new Progress(context);
      await checkReceiptOfDisk(opened, resolve(flags.disk), { trustedKeyring: keyring, signal: context.signal, onProgress: (event) => progress.update(event.phase, event.done, event.total) }).finally(() => progress.end());
    }
    const disk = flags.disk === undefined ? "" : `\n${flags.disk}: the disk it speaks of, ${opened.receipt.files.count} files read back`;
    print(context, flags.json, { sha256: opened.sha256, depot: opened.receipt.depot, disk: flags.disk ?? null, good: true }, `${file}: ${signature}${disk}`);
  },
});

/** @throws CliError PRESTAGE_CLI_RECEIPT_UNTRUSTED */
async function checkSignature(context: Context, flags: VerifyFlags, opened: OpenedReceipt): Promise<string> {
  const untrusted = (found: string) => new CliError("PRESTAGE_CLI_RECEIPT_UNTRUSTED", `Expected a receipt signed by a depot that is trusted; found ${found}.`);
  const depot = opened.receipt.depot;
  if (depot === null) throw untrusted("one without a signature. It gives no right");
  const given = await givenKey(flags);
  if (given !== undefined) {
    if (!signedBy(opened, [given])) throw untrusted(`one signed by ${depot.name} (key ${depot.key.keyId}), not by the key given (${given.keyId})`);
    return `signed by ${depot.name}, whose key was given`;
  }
  const registered = await (await SiteClient.open(context, flags.data)).call("GET", "/depots", z.array(depotSchema));
  const known = registered.find((one) => signedBy(opened, [one]));
  if (known === undefined) throw untrusted(`one of ${depot.name} (key ${depot.key.keyId}), which is not registered at the site`);
  if (known.revoked !== null) throw untrusted(`one of ${known.name}, which was revoked on ${known.revoked}`);
  return `signed by ${known.name}, registered at the site`;
}

async function givenKey(flags: VerifyFlags): Promise<PublicKey | undefined> {
  if (flags.depot !== undefined) {
    const { keyId, publicKey } = openDepotFile(await readInputFile(flags.depot, "a depot's public file"));
    return { keyId, publicKey };
  }
  return flags.publicKey === undefined ? undefined : publicKeyOf(flags.publicKey);
}

/** The key with its id, from the base64 of its SPKI. */
export function publicKeyOf(publicKey: string): PublicKey {
  return { keyId: createHash("sha256").update(Buffer.from(publicKey, "base64")).digest("hex"), publicKey };
}

export const receiptRoutes = buildRouteMap({ docs: { brief: "Receipts of staged disks: create, show, verify, import, list" }, routes: { create, show, verify, import: importCommand, list } });
