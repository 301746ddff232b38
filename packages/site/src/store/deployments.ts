import type { Deployment, MakeAvailableTo, Offer } from "@prestage/contract";
import { deploysOperatingSystem } from "@prestage/sequence";
import type { Database } from "../database/open-database.ts";
import { notFound } from "../error.ts";
import { secretNamesOf } from "./secrets.ts";
import { openSequence } from "./sequences.ts";

/** Everything that decides what a media-started device is offered. */
export interface OfferedDeployment { id: string; sequenceId: string; name: string; comment: string; purpose: "available" | "required"; makeAvailableTo: MakeAvailableTo; availableFrom: Date | null; expires: Date | null }

/**
 * What a media-started device is offered of the deployments that reach it ("Make available to").
 * With an id set (SMSTSPreferredAdvertID) only that deployment is; hidden ones only then; `Clients` never; each in its time.
 * `chosen`: what this device runs, which its end does not stop.
 */
export function chooseOffers(reaching: readonly OfferedDeployment[], preferredDeploymentId: string | undefined, now: Date, chosen?: string): Offer[] {
  return reaching
    .filter((one) => one.makeAvailableTo !== "Clients")
    .filter((one) => one.id === chosen || isInTime(one, now))
    .filter((one) => (preferredDeploymentId === undefined ? one.makeAvailableTo !== "MediaAndPxeHidden" : one.id === preferredDeploymentId))
    .map((one) => ({ deploymentId: one.id, taskSequenceId: one.sequenceId, name: one.name, comment: one.comment, purpose: one.purpose }));
}

function isInTime({ availableFrom, expires }: Pick<OfferedDeployment, "availableFrom" | "expires">, now: Date): boolean {
  return (availableFrom === null || availableFrom <= now) && (expires === null || now < expires);
}

/** The first moment at which one of these that is not offered yet will be. */
export function nextOffer(reaching: readonly OfferedDeployment[], now: Date): Date | undefined {
  return reaching.flatMap(({ availableFrom, makeAvailableTo }) => (makeAvailableTo !== "Clients" && makeAvailableTo !== "MediaAndPxeHidden" && availableFrom !== null && availableFrom > now ? [availableFrom] : [])).toSorted((a, b) => a.getTime() - b.getTime())[0];
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
    .select(["deployment.id", "sequence_id", "task_sequence.name", "comment", "purpose", "make_available_to", "available_from", "expires"])
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
  return rows.map((row) => ({ id: row.id, sequenceId: row.sequence_id, name: row.name, comment: row.comment, purpose: row.purpose, makeAvailableTo: row.make_available_to, availableFrom: row.available_from, expires: row.expires }));
}

export async function listDeployments(db: Database): Promise<Deployment[]> {
  const secrets = await secretNamesOf(db, "deployment");
  const rows = await db.selectFrom("deployment").innerJoin("task_sequence", "task_sequence.id", "sequence_id").selectAll("deployment").select("task_sequence.name as sequence_name").orderBy("deployment.id").execute();
  const operatingSystems = new Set<string>();
  for (const id of new Set(rows.map((row) => row.sequence_id))) if (deploysOperatingSystem((await openSequence(db, id)).sequence)) operatingSystems.add(id);
  return rows.map((row) => ({
    id: row.id, highRisk: row.purpose === "required" && operatingSystems.has(row.sequence_id), taskSequenceId: row.sequence_id, taskSequenceName: row.sequence_name, collectionId: row.collection_id, deviceId: row.device_id, purpose: row.purpose,
    makeAvailableTo: row.make_available_to, enabled: row.enabled, comment: row.comment, created: row.created.toISOString(),
    secretsToPassword: row.secrets_to_password, availableFrom: row.available_from?.toISOString() ?? null, expires: row.expires?.toISOString() ?? null, secretVariables: secrets.get(row.id) ?? [],
  }));
}

/** @throws SiteError PRESTAGE_SITE_NOT_FOUND */
export async function openDeployment(db: Database, id: string): Promise<Deployment> {
  const found = (await listDeployments(db)).find((one) => one.id === id);
  if (found === undefined) throw notFound("deployment", id);
  return found;
}
