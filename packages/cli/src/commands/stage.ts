import { createInterface } from "node:readline/promises";
import { resolve } from "node:path";
import { planStage, stage, stagePartitions, StagingError } from "@prestage/staging";
import type { StagePlan } from "@prestage/staging";
import { command, flag, jsonFlag, optionalText, siteFlags, texts } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { DiskTable, tellDisks } from "../disk-table.ts";
import { bytes, counted, print } from "../output.ts";
import { depotOf, machineSerial, receiptFlags } from "./receipt-flags.ts";
import type { ReceiptFlags } from "./receipt-flags.ts";
import { trustedKeyring } from "./trusted-keyring.ts";
import { refreshStaged } from "./stage-refresh.ts";
import { version } from "../version.ts";
import { withWholeMedia } from "../whole-media.ts";

type StageFlags = ReceiptFlags & { bundle?: string; media?: string; workFolder?: string; golden?: boolean; refresh?: readonly string[]; disk?: readonly string[]; esp?: string; volume?: string; wipe?: readonly string[]; size?: string; dryRun?: boolean; keyring?: string; data?: string; json?: boolean }

/** Makes the folder for a depot without our tool; the command that itself runs in such a folder has none. */
export type MakeBundle = (context: Context, output: string, media: string, keyring: Uint8Array | undefined) => Promise<{ path: string; mediaId: string; files: number; bytes: number }>;

export const stageCommand = (makeBundle: MakeBundle | undefined) => command<StageFlags, [string?]>({
  brief:
    "Lay a media on disks: partitions, applies, reads back and verifies, leaves a receipt. Everything on the disk is lost, except with --refresh. Exit code: 0 all disks good, 1 none, 32 to 63 some failed (32 + 1 for the first of the disks named, 2 the second, 4, 8, 16; --json names each)",
  example: "prestage stage media.wim --disk /dev/sdb --wipe SERIAL\nprestage stage media.wim --disk disk.img --size 16G\nprestage stage media.wim --golden --disk golden.img --size 16G\nprestage stage media-2.wim --refresh /dev/sdb\nprestage stage https://files.example.com/media-2.wim --refresh /dev/sdb\nprestage stage --bundle for-depot --media media.wim",
  parameters: {
    flags: {
      disk: texts("Block device or raw image file; may be repeated", "DISK"),
      esp: optionalText("Use this partition as EFI system partition (with --volume)", "PART"),
      volume: optionalText("Use this partition as data volume (with --esp)", "PART"),
      refresh: texts("A staged disk on the shelf, never started: bring it up to this media, a file or at a web server with ranges; only what changed is fetched and written. May be repeated; safe against a power cut: run it again", "DISK"),
      wipe: texts("Serial number of a disk that is not empty; for an image file or loop device the file's name", "SERIAL"),
      size: optionalText("Make the image file in this size where it does not exist, such as 16G", "SIZE"),
      dryRun: flag("Show the plan and end"),
      media: optionalText("The media, in place of the argument", "FILE"),
      bundle: optionalText("Stage nothing: make this folder for a depot without Prestage: the media, programs with all they need, instructions, checksums", "DIR"),
      workFolder: optionalText("Folder with room for the media's files while disks are made; else beside an image file, or the temporary folder", "DIR"),
      golden: flag("The disk will be duplicated: no claim and no receipt on it; each copy gets its own with `prestage receipt create`"),
      ...receiptFlags,
      keyring: optionalText("Lay only media signed under this keyring", "FILE"),
      data: siteFlags.data,
      ...jsonFlag,
    },
    positional: { kind: "tuple", parameters: [{ parse: String, optional: true, brief: "Media; of one that `wim split` cut into pieces the first, media.wim.001", placeholder: "MEDIA" }] },
  },
  async run(context, flags, argument) {
    const media = argument ?? flags.media;
    if (media === undefined || (argument !== undefined && flags.media !== undefined)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected one MEDIA, as argument or by --media.");
    await withWholeMedia(context, media, flags.workFolder, (whole) => stageMedia(context, flags, whole, makeBundle));
  },
});

async function stageMedia(context: Context, flags: StageFlags, media: string, makeBundle: MakeBundle | undefined): Promise<void> {
  const keyring = await trustedKeyring(flags.keyring, flags.data);
  if (flags.bundle !== undefined) {
    if (makeBundle === undefined || flags.disk !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", makeBundle === undefined ? "Expected --bundle where Prestage is installed; this is a bundle itself." : "Expected --bundle or --disk; found both.");
    const made = await makeBundle(context, resolve(flags.bundle), media, keyring);
    return print(context, flags.json, made, `${made.path}: ${counted(made.files, "file")}, ${bytes(made.bytes)}, with media ${made.mediaId.slice(0, 16)}\nSend the whole folder; README.txt and LISEZMOI.txt say what to do.`);
  }
  const common = { ...(keyring && { trustedKeyring: keyring }), signal: context.signal };
  if (flags.refresh !== undefined && flags.refresh.length > 0) {
    if (flags.disk !== undefined || flags.esp !== undefined || flags.volume !== undefined || flags.golden === true || flags.wipe !== undefined || flags.size !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --refresh without --disk, --esp, --volume, --wipe, --size and --golden.");
    return refreshStaged(context, flags, media, common);
  }
  const disks = (flags.disk ?? []).map((disk) => resolve(disk));
  if (flags.esp !== undefined || flags.volume !== undefined) return stageOnPartitions(context, flags, media, common);
  if (disks.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected at least one --disk; found none.");
  if (new Set(disks).size < disks.length) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected each --disk once; found one twice.");
  const workFolder = flags.workFolder === undefined ? {} : { workFolder: resolve(flags.workFolder) };
  const planOptions = { ...common, ...(flags.size && { createSizeBytes: parseSize(flags.size) }) };
  const wipe = [...(flags.wipe ?? [])];
  if (flags.dryRun === true) {
    const plans = await Promise.all(disks.map((disk) => planStage(media, disk, { ...planOptions, wipe })));
    return print(context, flags.json, plans, plans.map(planText).join("\n\n"));
  }
  const receipts = await receiptOptions(flags, disks.length);
  for (const disk of disks) wipe.push(...(await confirmWipe(context, media, disk, { ...planOptions, wipe })));
  const shown = new DiskTable(context, disks);
  const results = await stage(media, disks, { ...planOptions, ...workFolder, ...receipts, wipe, golden: flags.golden ?? false, onProgress: (event) => shown.update(event.disk, event.phase, event.done, event.total) }).finally(() => shown.end());
  tellDisks(context, flags.json, results.map((one) => (one.outcome === "staged" ? { ...one, verified: one.receipt.files.verified } : one)));
}

async function receiptOptions(flags: StageFlags, disks: number) {
  const depot = flags.golden === true ? undefined : await depotOf(flags);
  return { toolVersion: version, operator: flags.operator, machineSerial: await machineSerial(flags, disks), depot, receiptFile: flags.receipt === undefined ? undefined : resolve(flags.receipt), receiptFolder: flags.receipts === undefined ? undefined : resolve(flags.receipts) };
}

/** Onto two partitions that are there and formatted. */
async function stageOnPartitions(context: Context, flags: StageFlags, media: string, common: { trustedKeyring?: Uint8Array; signal: AbortSignal }): Promise<void> {
  if (flags.esp === undefined || flags.volume === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --esp and --volume together.");
  if (flags.golden === true || flags.disk !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --esp and --volume without --disk and --golden.");
  const { volume } = flags;
  const shown = new DiskTable(context, [volume]);
  const { receipt, receiptFile } = await stagePartitions(media, flags.esp, volume, { ...common, ...(await receiptOptions(flags, 1)), onProgress: (event) => shown.update(volume, event.phase, event.done, event.total) }).finally(() => shown.end());
  const result = { disk: volume, outcome: "staged", verified: receipt.files.verified, receipt, receiptFile };
  tellDisks(context, flags.json, [result]);
}

/** On a terminal the last four characters of the serial number are typed; elsewhere --wipe must name it, or staging fails for this disk and goes on with the others. */
async function confirmWipe(context: Context, media: string, disk: string, options: Parameters<typeof planStage>[2]): Promise<string[]> {
  try {
    await planStage(media, disk, options);
    return [];
  } catch (cause) {
    context.signal.throwIfAborted();
    if (!(cause instanceof StagingError) || cause.code !== "PRESTAGE_STAGING_NOT_EMPTY" || !context.process.stdin.isTTY) return [];
    const serial = /--wipe (\S+)$/.exec(cause.message)?.[1] ?? "";
    context.process.stderr.write(`${cause.message}\n`);
    const input = createInterface({ input: context.process.stdin, output: context.process.stderr });
    const typed = await input.question(`Everything on ${disk} will be lost. Type the last 4 characters of ${serial} to go on: `, { signal: context.signal }).finally(() => input.close());
    return serial.length >= 4 && typed.trim() === serial.slice(-4) ? [serial] : [];
  }
}

/** Bytes of a size such as 512M or 16G (powers of 1,024). @throws CliError PRESTAGE_CLI_BAD_ARGUMENT */
export function parseSize(text: string): number {
  const [, digits, unit = ""] = /^(\d{1,6})([MGT]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a size such as 512M or 16G; found ${JSON.stringify(text)}.`);
  return Number(digits) * ({ M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 }[unit.toUpperCase()] ?? 1);
}

function planText(plan: StagePlan): string {
  const { disk, partitions } = plan;
  return [
    `${disk.path} (${disk.kind}, serial ${disk.serial || "none"}, ${bytes(disk.sizeBytes)})${plan.create ? ", to be made" : ""}`,
    plan.wipes.length > 0 ? `  wipes: ${plan.wipes.join(", ")}` : "  the disk is empty",
    `  1 EFI system partition  FAT32  ${bytes(partitions.esp.size)}`,
    `  2 data volume           ext4   ${bytes(partitions.volume.size)}`,
    `  lays ${counted(plan.files, "file")}, ${bytes(plan.bytes)}, of media ${plan.mediaId.slice(0, 16)}, reads each back, leaves a receipt`,
  ].join("\n");
}
