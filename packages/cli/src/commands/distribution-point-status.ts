import { distributionStatusSchema } from "@prestage/contract";
import type { DistributionStatus } from "@prestage/contract";
import { z } from "zod";
import { command, flag, one, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

const someUrl = { kind: "tuple", parameters: [{ parse: String, brief: "Its URL; else every one", placeholder: "URL", optional: true }] } as const;

function statusOf(client: SiteClient, url: string | undefined): Promise<DistributionStatus[]> {
  return client.call("GET", `/distribution-points/status${url === undefined ? "" : `?url=${encodeURIComponent(url)}`}`, z.array(distributionStatusSchema));
}

function statusText(found: readonly DistributionStatus[]): string {
  if (found.length === 0) return "Nothing was validated yet: prestage distribution-point validate";
  return table(["DISTRIBUTION POINT", "CONTENT", "NAME", "STATE", "VALIDATED", "FAULT"], found.map((one) => [one.url, one.contentId.slice(0, 16), one.names.join(", ") || "-", one.state, `${one.checked.slice(0, 16)}Z${one.full ? ", every byte" : ""}`, one.faults[0] ?? ""]));
}

export const status = command<SiteFlags, [string?]>({
  brief: "Show what validation found at each distribution point, by content version",
  example: "prestage distribution-point status https://dp2.example.com",
  parameters: { flags: siteFlags, positional: someUrl },
  async run(context, flags, url) {
    const found = await statusOf(await SiteClient.open(context, flags.data), url);
    print(context, flags.json, found, statusText(found));
  },
});

export const validate = command<SiteFlags & { full?: boolean }, [string?]>({
  brief: "Read what distribution points serve, over HTTP as a computer does, and compare it with the library; exit code 1 where anything is missing or damaged",
  example: "prestage distribution-point validate\nprestage distribution-point validate https://dp2.example.com --full",
  parameters: { flags: { ...siteFlags, full: flag("Every byte; else sizes, small files, and samples of the large ones") }, positional: someUrl },
  async run(context, flags, url) {
    const client = await SiteClient.open(context, flags.data);
    await client.runJob("/distribution-points/validate", { ...(url !== undefined && { url }), full: flags.full === true });
    const found = await statusOf(client, url);
    print(context, flags.json, found, statusText(found));
    const bad = found.filter((one) => one.state !== "whole");
    if (bad.length > 0) throw new CliError("PRESTAGE_CLI_DISTRIBUTION_POINT_DAMAGED", `Expected every version whole at its distribution points; found ${counted(bad.length, "that is not", "that are not")}. Publish them again with \`prestage distribution-point redistribute URL\`.`);
  },
});

const redistributedSchema = z.object({ published: z.array(z.string()), removed: z.array(z.string()), failed: z.array(z.string()), bytes: z.int() });

export const redistribute = command<SiteFlags, [string]>({
  brief: "Publish again what a distribution point lacks or has damaged, and read it back; exit code 1 where that failed",
  example: "prestage distribution-point redistribute https://dp2.example.com",
  parameters: { flags: siteFlags, positional: one("Its URL; `distribution-point set --target` says where it has its files from", "URL") },
  async run(context, flags, url) {
    const job = await (await SiteClient.open(context, flags.data)).runJob("/distribution-points/redistribute", { url });
    const result = redistributedSchema.parse(job.result);
    const removed = result.removed.length > 0 ? `, ${counted(result.removed.length, "confidential version")} removed` : "";
    print(context, flags.json, result, [...result.failed, `${url}: ${counted(result.published.length, "version")} published again, ${bytes(result.bytes)}${removed}`].join("\n"));
    if (result.failed.length > 0) throw new CliError("PRESTAGE_CLI_FAILED_PARTLY", `Expected to publish everything again; ${counted(result.failed.length, "version")} failed.`);
  },
});
