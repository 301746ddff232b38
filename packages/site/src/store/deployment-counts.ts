import type { Deployment } from "@prestage/contract";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { isOverdue } from "./runs.ts";

export type DeploymentCounts = Deployment["computers"];

/** The computers a deployment reaches: its device, or who is in its collection; refused and revoked ones count no more. */
const reaches = sql<boolean>`device.state NOT IN ('refused', 'revoked') AND (
  device.id = deployment.device_id
  OR EXISTS (SELECT FROM collection_member WHERE collection_member.collection_id = deployment.collection_id AND collection_member.device_id = device.id)
  OR EXISTS (SELECT FROM collection WHERE collection.id = deployment.collection_id AND (built_in = 'all-systems' OR (built_in = 'all-unknown-computers' AND NOT device.known))))`;

/** How many computers each deployment reaches or has run on, and how the last run of each went. */
export async function countComputers(db: Database, only?: readonly string[]): Promise<Map<string, DeploymentCounts>> {
  const { rows } = await sql<{ id: string; reached: string; succeeded: string; failed: string; running: string; overdue: string }>`
    WITH last AS (SELECT DISTINCT ON (deployment_id, device_id) deployment_id, device_id, outcome, finished, ${isOverdue} AS overdue FROM run ${only === undefined ? sql`` : sql`WHERE run.deployment_id = ANY(${[...only]})`} ORDER BY deployment_id, device_id, number DESC)
    SELECT deployment.id, count(*) AS reached, count(*) FILTER (WHERE last.outcome = 'succeeded') AS succeeded, count(*) FILTER (WHERE last.outcome = 'failed') AS failed,
      count(*) FILTER (WHERE last.device_id IS NOT NULL AND last.finished IS NULL) AS running, count(*) FILTER (WHERE last.overdue) AS overdue
    FROM deployment CROSS JOIN device LEFT JOIN last ON last.deployment_id = deployment.id AND last.device_id = device.id
    WHERE (last.device_id IS NOT NULL OR ${reaches}) ${only === undefined ? sql`` : sql`AND deployment.id = ANY(${[...only]})`}
    GROUP BY deployment.id`.execute(db);
  return new Map(rows.map(({ id, ...counts }) => [id, { reached: Number(counts.reached), succeeded: Number(counts.succeeded), failed: Number(counts.failed), running: Number(counts.running), overdue: Number(counts.overdue) }]));
}
