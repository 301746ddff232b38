import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { DiskDescription } from "@prestage/disk";
import { writeDurably } from "@prestage/content";
import { openReceipt } from "@prestage/trust";
import { receiptCodeSvg } from "./receipt-code.ts";
import { receiptSheet } from "./receipt-sheet.ts";
import type { MadeReceipt } from "./receipt.ts";

export interface ReceiptPlace {
  /** The receipt's file itself, of one disk. */
  receiptFile?: string | undefined;
  /** Folder for receipts; beside an image file by default, nowhere for a device. */
  receiptFolder?: string | undefined;
}

/**
 * Writes a receipt beside the disk, with its sheet and its code: NAME.receipt.json (NAME.receipt.dsse.json where it is
 * signed), NAME.receipt.txt, NAME.receipt.svg. Returns the receipt's path; undefined where there is no place for it.
 */
export async function writeReceiptFiles(disk: Pick<DiskDescription, "path" | "kind" | "serial">, made: Pick<MadeReceipt, "receipt" | "bytes">, place: ReceiptPlace): Promise<string | undefined> {
  const path = place.receiptFile ?? defaultPath(disk, made, place.receiptFolder);
  if (path === undefined) return undefined;
  const opened = openReceipt(made.bytes);
  const stem = path.replace(/(\.dsse)?\.json$/, "");
  await mkdir(dirname(path), { recursive: true });
  for (const [name, bytes] of [[`${stem}.txt`, receiptSheet(opened)], [`${stem}.svg`, receiptCodeSvg(opened)], [path, made.bytes]] as const) await writeDurably(name, Buffer.from(bytes), 0o644);
  return path;
}

/** An image file keeps its name; devices are told apart by serial number and disk GUID, since serial numbers repeat in some USB docks. */
function defaultPath(disk: Pick<DiskDescription, "path" | "kind" | "serial">, made: Pick<MadeReceipt, "receipt">, receiptFolder: string | undefined): string | undefined {
  const folder = receiptFolder ?? (disk.kind === "file" ? dirname(disk.path) : undefined);
  if (folder === undefined) return undefined;
  const device = `${disk.serial === "" ? basename(disk.path) : disk.serial.replaceAll(/[^A-Za-z0-9._-]/g, "_")}-${made.receipt.diskGuid.slice(0, 8)}`;
  return join(folder, `${disk.kind === "file" ? basename(disk.path) : device}.receipt${made.receipt.depot === null ? "" : ".dsse"}.json`);
}
