import type { Assignment, Deployment, HighImpact, MakeAvailableTo, Offer, Rerun } from "@prestage/contract";
import { deploysOperatingSystem } from "@prestage/sequence";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";
import { countComputers } from "./deployment-counts.ts";
import { whenDue } from "./due.ts";
import type { RecordedRun } from "./due.ts";
import { secretNamesOf } from "./secrets.ts";
import { openSequence } from "./sequences.ts";

/** Everything that decides what a media-started device is offered. */
export interface OfferedDeployment {
  id: string; sequenceId: string; name: string; comment: string; purpose: "available" | "required"; makeAvailableTo: MakeAvailableTo; availableFrom: Date | null; expires: Date | null;
  assignments: readonly Assignment[]; rerun: Rerun; highImpact: HighImpact | null;
}

/** Who asks. */
export interface Asking {
  /** SMSTSPreferredAdvertID. */
  preferred?: string | undefined;
  /** What this device runs: neither its end nor its assignments stop it. */
  chosen?: string | undefined;
  /** Nobody is there to choose. */
  unattended: boolean;
  /** This device's runs, by deployment. */
  runs: ReadonlyMap<string, readonly RecordedRun[]>;
}

/**
 * What a media-started device is offered of the deployments that reach it ("Make available to").
 * With an id set (SMSTSPreferredAdvertID) only that deployment is; hidden ones only then; `Clients` never; each in its time. A required one that
 * is not due is offered as available - but not where it would begin without anybody choosing it.
 */
export function chooseOffers(reaching: readonly OfferedDeployment[], asking: Asking, now: Date): Offer[] {
  const { preferred, chosen, unattended, runs } = asking;
  return reaching
    .filter((one) => one.makeAvailableTo !== "Clients")
    .filter((one) => one.id === chosen || isInTime(one, now))
    .filter((one) => (preferred === undefined ? one.makeAvailableTo !== "MediaAndPxeHidden" : one.id === preferred))
    .flatMap((one): Offer[] => {
      const required = one.purpose === "required" && (one.id === chosen || whenDue(one, runs.get(one.id) ?? [], now).due);
      const beginsByItself = unattended || one.id === preferred;
      if (one.purpose === "required" && !required && beginsByItself) return [];
      return [{ deploymentId: one.id, taskSequenceId: one.sequenceId, name: one.name, comment: one.comment, purpose: required ? "required" : "available", ...(required && one.highImpact !== null && { highImpact: one.highImpact }) }];
    });
}

function isInTime({ availableFrom, expires }: Pick<OfferedDeployment, "availableFrom" | "expires">, now: Date): boolean {
  return (availableFrom === null || availableFrom <= now) && (expires === null || now < expires);
}

/** The first moment at which one of these that is not offered yet will be, or will be due. */
export function nextOffer(reaching: readonly OfferedDeployment[], { preferred, runs }: Pick<Asking, "preferred" | "runs">, now: Date): Date | undefined {
  return reaching
    .filter((one) => one.makeAvailableTo !== "Clients" && (preferred === undefined ? one.makeAvailableTo !== "MediaAndPxeHidden" : one.id === preferred))
    .flatMap((one) => (one.availableFrom !== null && one.availableFrom > now ? [one.availableFrom] : one.purpose === "required" ? (whenDue(one, runs.get(one.id) ?? [], now).next ?? []) : []))
    .toSorted((a, b) => a.getTime() - b.getTime())[0];
}

/**
 * The enabled deployments to a device itself or to a collection it is in. One to All Unknown Computers still reaches a computer that chose it
 * when it was unknown: at its later starts the site may know it.
 */
export async function deploymentsReaching(db: Database, device: { id: string; known: boolean }): Promise<OfferedDeployment[]> {
  const builtIn = device.known ? ["all-systems" as const] : ["all-systems" as const, "all-unknown-computers" as const];
  const rows = await db
    .selectFrom("deployment")
    .innerJoin("task_sequence", "task_sequence.id", "deployment.sequence_id")
    .select(["deployment.id", "sequence_id", "task_sequence.name", "comment", "purpose", "make_available_to", "available_from", "expires", "assignments", "rerun", "high_impact"])
    .where("enabled", "=", true)
    .where((is) =>
      is.or([
        is("device_id", "=", device.id),
        is("collection_id", "in", is.selectFrom("collection_member").select("collection_id").where("device_id", "=", device.id)),
        is("collection_id", "in", is.selectFrom("collection").select("id").where("built_in", "in", builtIn)),
        is.and([is("collection_id", "in", is.selectFrom("collection").select("id").where("built_in", "=", "all-unknown-computers")), is("deployment.id", "=", is.selectFrom("device").select("policy_deployment").where("device.id", "=", device.id))]),
      ]),
    )
    .orderBy("deployment.id")
    .execute();
  return rows.map((row) => ({ id: row.id, sequenceId: row.sequence_id, name: row.name, comment: row.comment, purpose: row.purpose, makeAvailableTo: row.make_available_to, availableFrom: row.available_from, expires: row.expires, assignments: row.assignments, rerun: row.rerun, highImpact: row.high_impact }));
}

export async function listDeployments(db: Database, only?: string): Promise<Deployment[]> {
  const secrets = await secretNamesOf(db, "deployment");
  const computers = await countComputers(db, only === undefined ? undefined : [only]);
  let query = db.selectFrom("deployment").innerJoin("task_sequence", "task_sequence.id", "sequence_id").selectAll("deployment").select("task_sequence.name as sequence_name").orderBy("deployment.id");
  if (only !== undefined) query = query.where("deployment.id", "=", only);
  const rows = await query.execute();
  const operatingSystems = new Set<string>();
  for (const id of new Set(rows.map((row) => row.sequence_id))) if (deploysOperatingSystem((await openSequence(db, id)).sequence)) operatingSystems.add(id);
  return rows.map((row) => ({
    id: row.id, highRisk: row.purpose === "required" && operatingSystems.has(row.sequence_id), taskSequenceId: row.sequence_id, taskSequenceName: row.sequence_name, collectionId: row.collection_id, deviceId: row.device_id, purpose: row.purpose,
    makeAvailableTo: row.make_available_to, enabled: row.enabled, comment: row.comment, created: row.created.toISOString(),
    secretsToPassword: row.secrets_to_password, availableFrom: row.available_from?.toISOString() ?? null, expires: row.expires?.toISOString() ?? null, assignments: row.assignments, rerun: row.rerun, highImpact: row.high_impact, debug: row.debug,
    alerts: { successBelow: row.alert_success_below === null || row.alert_success_by === null ? null : { percent: row.alert_success_below, by: row.alert_success_by.toISOString() }, failureAbove: row.alert_failure_above },
    computers: computers.get(row.id) ?? { reached: 0, succeeded: 0, failed: 0, running: 0, overdue: 0 }, secretVariables: secrets.get(row.id) ?? [],
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openDeployment(db: Database, id: string): Promise<Deployment> {
  const [found] = await listDeployments(db, id);
  if (found === undefined) throw notFound("deployment", id);
  return found;
}
