import { createInterface } from "node:readline/promises";
import { resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import { receiptRecordSchema } from "@prestage/contract";
import { planStage, stage, stagePartitions, StagingError } from "@prestage/staging";
import type { StagePlan } from "@prestage/staging";
import { receiptSchema } from "@prestage/trust";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { command, flag, jsonFlag, one, optionalText, siteFlags, texts } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { bytes, print, Progress, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { trustedKeyring } from "./media.ts";
import { version } from "../version.ts";

type StageFlags = { disk?: readonly string[]; esp?: string; volume?: string; wipe?: readonly string[]; size?: string; dryRun?: boolean; operator?: string; keyring?: string; data?: string; json?: boolean }

export const stageCommand = command<StageFlags, [string]>({
  brief: "Lay a media on disks: partitions, applies, reads back and verifies, leaves a receipt. Everything on the disk is lost",
  example: "prestage stage media.wim --disk /dev/sdb --wipe SERIAL\nprestage stage media.wim --disk disk.img --size 16G",
  parameters: {
    flags: {
      disk: texts("Block device or raw image file; may be repeated", "DISK"),
      esp: optionalText("Use this partition as EFI system partition (with --volume)", "PART"),
      volume: optionalText("Use this partition as data volume (with --esp)", "PART"),
      wipe: texts("Serial number of a disk that is not empty; for an image file or loop device the file's name", "SERIAL"),
      size: optionalText("Make the image file in this size where it does not exist, such as 16G", "SIZE"),
      dryRun: flag("Show the plan and end"),
      operator: optionalText("Who stages, for the receipt", "NAME"),
      keyring: optionalText("Lay only media signed under this keyring", "FILE"),
      data: siteFlags.data,
      ...jsonFlag,
    },
    positional: one("Media", "MEDIA"),
  },
  async run(context, flags, media) {
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const common = { ...(keyring && { trustedKeyring: keyring }), signal: context.signal };
    const receiptOptions = { toolVersion: version, ...(flags.operator && { operator: flags.operator }) };
    const progress = new Progress(context);
    if (flags.esp !== undefined || flags.volume !== undefined) {
      if (flags.esp === undefined || flags.volume === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --esp and --volume together.");
      const receipt = await stagePartitions(media, flags.esp, flags.volume, { ...common, ...receiptOptions, onProgress: (event) => progress.update(event.phase, event.done, event.total) });
      progress.end();
      return print(context, flags.json, [{ disk: flags.volume, outcome: "staged", receipt }], `${flags.volume}: staged, ${receipt.files.verified} files read back and verified`);
    }
    const disks = (flags.disk ?? []).map((disk) => resolve(disk));
    if (disks.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected at least one --disk; found none.");
    const planOptions = { ...common, ...(flags.size && { createSizeBytes: parseSize(flags.size) }) };
    const wipe = [...(flags.wipe ?? [])];
    if (flags.dryRun === true) {
      const plans = await Promise.all(disks.map((disk) => planStage(media, disk, { ...planOptions, wipe })));
      return print(context, flags.json, plans, plans.map(planText).join("\n\n"));
    }
    for (const disk of disks) wipe.push(...(await confirmWipe(context, media, disk, { ...planOptions, wipe })));
    const results = await stage(media, disks, { ...planOptions, ...receiptOptions, wipe, onProgress: (event) => progress.update(disks.length > 1 ? `${event.disk.split("/").at(-1) ?? ""} ${event.phase}` : event.phase, event.done, event.total) });
    progress.end();
    const shown = results.map((one) => (one.outcome === "staged" ? one : { disk: one.disk, outcome: one.outcome, error: { code: "code" in one.error ? one.error.code : "PRESTAGE_UNEXPECTED", message: one.error.message } }));
    print(context, flags.json, shown, table(["DISK", "OUTCOME", "FILES VERIFIED", "RECEIPT"], results.map((one) => (one.outcome === "staged" ? [one.disk, "staged", String(one.receipt.files.verified), one.receiptFile ?? "on the disk"] : [one.disk, `failed: ${one.error.message}`, "-", "-"]))));
    const failed = results.filter((one) => one.outcome === "failed");
    const [only] = failed;
    if (only?.outcome === "failed" && results.length === 1) throw only.error;
    if (failed.length > 0) throw new CliError("PRESTAGE_CLI_FAILED_PARTLY", `Expected ${results.length} disks to be staged; ${failed.length} failed.`);
  },
});

/** On a terminal the last four characters of the serial number are typed; elsewhere --wipe must name it. */
async function confirmWipe(context: Context, media: string, disk: string, options: Parameters<typeof planStage>[2]): Promise<string[]> {
  try {
    await planStage(media, disk, options);
    return [];
  } catch (cause) {
    if (!(cause instanceof StagingError) || cause.code !== "PRESTAGE_STAGING_NOT_EMPTY" || !context.process.stdin.isTTY) throw cause;
    const serial = /--wipe (\S+)$/.exec(cause.message)?.[1] ?? "";
    context.process.stderr.write(`${cause.message}\n`);
    const input = createInterface({ input: context.process.stdin, output: context.process.stderr });
    const typed = await input.question(`Everything on ${disk} will be lost. Type the last 4 characters of ${serial} to go on: `, { signal: context.signal }).finally(() => input.close());
    if (serial.length < 4 || typed.trim() !== serial.slice(-4)) throw cause;
    return [serial];
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
    `  lays ${plan.files} files, ${bytes(plan.bytes)}, of media ${plan.mediaId.slice(0, 16)}, reads each back, leaves a receipt`,
  ].join("\n");
}

export const receiptRoutes = buildRouteMap({
  docs: { brief: "Receipts: import, list, show" },
  routes: {
    import: command<SiteFlags, [string]>({
      brief: "Give the site a receipt; without a registered depot's signature it is kept as unconfirmed",
      example: "prestage receipt import disk.img.receipt.json",
      parameters: { flags: siteFlags, positional: one("Receipt", "FILE") },
      async run(context, flags, file) {
        const receipt = receiptSchema.parse(JSON.parse(await readFile(file, "utf8")));
        const kept = await (await SiteClient.open(context, flags.data)).call("POST", "/receipts", z.object({ id: z.string(), confirmed: z.boolean() }), receipt);
        print(context, flags.json, kept, `${kept.id}  kept as ${kept.confirmed ? "confirmed" : "unconfirmed"}`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the receipts",
      example: "prestage receipt list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/receipts", z.array(receiptRecordSchema));
        print(context, flags.json, found, table(["ID", "MEDIA", "DISK", "CONFIRMED", "IMPORTED"], found.map((r) => [r.id, r.mediaId.slice(0, 16), typeof r.receipt["diskSerial"] === "string" ? r.receipt["diskSerial"] : "-", r.confirmed ? "yes" : "no", r.imported])));
      },
    }),
    show: command<{ json?: boolean }, [string]>({
      brief: "Show a receipt file",
      example: "prestage receipt show disk.img.receipt.json",
      parameters: { flags: jsonFlag, positional: one("Receipt", "FILE") },
      async run(context, flags, file) {
        const receipt = receiptSchema.parse(JSON.parse(await readFile(file, "utf8")));
        const rows = [["Media", receipt.mediaId], ["Disk", `${receipt.diskSerial ?? "no serial"}, ${bytes(receipt.diskSizeBytes)}`], ["Disk GUID", receipt.diskGuid], ["Files verified", `${receipt.files.verified} of ${receipt.files.count}, ${bytes(receipt.files.bytes)}`], ["Staged", `${receipt.time} by ${receipt.operator ?? "-"} with ${receipt.toolVersion}`], ["Depot signature", "none"]];
        print(context, flags.json, receipt, rows.map(([name = "", value = ""]) => `${name.padEnd(18)}${value}`).join("\n"));
      },
    }),
  },
});
