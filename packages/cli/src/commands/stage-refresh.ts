import { resolve } from "node:path";
import { refreshDisks } from "@prestage/staging";
import type { RefreshResult } from "@prestage/staging";
import type { Context } from "../context.ts";
import { disksExitCode, DiskTable } from "../disk-table.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, table } from "../output.ts";
import { version } from "../version.ts";
import { depotOf, machineSerial } from "./receipt-flags.ts";
import type { ReceiptFlags } from "./receipt-flags.ts";

type RefreshFlags = ReceiptFlags & { refresh?: readonly string[]; workFolder?: string; dryRun?: boolean; json?: boolean };

/** `prestage stage MEDIA --refresh DISK`: staged disks on the shelf brought up to another media. */
export async function refreshStaged(context: Context, flags: RefreshFlags, media: string, common: { trustedKeyring?: Uint8Array; signal: AbortSignal }): Promise<void> {
  const disks = (flags.refresh ?? []).map((disk) => resolve(disk));
  if (new Set(disks).size < disks.length) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected each --refresh once; found one twice.");
  const shown = new DiskTable(context, disks);
  const results = await refreshDisks(disks, media, {
    ...common, toolVersion: version, operator: flags.operator, machineSerial: await machineSerial(flags, disks.length), depot: flags.dryRun === true ? undefined : await depotOf(flags), dryRun: flags.dryRun,
    workFolder: flags.workFolder === undefined ? undefined : resolve(flags.workFolder), receiptFile: flags.receipt === undefined ? undefined : resolve(flags.receipt), receiptFolder: flags.receipts === undefined ? undefined : resolve(flags.receipts),
    onProgress: (event) => shown.update(event.disk, event.phase, event.done, event.total),
  }).finally(() => shown.end());
  const [only] = results;
  if (flags.json !== true && results.length === 1 && only?.outcome === "failed") throw only.error;
  print(context, flags.json, results.map(asJson), text(results));
  context.process.exitCode = disksExitCode(results);
}

function asJson(result: RefreshResult): object {
  if (result.outcome !== "failed") return result;
  const { error } = result;
  return { disk: result.disk, outcome: result.outcome, error: { code: "code" in error && typeof error.code === "string" ? error.code : "PRESTAGE_UNEXPECTED", message: error.message } };
}

function text(results: readonly RefreshResult[]): string {
  const rows = results.map((one) => {
    if (one.outcome === "failed") return [one.disk, `failed: ${one.error.message}`, "-", "-", "-", "-"];
    return [one.disk, one.outcome, `${counted(one.changed, "file")}, ${bytes(one.bytes)}`, counted(one.removed, "file"), bytes(one.fetched), one.receiptFile ?? (one.receipt === undefined ? "-" : "on the disk")];
  });
  const renewed = results.some((one) => one.outcome === "refreshed" && one.receipt !== undefined);
  return table(["DISK", "OUTCOME", "LAID ANEW", "REMOVED", "FETCHED", "RECEIPT"], rows) + (renewed ? "\nEach disk has a new claim: its new receipt takes the place of the earlier one. Register it at the site with `prestage receipt import`, and revoke the earlier claim with `prestage claim revoke`." : "");
}
