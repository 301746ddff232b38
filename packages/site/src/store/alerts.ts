import type { Alert, AlertKind } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";
import { countComputers } from "./deployment-counts.ts";
import type { DeploymentCounts } from "./deployment-counts.ts";

interface Thresholds { alert_success_below: number | null; alert_success_by: Date | null; alert_failure_above: number | null }

/** What is true of a deployment now: its kinds of alert, with the threshold and the percentage found (features.md F156). */
export function alertsThatHold(thresholds: Thresholds, counts: Pick<DeploymentCounts, "reached" | "succeeded" | "failed">, now: Date): Map<AlertKind, { threshold: number; percent: number }> {
  const { alert_success_below: below, alert_success_by: by, alert_failure_above: above } = thresholds;
  const hold = new Map<AlertKind, { threshold: number; percent: number }>();
  // What is shown is rounded, but never onto the threshold that it has passed. Of no computers nothing can be said.
  if (counts.reached === 0) return hold;
  const succeeded = (counts.succeeded / counts.reached) * 100;
  const failed = (counts.failed / counts.reached) * 100;
  if (below !== null && by !== null && now >= by && succeeded < below) hold.set("success-below", { threshold: below, percent: Math.min(Math.round(succeeded), below - 1) });
  if (above !== null && failed > above) hold.set("failure-above", { threshold: above, percent: Math.max(Math.round(failed), above + 1) });
  return hold;
}

/** Opens what has come true and clears what is true no more. One that was closed by hand stays closed for as long as it is true. */
export async function updateAlerts(db: Database, now: Date): Promise<void> {
  const deployments = await db.selectFrom("deployment").select(["id", "enabled", "alert_success_below", "alert_success_by", "alert_failure_above"]).where((is) => is.or([is("alert_success_below", "is not", null), is("alert_failure_above", "is not", null), is("id", "in", is.selectFrom("alert").select("deployment_id").where("cleared", "is", null))])).execute();
  if (deployments.length === 0) return;
  const counts = await countComputers(db, deployments.map(({ id }) => id));
  const standing = await db.selectFrom("alert").select(["id", "deployment_id", "kind"]).where("cleared", "is", null).execute();
  for (const deployment of deployments) {
    const counted = counts.get(deployment.id);
    const hold = deployment.enabled && counted !== undefined ? alertsThatHold(deployment, counted, now) : new Map<AlertKind, never>();
    for (const alert of standing) if (alert.deployment_id === deployment.id && !hold.has(alert.kind)) await db.updateTable("alert").set({ cleared: now }).where("id", "=", alert.id).execute();
    for (const [kind, found] of hold) await db.insertInto("alert").values({ deployment_id: deployment.id, kind, ...found, opened: now }).onConflict((conflict) => conflict.doNothing()).execute();
  }
}

function selectAlerts(db: Database) {
  return db.selectFrom("alert").innerJoin("deployment", "deployment.id", "deployment_id").innerJoin("task_sequence", "task_sequence.id", "sequence_id").selectAll("alert").select("task_sequence.name");
}

function recordOf(row: Awaited<ReturnType<ReturnType<typeof selectAlerts>["execute"]>>[number]): Alert {
  return { id: row.id, deploymentId: row.deployment_id, taskSequenceName: row.name, kind: row.kind, threshold: row.threshold, percent: row.percent, opened: row.opened.toISOString(), cleared: row.cleared?.toISOString() ?? null, closed: row.closed?.toISOString() ?? null };
}

/** Newest first; without `all` those that are open. */
export async function listAlerts(db: Database, all = false): Promise<Alert[]> {
  let query = selectAlerts(db).orderBy("opened", "desc").orderBy("alert.id").limit(1000);
  if (!all) query = query.where("cleared", "is", null).where("closed", "is", null);
  return (await query.execute()).map(recordOf);
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function closeAlert(db: Database, id: string, now: Date): Promise<Alert> {
  await db.updateTable("alert").set({ closed: now }).where("id", "=", id).where("closed", "is", null).execute();
  const row = await selectAlerts(db).where("alert.id", "=", id).executeTakeFirst();
  if (row === undefined) throw notFound("alert", id);
  return recordOf(row);
}
