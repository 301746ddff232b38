import { mediaRecordSchema, revisedContentSchema } from "@prestage/contract";
import type { MediaRecord } from "@prestage/contract";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, flag, one, siteFlags, text } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { bytes, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

const idArgument = one("Media, or how its id begins", "ID");

/** Media as lists show them. */
function mediaTable(media: readonly MediaRecord[]): string {
  const head = ["MEDIA", "TASK SEQUENCE", "VERSION", "STATE", "VALID TO", "STAGED", "NEVER STARTED", "STARTED", "SIZE", "CREATED"];
  return table(head, media.map((m) => [m.mediaId.slice(0, 16), m.manifest.taskSequence.name, m.manifest.version || "-", m.state, m.validTo ?? "no end", String(m.staged), String(m.neverStarted), String(m.started), bytes(m.size), m.created]));
}

async function find(client: SiteClient, id: string): Promise<MediaRecord> {
  return byPrefix(await client.call("GET", "/media", z.array(mediaRecordSchema)), (media) => media.mediaId, id, "media");
}

export const list = command<SiteFlags>({
  brief: "List the media the site has built: whether they are valid, how many disks were staged from each and how many started",
  example: "prestage media list",
  parameters: { flags: siteFlags },
  async run(context, flags) {
    const found = await (await SiteClient.open(context, flags.data)).call("GET", "/media", z.array(mediaRecordSchema));
    print(context, flags.json, found, mediaTable(found));
  },
});

export const show = command<SiteFlags & { revised?: boolean }, [string]>({
  brief: "Show a media at the site; with --revised what it carries that has a newer revision there",
  example: "prestage media show 3f9a61c2d07be145 --revised",
  parameters: { flags: { ...siteFlags, revised: flag("Only content that has since been revised") }, positional: idArgument },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const media = await find(client, id);
    if (flags.revised !== true) {
      const content = table(["ID", "KIND", "NAME", "REVISION", "CONTENT"], media.manifest.content.map((c) => [c.objectId, c.kind, c.name, String(c.revision), c.contentId.slice(0, 16)]));
      return print(context, flags.json, media, `${mediaTable([media])}\n\n${content}`);
    }
    const revised = await client.call("GET", `/media/${media.mediaId}/revised`, z.array(revisedContentSchema));
    const rows = revised.map((r) => [r.objectId, r.kind, r.name, String(r.revision), String(r.newest.revision), r.newest.softwareVersion || "-", r.changed ? "content" : "settings", r.newest.created]);
    print(context, flags.json, revised, table(["ID", "KIND", "NAME", "ON MEDIA", "NEWEST", "VERSION", "CHANGED", "SINCE"], rows));
  },
});

export const renew = command<SiteFlags & { validTo: string }, [string]>({
  brief: "Prolong a media without touching its disks: computers get the new end, signed, when they contact the site",
  example: "prestage media renew 3f9a61c2d07be145 --valid-to 2028-01-01T00:00:00Z",
  parameters: { flags: { ...siteFlags, validTo: text("RFC 3339", "TIME") }, positional: idArgument },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const { mediaId } = await find(client, id);
    const renewed = await client.call("POST", `/media/${mediaId}/renew`, mediaRecordSchema, { validTo: flags.validTo });
    print(context, flags.json, renewed, mediaTable([renewed]));
  },
});

export const revoke = command<SiteFlags, [string]>({
  brief: "Revoke a media for good: no computer is let in with it, and those that were are refused from their next request on",
  example: "prestage media revoke 3f9a61c2d07be145",
  parameters: { flags: siteFlags, positional: idArgument },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const { mediaId } = await find(client, id);
    const revoked = await client.call("POST", `/media/${mediaId}/revoke`, mediaRecordSchema, {});
    print(context, flags.json, revoked, mediaTable([revoked]));
  },
});
