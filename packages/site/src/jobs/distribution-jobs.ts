import { comparePublished, validateVersion } from "@prestage/content";
import type { ComparedVersion } from "@prestage/content";
import { redistributeRequestSchema, validateDistributionPointsRequestSchema } from "@prestage/contract";
import type { StoredVersionRecord } from "@prestage/contract";
import { signUrlQuery } from "@prestage/trust";
import { readPoint } from "../distribution-point/read-point.ts";
import { openPublishTarget } from "../publish/open-target.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { forgetStatus, keepStatus, listStatus, pointsToValidate, pointWithTarget } from "../store/distribution-points.ts";
import type { PointToValidate } from "../store/distribution-points.ts";
import { storedVersions } from "../store/stored-versions.ts";
import type { JobTools } from "./job-runner.ts";

/** A result and a status are kept in the database. */
const mostFaults = 20;
/** A signed address lives for the reading of one version. */
const addressSeconds = 6 * 3600;

interface Tally { versions: number; whole: number; missing: number; damaged: number; unreachable: number }

/** Reads what each distribution point serves and compares it with the library, over HTTP as a device does. */
export async function runValidatePoints(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const { url, full } = validateDistributionPointsRequestSchema.parse(data);
  const tally: Tally = { versions: 0, whole: 0, missing: 0, damaged: 0, unreachable: 0 };
  const points = await pointsToValidate(context, url);
  for (const point of points) {
    const found = await validatePoint(context, point, full, tools);
    for (const state of found) {
      tally.versions++;
      tally[state]++;
    }
  }
  await audit(context, "administrator", "distribution-points-validate", `${points.length} distribution points, ${tally.versions - tally.whole} versions not whole`);
  return { ...tally, distributionPoints: points.length };
}

/** One distribution point; where it does not answer the other versions are not asked for. */
async function validatePoint(context: SiteContext, point: PointToValidate, full: boolean, tools: JobTools): Promise<(keyof Omit<Tally, "versions">)[]> {
  const versions = await storedVersions(context.db);
  const total = versions.reduce((sum, version) => sum + version.storedBytes, 0);
  const known = new Map((await listStatus(context.db, point.url)).map((status) => [status.contentId, status]));
  for (const contentId of known.keys()) if (!versions.some((version) => version.contentId === contentId)) await forgetStatus(context.db, point.url, contentId);
  const states: (keyof Omit<Tally, "versions">)[] = [];
  let [done, silent]: [number, string | undefined] = [0, undefined];
  for (const version of versions) {
    tools.signal.throwIfAborted();
    const expected = point.own || (version.newest && !version.confidential);
    let found: { state: keyof Omit<Tally, "versions">; faults: string[] };
    try {
      found = silent === undefined ? judge(point, version, await compare(context, point, version.contentId, full, tools, done, total)) : { state: "unreachable", faults: [silent] };
    } catch (cause) {
      tools.signal.throwIfAborted();
      silent = cause instanceof Error ? cause.message : String(cause);
      found = { state: "unreachable", faults: [silent] };
    }
    done += version.storedBytes;
    // An older version need not be there; while the distribution point is silent nothing is known of it.
    if (!expected && (found.state === "missing" || found.state === "unreachable")) {
      if (found.state === "missing") await forgetStatus(context.db, point.url, version.contentId);
      continue;
    }
    states.push(found.state);
    if (found.state !== "whole") context.log.error({ url: point.url, contentId: version.contentId, state: found.state, faults: found.faults }, "content at a distribution point is not whole");
    // What every byte was read for is not made good by samples.
    const before = known.get(version.contentId);
    if (!full && before?.full === true && before.state === "damaged" && found.state === "whole") {
      states[states.length - 1] = "damaged";
      continue;
    }
    await keepStatus(context.db, { url: point.url, contentId: version.contentId, ...found, full, checked: context.now() });
  }
  return states;
}

function compare(context: SiteContext, point: PointToValidate, contentId: string, full: boolean, tools: JobTools, before: number, total: number): Promise<ComparedVersion> {
  const expires = Math.floor(context.now().getTime() / 1000) + addressSeconds;
  const query = (path: string) => signUrlQuery(path, "validation", expires, context.keys.signing.url);
  const read = readPoint(point.url, contentId, { ca: context.keys.authority.certificate, query, signal: tools.signal });
  return comparePublished(context.library, contentId, read, { full, signal: tools.signal, onProgress: ({ done }) => tools.onProgress({ phase: `validate ${point.url}`, done: before + done, total: Math.max(total, before + done) }) });
}

function judge(point: PointToValidate, version: StoredVersionRecord, found: ComparedVersion): { state: ComparedVersion["state"]; faults: string[] } {
  if (!point.own && version.confidential && found.state !== "missing") return { state: "damaged", faults: [`${version.objectIds.join(", ")} is confidential and must not be here`] };
  return { state: found.state, faults: found.faults.slice(0, mostFaults).map(({ file, fault }) => `${file} ${fault}`) };
}

/** Publishes again what a distribution point lacks or has damaged, after its source in the library was read; then reads it back. */
export async function runRedistribute(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const { url } = redistributeRequestSchema.parse(data);
  const point = await pointWithTarget(context, url);
  const target = await openPublishTarget(point.target);
  await validatePoint(context, point, false, tools);
  const versions = new Map((await storedVersions(context.db)).map((version) => [version.contentId, version]));
  const wrong = (await listStatus(context.db, point.url)).filter(({ state }) => state === "missing" || state === "damaged");
  const published: string[] = [];
  const removed: string[] = [];
  const failed: string[] = [];
  let bytes = 0;
  for (const { contentId, state } of wrong) {
    tools.signal.throwIfAborted();
    if (versions.get(contentId)?.confidential === true) {
      await target.unpublish(contentId, tools.signal);
      await forgetStatus(context.db, point.url, contentId);
      removed.push(contentId);
      continue;
    }
    const [fault] = await validateVersion(context.library.folderOf(contentId), contentId, undefined, { signal: tools.signal });
    if (fault !== undefined) {
      failed.push(`${contentId}: the library's own ${fault.file} is damaged (${fault.fault}); import it again`.slice(0, 500));
      continue;
    }
    bytes += await target.publish(context.library, contentId, { signal: tools.signal, again: state === "damaged", onProgress: (event) => tools.onProgress({ phase: `publish to ${target.name}`, ...event }) });
    const after = await compare(context, point, contentId, state === "damaged", tools, 0, 0);
    await keepStatus(context.db, { url: point.url, contentId, state: after.state, faults: after.faults.slice(0, mostFaults).map(({ file, fault: text }) => `${file} ${text}`), full: state === "damaged", checked: context.now() });
    if (after.state === "whole") published.push(contentId);
    else failed.push(`${contentId}: published to ${target.name}, and still ${after.state} at ${point.url}: is that what it serves?`.slice(0, 500));
  }
  await audit(context, "administrator", "distribution-point-redistribute", `${point.url}: ${published.length} published, ${removed.length} removed, ${failed.length} failed`);
  return { published, removed, failed, bytes };
}
