import { mayCommandSet } from "@prestage/sequence";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import type { DeploymentTarget } from "./high-risk.ts";

/** What a variable may be for a computer that a deployment reaches; a value left out: only a run of a media's prestart command knows it. */
export interface GivenValue { name: string; value?: string }

/** What computers' own variables, those of their collections and of the site's media say of one name, at any computer of the target. */
export async function valuesGiven(db: Database, target: DeploymentTarget, name: string): Promise<GivenValue[]> {
  const collection = target.collectionId === null ? undefined : await db.selectFrom("collection").select("built_in").where("id", "=", target.collectionId).executeTakeFirst();
  const reached = reachedBy(db, target, collection?.built_in ?? null);
  const holds = sql<boolean>`strpos(lower(variables::text), ${name.toLowerCase()}) > 0`;
  const [devices, collections, media] = await Promise.all([
    db.selectFrom("device").select("variables").where("device.id", "in", reached).where(holds).execute(),
    db.selectFrom("collection").select("variables").where("collection.id", "in", db.selectFrom("collection_member").select("collection_id").where("device_id", "in", reached)).where(holds).execute(),
    db.selectFrom("media").select("manifest").where("revoked", "is", null).execute(),
  ]);
  const manifests = media.map(({ manifest }) => manifest);
  const values = [...devices, ...collections, ...manifests].flatMap(({ variables }) => variables).filter((one) => one.name.toLowerCase() === name.toLowerCase()).map(({ value }) => value);
  const byPrestart = manifests.some(({ prestart }) => prestart !== undefined && mayCommandSet(prestart, name));
  return [...[...new Set(values)].map((value) => ({ name, value })), ...(byPrestart ? [{ name }] : [])];
}

/** The computers the site knows of; those of All Unknown Computers that never came have no variables. */
function reachedBy(db: Database, { deviceId, collectionId }: DeploymentTarget, builtIn: "all-systems" | "all-unknown-computers" | null) {
  const devices = db.selectFrom("device").select("device.id");
  if (deviceId !== null) return devices.where("device.id", "=", deviceId);
  if (builtIn === "all-systems") return devices;
  if (builtIn === "all-unknown-computers") return devices.where("device.known", "=", sql<boolean>`false`);
  return devices.where("device.id", "in", db.selectFrom("collection_member").select("device_id").where("collection_id", "=", collectionId));
}
