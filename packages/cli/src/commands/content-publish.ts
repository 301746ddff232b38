import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ContentLibrary, unpublishOthers } from "@prestage/content";
import { storedVersionSchema } from "@prestage/contract";
import { openPublishTarget } from "@prestage/site";
import { z } from "zod";
import { command, flag, one, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { bytes, counted, print, Progress } from "../output.ts";
import { locationFlags, publishLocation } from "../publish-location.ts";
import type { LocationFlags } from "../publish-location.ts";
import { defaultDataDirectory, SiteClient } from "../site-client.ts";

export const publish = command<SiteFlags & LocationFlags & { all?: boolean; prune?: boolean }, [string]>({
  brief: "Write content into a folder any web server with ranges can serve as a distribution point, or into a bucket of an S3 store; what is there already stays",
  example: "prestage content publish /srv/www/prestage --prune\nprestage content publish s3://deployment/prestage --endpoint https://s3.example.com --credentials /etc/prestage/s3-keys",
  parameters: {
    flags: { ...siteFlags, all: flag("Every revision; else the newest of each object alone"), prune: flag("Remove versions that are not published now"), ...locationFlags },
    positional: one("Folder the web server serves, or s3://BUCKET/PREFIX; neither may list what is in it, since an id is all one needs to fetch", "DIR|S3"),
  },
  async run(context, flags, place) {
    const location = publishLocation(place, flags);
    const client = await SiteClient.open(context, flags.data);
    const known = await client.call("GET", "/versions", z.array(storedVersionSchema));
    const versions = known.filter((version) => !version.confidential && (flags.all === true || version.newest));
    const data = flags.data ?? defaultDataDirectory();
    const library = new ContentLibrary(data);
    if (!(await stat(join(data, "content")).then((status) => status.isDirectory(), () => versions.length === 0))) throw new CliError("PRESTAGE_CLI_NO_SITE", `Expected the site's library in ${data}; found none. Run this on the site's own machine, with --data.`);
    const target = await openPublishTarget(location);
    const progress = new Progress(context);
    const total = versions.reduce((sum, version) => sum + version.storedBytes, 0);
    let [before, written] = [0, 0];
    for (const { contentId, storedBytes } of versions) {
      written += await target.publish(library, contentId, { signal: context.signal, onProgress: ({ done }) => progress.update("publish", before + Math.min(done, storedBytes), total) });
      before += storedBytes;
    }
    progress.end();
    // What has become confidential since goes in any case.
    const staying = new Set(flags.prune === true ? versions.map((version) => version.contentId) : (await target.published(context.signal)).filter((id) => !known.some((version) => version.confidential && version.contentId === id)));
    const removed = await unpublishOthers(target, staying, context.signal);
    const confidential = known.filter((version) => version.confidential).length;
    print(context, flags.json, { folder: target.name, versions: versions.length, written, removed, confidential }, `${target.name}: ${counted(versions.length, "version")}, ${bytes(written)} written${removed.length > 0 ? `, ${counted(removed.length, "version")} removed` : ""}${confidential > 0 ? `; ${counted(confidential, "confidential version")} not published` : ""}`);
  },
});
