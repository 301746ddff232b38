import type { DistributionPoint, DistributionStatus, PublishLocation } from "@prestage/contract";
import type { SiteContext } from "../site-context.ts";
import type { Database } from "../database/open-database.ts";
import { notFound, SiteError } from "../error.ts";
import { listObjects } from "./objects.ts";
import { storedVersions } from "./stored-versions.ts";

/** The distribution points an administrator named, in the order devices try them. */
export async function listDistributionPoints(db: Database): Promise<DistributionPoint[]> {
  const rows = await db.selectFrom("distribution_point").selectAll().orderBy("order").orderBy("url").execute();
  return rows.map(({ url, order, target }) => ({ url, order, ...(target !== null && { target }) }));
}

/** `target` undefined: it stays as it was. */
export async function setDistributionPoint(db: Database, { url, order, target }: { url: string; order: number; target?: PublishLocation | null | undefined }): Promise<void> {
  const change = { order, ...(target !== undefined && { target: target === null ? null : JSON.stringify(target) }) };
  await db.insertInto("distribution_point").values({ url, ...change }).onConflict((conflict) => conflict.column("url").doUpdateSet(change)).execute();
}

export async function removeDistributionPoint(db: Database, url: string): Promise<void> {
  await db.transaction().execute(async (within) => {
    await within.deleteFrom("distribution_point").where("url", "=", url).execute();
    await within.deleteFrom("distribution_status").where("url", "=", url).execute();
  });
}

/** Those named come in this order, the others after them as they were. @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function orderDistributionPoints(db: Database, urls: readonly string[]): Promise<DistributionPoint[]> {
  return db.transaction().execute(async (within) => {
    const all = (await listDistributionPoints(within)).map((point) => point.url);
    const unknown = urls.find((url) => !all.includes(url));
    if (unknown !== undefined) throw notFound("distribution point", unknown);
    const ordered = [...new Set([...urls, ...all])];
    for (const [i, url] of ordered.entries()) await within.updateTable("distribution_point").set({ order: i + 1 }).where("url", "=", url).execute();
    return listDistributionPoints(within);
  });
}

/** A distribution point to look after: one that was named, or the site itself where none was. */
export interface PointToValidate { url: string; own: boolean; target?: PublishLocation | undefined }

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function pointsToValidate(context: SiteContext, url: string | undefined): Promise<PointToValidate[]> {
  const own = new Set(context.publicUrls().map(plain));
  const named = (await listDistributionPoints(context.db)).map(({ url: one, target }) => ({ url: one, own: own.has(plain(one)), target }));
  const points: PointToValidate[] = named.length > 0 ? named : context.publicUrls().slice(0, 1).map((one) => ({ url: one, own: true }));
  const chosen = url === undefined ? points : points.filter((point) => plain(point.url) === plain(url));
  if (chosen.length === 0 && url !== undefined) throw notFound("distribution point", url);
  return chosen;
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_CONFLICT where the site cannot write what it serves */
export async function pointWithTarget(context: SiteContext, url: string): Promise<PointToValidate & { target: PublishLocation }> {
  const [point] = await pointsToValidate(context, url);
  if (point?.target !== undefined) return { ...point, target: point.target };
  throw new SiteError("PRESTAGE_SITE_CONFLICT", point?.own === true
    ? "Expected a distribution point content is published to; this is the site's own, which serves the library itself. Validate the library (`prestage content validate`), and import again what is damaged."
    : `Expected to know where ${url} has its files from; the site does not. Name it with \`prestage distribution-point set ${url} --order N --target DIR\`, or publish there by hand.`);
}

export async function keepStatus(db: Database, status: Omit<DistributionStatus, "objectIds" | "names" | "checked"> & { checked: Date }): Promise<void> {
  const { url, contentId, state, full, checked } = status;
  const values = { state, faults: JSON.stringify(status.faults), full, checked };
  await db.insertInto("distribution_status").values({ url, content_id: contentId, ...values }).onConflict((conflict) => conflict.columns(["url", "content_id"]).doUpdateSet(values)).execute();
}

export async function forgetStatus(db: Database, url: string, contentId: string): Promise<void> {
  await db.deleteFrom("distribution_status").where("url", "=", url).where("content_id", "=", contentId).execute();
}

/** What validation found, by distribution point and content version, with the objects it belongs to. */
export async function listStatus(db: Database, url: string | undefined): Promise<DistributionStatus[]> {
  const versions = new Map((await storedVersions(db)).map((version) => [version.contentId, version.objectIds]));
  const names = new Map((await listObjects(db)).map((object) => [object.id, object.name]));
  const rows = await db.selectFrom("distribution_status").selectAll().orderBy("url").orderBy("content_id").execute();
  return rows.filter((row) => url === undefined || plain(row.url) === plain(url)).map((row) => {
    const objectIds = versions.get(row.content_id) ?? [];
    return { url: row.url, contentId: row.content_id, objectIds, names: objectIds.map((id) => names.get(id) ?? id), state: row.state, faults: row.faults, full: row.full, checked: row.checked.toISOString() };
  });
}

const plain = (url: string): string => url.replace(/\/+$/, "");
