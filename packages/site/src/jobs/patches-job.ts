import { ContentError, makePatches, removePatches } from "@prestage/content";
import type { SiteContext } from "../site-context.ts";
import { keptPatches, wantedPatches } from "../store/patches.ts";
import type { JobTools } from "./job-runner.ts";

/** Bytes that were too few for a pair: with no more than these it is not tried again until the server starts anew, as trying takes all the work of making them. */
const tooFew = new Map<string, number>();

/** Has the patches looked after in the background, where something is to be made or dropped and no job waits to do it. */
export async function schedulePatches(context: SiteContext): Promise<void> {
  if (!context.configuration.patches) return;
  const [wanted, kept] = [await wantedPatches(context), await keptPatches(context)];
  if (wanted.every((pair) => pair.bytes !== null) && kept.every((pair) => isAmong(wanted, pair))) return;
  const waiting = await context.db.selectFrom("job").select("id").where("kind", "=", "patches").where("state", "=", "waiting").executeTakeFirst();
  if (waiting === undefined) await context.jobs.add("patches", {});
}

/**
 * Drops the patches nothing needs any more, then makes those that are missing, one after the other at the lowest priority, until the space
 * set aside for them is used up. A pair that fails is told, and the others are made all the same.
 */
export async function runPatches(context: SiteContext, tools: JobTools): Promise<Record<string, unknown>> {
  const wanted = await wantedPatches(context);
  let removed = 0;
  for (const pair of await keptPatches(context)) {
    if (isAmong(wanted, pair)) continue;
    await removePatches(context.library, pair.from, pair.to);
    removed++;
  }
  let bytes = wanted.reduce((sum, pair) => sum + (pair.bytes ?? 0), 0);
  let made = 0;
  const failed: string[] = [];
  const missing = wanted.filter((pair) => pair.bytes === null);
  for (const [i, pair] of missing.entries()) {
    tools.signal.throwIfAborted();
    if (bytes >= context.configuration.patchSpaceBytes) {
      context.log.warn({ bytes, left: missing.length - i }, "the space for patches is used up");
      break;
    }
    const [name, spaceBytes] = [`${pair.from} ${pair.to}`, context.configuration.patchSpaceBytes - bytes];
    if (spaceBytes <= (tooFew.get(name) ?? -1)) {
      failed.push(`${pair.name}: its patches did not fit in ${tooFew.get(name)} bytes when they were made last`);
      continue;
    }
    try {
      const onProgress = ({ done, total }: { done: number; total: number }) => tools.onProgress({ phase: `patches of ${pair.name} (${i + 1} of ${missing.length})`, done, total });
      const offer = await makePatches(context.library, pair.from, pair.to, { level: context.configuration.patchLevel, spaceBytes, signal: tools.signal, onProgress });
      bytes += offer.bytes;
      made++;
    } catch (cause) {
      tools.signal.throwIfAborted();
      if (cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_PATCH_SPACE") tooFew.set(name, spaceBytes);
      context.log.warn({ err: cause, ...pair }, "patches failed");
      failed.push(`${pair.name}: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, 500));
    }
  }
  return { made, removed, bytes, failed };
}

function isAmong(wanted: readonly { from: string; to: string }[], pair: { from: string; to: string }): boolean {
  return wanted.some((one) => one.from === pair.from && one.to === pair.to);
}
