import { readFile } from "node:fs/promises";
import { defaultDepotKeyPath, loadDepot } from "@prestage/staging";
import type { Depot } from "@prestage/staging";
import { flag, optionalText } from "../command.ts";
import { CliError } from "../error.ts";

/** Flags of the commands that leave receipts. */
export const receiptFlags = {
  operator: optionalText("Who stages, for the receipt", "NAME"),
  machineSerial: optionalText("Serial number of the computer the disk is for", "TEXT"),
  thisMachine: flag("The disk is for this computer: its serial number goes into the receipt"),
  receipt: optionalText("Write the receipt here; a sheet (.txt) and a code to scan (.svg) beside it", "FILE"),
  receipts: optionalText("Folder for receipts; else beside an image file, and only on the disk for a device", "DIR"),
  depotKey: optionalText("The depot's key; else PRESTAGE_DEPOT_KEY, else the one `prestage depot init` made", "FILE"),
} as const;
export type ReceiptFlags = { operator?: string; machineSerial?: string; thisMachine?: boolean; receipt?: string; receipts?: string; depotKey?: string };

/** The depot whose key signs; undefined where there is none: then receipts are plain. */
export async function depotOf(flags: Pick<ReceiptFlags, "depotKey">): Promise<Depot | undefined> {
  const path = flags.depotKey ?? defaultDepotKeyPath(process.env);
  const depot = await loadDepot(path);
  if (depot === undefined && (flags.depotKey !== undefined || process.env["PRESTAGE_DEPOT_KEY"] !== undefined)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a depot's key at ${path}; found none. Make one with \`prestage depot init\`.`);
  return depot;
}

/** The serial number of the computer a disk is for, as typed or as this computer's firmware tells it. */
export async function machineSerial(flags: ReceiptFlags, disks: number): Promise<string | undefined> {
  if (flags.receipt !== undefined && flags.receipts !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --receipt or --receipts; found both.");
  for (const [name, given] of [["--receipt", flags.receipt], ["--machine-serial", flags.machineSerial], ["--this-machine", flags.thisMachine]] as const) {
    if (given !== undefined && disks > 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected one disk with ${name}; found ${disks}.`);
  }
  if (flags.thisMachine !== true) return flags.machineSerial;
  if (flags.machineSerial !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --machine-serial or --this-machine; found both.");
  const serial = await readFile("/sys/class/dmi/id/product_serial", "utf8").then((text) => text.trim(), () => "");
  if (serial === "") throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected this computer's firmware to tell a serial number; it tells none. Type it: --machine-serial.");
  return serial;
}
