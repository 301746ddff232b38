import { contentPlanSchema, mediaRecordSchema } from "@prestage/contract";
import type { ContentPlan } from "@prestage/contract";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, flag, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { bytes, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";

export const plan = command<SiteFlags & { taskSequence?: string; files?: boolean }, [string]>({
  brief: "Say what a computer started from a media would fetch now, and how: whole, by chunks, by pieces or by patch",
  example: "prestage media plan 3f9a61c2d07be145\nprestage media plan 3f9a61c2d07be145 --files",
  parameters: {
    flags: { ...siteFlags, taskSequence: optionalText("Task sequence it would run; else the one the media was made for", "ID"), files: flag("Each file, with its way and price") },
    positional: one("Media, or how its id begins", "ID"),
  },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const { mediaId } = byPrefix(await client.call("GET", "/media", z.array(mediaRecordSchema)), (media) => media.mediaId, id, "media");
    const query = flags.taskSequence === undefined ? "" : `?taskSequence=${encodeURIComponent(objectId(flags.taskSequence))}`;
    const plans = await client.call("GET", `/media/${mediaId}/plan${query}`, z.array(contentPlanSchema));
    const tables = [contentTable(plans), ...(flags.files === true ? [fileTable(plans)] : []), ...plans.filter(isOldBootImage).map(({ name, revision }) => `Boot image ${name}: revision ${revision} is newer than the media's. Computers start from what they have; \`prestage media refresh\` and \`stage --refresh\` bring it, and \`media refresh --dry-run\` says for how many bytes.`)];
    print(context, flags.json, plans, tables.join("\n\n"));
  },
});

function contentTable(plans: readonly ContentPlan[]): string {
  const fetched = (one: Pick<ContentPlan, "bytes" | "described">) => one.bytes + one.described;
  const total = plans.filter((one) => one.kind !== "boot-image").reduce((sum, one) => ({ bytes: sum.bytes + one.bytes, described: sum.described + one.described, full: sum.full + one.full }), { bytes: 0, described: 0, full: 0 });
  const share = (part: number, whole: number) => (whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`);
  const rows = plans.map((one) => [one.objectId, one.kind, one.name, String(one.revision), one.state, bytes(fetched(one)), share(fetched(one), one.full), bytes(one.full)]);
  return table(["ID", "KIND", "NAME", "REVISION", "STATE", "TO FETCH", "OF WHOLE", "WHOLE"], [...rows, ["", "", "Total", "", "", bytes(fetched(total)), share(fetched(total), total.full), bytes(total.full)]]);
}

function isOldBootImage(one: ContentPlan): boolean {
  return one.kind === "boot-image" && one.state === "revised";
}

function fileTable(plans: readonly ContentPlan[]): string {
  const rows = plans.flatMap((one) => one.ways.map((way) => [one.name, way.paths.join(", "), way.way, bytes(way.bytes), String(way.requests), way.whole === undefined ? "-" : bytes(way.whole)]));
  return rows.length === 0 ? "Every file is on the media." : table(["CONTENT", "FILE", "WAY", "TO FETCH", "REQUESTS", "WHOLE"], rows);
}
