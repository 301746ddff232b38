import type { RunRecord, StatusMessage } from "@prestage/contract";
import { parseTaskSequenceYaml } from "@prestage/sequence";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import type { RecordedRun } from "./due.ts";
import { openSequence } from "./sequences.ts";

/** Status messages that begin or end a run. */
export function isOfRun(message: StatusMessage): boolean {
  return message.deploymentId !== undefined && (message.kind === "sequence-started" || message.kind === "sequence-finished");
}

/** Minutes a run may last before it is marked; 0 is 12 hours (features.md F165). */
export const usualMinutes = 120;
const zeroMinutes = 720;

/** Keeps what a message says of a run: its begin, or the end of the last one that began. */
export async function recordRun(db: Database, deviceId: string, message: StatusMessage): Promise<void> {
  const { number, deploymentId, kind, outcome } = message;
  if (deploymentId === undefined) return;
  const time = new Date(message.time);
  if (kind === "sequence-started") {
    await db.insertInto("run").values({ device_id: deviceId, number, deployment_id: deploymentId, started: time, maximum_minutes: await maximumMinutes(db, deploymentId) }).onConflict((conflict) => conflict.doNothing()).execute();
    return;
  }
  const open = await db.selectFrom("run").select("number").where("device_id", "=", deviceId).where("deployment_id", "=", deploymentId).where("number", "<", number).orderBy("number", "desc").limit(1).executeTakeFirst();
  if (open !== undefined) await db.updateTable("run").set({ finished: time, outcome: outcome ?? null }).where("device_id", "=", deviceId).where("number", "=", open.number).where("finished", "is", null).execute();
}

async function maximumMinutes(db: Database, deploymentId: string): Promise<number> {
  const deployment = await db.selectFrom("deployment").select("sequence_id").where("id", "=", deploymentId).executeTakeFirst();
  if (deployment === undefined) return usualMinutes;
  const maximum = saidMinutes((await openSequence(db, deployment.sequence_id)).record.yaml);
  return maximum === 0 ? zeroMinutes : maximum;
}

/** A text that can no longer be read - an older version of the site took it - loses no message: the computer would send it for ever. */
function saidMinutes(yaml: string): number {
  try {
    return parseTaskSequenceYaml(yaml).maximumRunMinutes ?? usualMinutes;
  } catch {
    return usualMinutes;
  }
}

/** A device's runs, by deployment. */
export async function runsOf(db: Database, deviceId: string): Promise<Map<string, RecordedRun[]>> {
  const rows = await db.selectFrom("run").select(["deployment_id", "started", "outcome"]).where("device_id", "=", deviceId).execute();
  return Map.groupBy(rows, (row) => row.deployment_id);
}

/** Of one device at a time one run goes on: what was begun before its newest was given up. */
const goesOn = sql<boolean>`run.finished IS NULL AND run.number = (SELECT max(number) FROM run AS newest WHERE newest.device_id = run.device_id)`;
export const isOverdue = sql<boolean>`(${goesOn} AND now() > run.started + make_interval(mins => run.maximum_minutes))`;

function selectRuns(db: Database) {
  return db.selectFrom("run").innerJoin("device", "device.id", "run.device_id").select(["device_id", "device.name as device_name", "deployment_id", "number", "started", "finished", "outcome", "maximum_minutes", isOverdue.as("overdue")]);
}

function recordOf(row: Awaited<ReturnType<ReturnType<typeof selectRuns>["execute"]>>[number]): RunRecord {
  return {
    deviceId: row.device_id, deviceName: row.device_name, deploymentId: row.deployment_id, started: row.started.toISOString(), finished: row.finished?.toISOString() ?? null,
    outcome: row.outcome === "succeeded" || row.outcome === "failed" || row.outcome === "skipped" ? row.outcome : null, maximumMinutes: row.maximum_minutes, overdue: row.overdue,
  };
}

/** Newest first; at most 5,000. */
export async function listRuns(db: Database, filter: { deploymentId?: string | undefined; deviceId?: string | undefined } = {}): Promise<RunRecord[]> {
  let query = selectRuns(db).orderBy("started", "desc").orderBy("number", "desc").limit(5000);
  if (filter.deploymentId !== undefined) query = query.where("deployment_id", "=", filter.deploymentId);
  if (filter.deviceId !== undefined) query = query.where("device_id", "=", filter.deviceId);
  return (await query.execute()).map(recordOf);
}

/** Each device's newest run. */
export async function newestRuns(db: Database, deviceId?: string): Promise<Map<string, RunRecord>> {
  let query = selectRuns(db).distinctOn("device_id").orderBy("device_id").orderBy("number", "desc");
  if (deviceId !== undefined) query = query.where("device_id", "=", deviceId);
  return new Map((await query.execute()).map((row) => [row.device_id, recordOf(row)]));
}
