import { ContentError, makePatches, makePiecesApart, removePatches } from "@prestage/content";
import type { PatchRecord } from "@prestage/contract";
import { z } from "zod";
import type { SiteContext } from "../site-context.ts";
import { keptPatches, wantedPatches, wantedPieces } from "../store/patches.ts";
import type { JobTools } from "./job-runner.ts";

/** Bytes that were too few for a pair: with no more than these it is not tried again until the server starts anew, as trying takes all the work of making them. */
const tooFew = new Map<string, number>();

const dataSchema = z.object({ patches: z.boolean().optional() });

/** Has the patches and pieces looked after in the background, where something is to be made or dropped and no job waits to do it. */
export async function schedulePatches(context: SiteContext): Promise<void> {
  const { patches, pieces } = context.configuration;
  if (!patches && !pieces) return;
  const pairs = await wantedPatches(context);
  const packs = await wantedPieces(context, pairs);
  const kept = await keptPatches(context);
  if ((patches ? pairs : packs).every((pair) => pair.bytes !== null) && kept.every((pair) => isAmong([...pairs, ...packs], pair))) return;
  const waiting = await context.db.selectFrom("job").select("id").where("kind", "=", "patches").where("state", "=", "waiting").executeTakeFirst();
  if (waiting === undefined) await context.jobs.add("patches", { patches });
}

/**
 * Drops the patches and packs of pieces nothing needs any more, then makes those that are missing, one after the other at the lowest priority, until the
 * space set aside for them is used up: the patches first (`patches` false: none), then the pieces of the versions to which some are missing still. One
 * that fails is told, and the others are made all the same.
 */
export async function runPatches(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const { patches } = dataSchema.parse(data);
  const pairs = await wantedPatches(context);
  const needed = [...pairs, ...(await wantedPieces(context, pairs))];
  let removed = 0;
  for (const pair of await keptPatches(context)) {
    if (isAmong(needed, pair)) continue;
    await removePatches(context.library, pair.from, pair.to);
    removed++;
  }
  const work: PackWork = { context, tools, bytes: needed.reduce((sum, pair) => sum + (pair.bytes ?? 0), 0), made: 0, failed: [] };
  if (patches !== false) await makeMissing(pairs, "patches", work);
  await makeMissing(await wantedPieces(context, await wantedPatches(context)), "pieces", work);
  return { made: work.made, removed, bytes: work.bytes, failed: work.failed };
}

interface PackWork { context: SiteContext; tools: JobTools; bytes: number; made: number; failed: string[] }

async function makeMissing(wanted: readonly PatchRecord[], what: "patches" | "pieces", work: PackWork): Promise<void> {
  const { context, tools, failed } = work;
  const missing = wanted.filter((pair) => pair.bytes === null);
  for (const [i, pair] of missing.entries()) {
    tools.signal.throwIfAborted();
    if (work.bytes >= context.configuration.patchSpaceBytes) {
      context.log.warn({ bytes: work.bytes, left: missing.length - i }, "the space for patches is used up");
      break;
    }
    const [name, spaceBytes] = [`${pair.from} ${pair.to}`, context.configuration.patchSpaceBytes - work.bytes];
    if (spaceBytes <= (tooFew.get(name) ?? -1)) {
      failed.push(`${pair.name}: its ${what} did not fit in ${tooFew.get(name)} bytes when they were made last`);
      continue;
    }
    try {
      const onProgress = ({ done, total }: { done: number; total: number }) => tools.onProgress({ phase: `${what} of ${pair.name} (${i + 1} of ${missing.length})`, done, total });
      const options = { spaceBytes, signal: tools.signal, onProgress };
      const offer = what === "patches" ? await makePatches(context.library, pair.from, pair.to, { level: context.configuration.patchLevel, ...options }) : await makePiecesApart(context.library, pair.to, options);
      if (offer === undefined) continue;
      work.bytes += offer.bytes;
      work.made++;
    } catch (cause) {
      tools.signal.throwIfAborted();
      if (cause instanceof ContentError && cause.code === "PRESTAGE_CONTENT_PATCH_SPACE") tooFew.set(name, spaceBytes);
      context.log.warn({ err: cause, ...pair }, `${what} failed`);
      failed.push(`${pair.name}: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, 500));
    }
  }
}

function isAmong(wanted: readonly { from: string; to: string }[], pair: { from: string; to: string }): boolean {
  return wanted.some((one) => one.from === pair.from && one.to === pair.to);
}
