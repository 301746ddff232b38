import { sharedBytes, validateVersion } from "@prestage/content";
import type { LibraryFault } from "@prestage/content";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listObjects } from "../store/objects.ts";
import { neededVersions } from "../store/stored-versions.ts";
import type { JobTools } from "./job-runner.ts";

/** A result is kept in the database. */
const mostFaults = 1000;

/** Reads every version of the library and compares it with what the site knows of it. */
export async function runValidate(context: SiteContext, tools: JobTools): Promise<Record<string, unknown>> {
  const rows = await context.db.selectFrom("object_revision").select(["content_id", "storage_sha256", "stored_bytes"]).distinct().execute();
  const total = rows.reduce((sum, row) => sum + Number(row.stored_bytes), 0);
  const faults: LibraryFault[] = [];
  let before = 0;
  for (const row of rows) {
    tools.signal.throwIfAborted();
    const found = await validateVersion(context.library.folderOf(row.content_id), row.content_id, row.storage_sha256, { signal: tools.signal, onProgress: ({ done }) => tools.onProgress({ phase: "validate", done: before + done, total }) });
    for (const fault of found) context.log.error(fault, "content in the library is damaged");
    faults.push(...found);
    before += Number(row.stored_bytes);
  }
  await audit(context, "administrator", "library-validate", `${rows.length} versions, ${faults.length} faults`);
  return { versions: rows.length, bytes: total, faults: faults.slice(0, mostFaults) };
}

/**
 * Stores once what several versions have. The newest OS and boot images stay whole files, which media are built from.
 */
export async function runShare(context: SiteContext, tools: JobTools): Promise<Record<string, unknown>> {
  const objects = await listObjects(context.db);
  const keepWhole = new Set(objects.filter(({ kind }) => kind === "os-image" || kind === "boot-image").map(({ contentId }) => contentId));
  const { shared, bytes } = await context.library.share({ keepWhole, signal: tools.signal, onProgress: ({ done, total }) => tools.onProgress({ phase: "share", done, total }) });
  return { shared, bytes, sharedBytes: await sharedBytes(context.library.root) };
}

/** Has it done in the background, where no job waits to do it. */
export async function scheduleShare(context: SiteContext): Promise<void> {
  const waiting = await context.db.selectFrom("job").select("id").where("kind", "=", "share").where("state", "=", "waiting").executeTakeFirst();
  if (waiting === undefined) await context.jobs.add("share", {});
}

/** Removes what no revision and no computer's policy names. May be interrupted at any moment: what is left is removed the next time. */
export async function runCollect(context: SiteContext, tools: JobTools): Promise<Record<string, unknown>> {
  const { removed, bytes } = await context.library.collect(await neededVersions(context.db), tools);
  await audit(context, "administrator", "library-collect", `${removed.length} versions, ${bytes} bytes`);
  return { removed, bytes };
}
