import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { deploysOperatingSystem } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import type { DeviceAttributes } from "@prestage/trust";
import { sql } from "kysely";
import type { Database } from "../database/open-database.ts";
import { SiteError } from "../error.ts";
import { readSettings } from "./site-settings.ts";

export interface DeploymentTarget { collectionId: string | null; deviceId: string | null }
interface Agreed { largeCollection: boolean; siteSystems: boolean }
interface Member { id: string; name: string; attributes: DeviceAttributes }

/**
 * The guard over a required deployment of an operating system (features.md F142 to F147): a computer that was not meant loses its disk. Looked at
 * when it is made, not again when its collection or sequence changes. Returns what was agreed to in spite of a warning.
 * @throws SiteError PRESTAGE_SITE_HIGH_RISK_TARGET, PRESTAGE_SITE_COLLECTION_LARGE, PRESTAGE_SITE_SYSTEM_TARGETED
 */
export async function guardHighRisk(db: Database, sequence: TaskSequence, target: DeploymentTarget, agreed: Agreed): Promise<string[]> {
  if (!deploysOperatingSystem(sequence)) return [];
  const accepted: string[] = [];
  const collection = target.collectionId === null ? undefined : await db.selectFrom("collection").select(["id", "name", "built_in"]).where("id", "=", target.collectionId).executeTakeFirstOrThrow();
  if (collection?.built_in === "all-systems") {
    throw new SiteError("PRESTAGE_SITE_HIGH_RISK_TARGET", `Expected a required deployment of an operating system to go to a collection of your own, to a device or to All Unknown Computers; found ${collection.name}, which every computer is in. Make a collection: \`prestage collection create\`.`);
  }
  const members = await membersOf(db, target, collection?.built_in === "all-unknown-computers");
  const { collectionDefaultSize, collectionMaximumSize, siteSystems, siteComputers } = await readSettings(db);
  // Who is unknown is not there to be counted yet.
  if (collection !== undefined && collection.built_in === null) {
    const found = `${collection.name} (${collection.id}) with ${members.length}`;
    if (collectionMaximumSize !== 0 && members.length > collectionMaximumSize) throw new SiteError("PRESTAGE_SITE_HIGH_RISK_TARGET", `Expected a collection of at most ${collectionMaximumSize} computers for a required deployment of an operating system; found ${found}. Choose a smaller one; the site's maximum size is in \`prestage site show\`.`);
    if (collectionDefaultSize !== 0 && members.length > collectionDefaultSize) {
      if (!agreed.largeCollection) throw new SiteError("PRESTAGE_SITE_COLLECTION_LARGE", `Expected a collection of at most ${collectionDefaultSize} computers for a required deployment of an operating system; found ${found}. If all of them are meant, say so: --large-collection.`);
      accepted.push(`large collection ${found} computers`);
    }
  }
  const own = await ownComputer(siteComputers);
  const systems = members.filter((member) => isOwn(member, own)).map((member) => member.name);
  if (systems.length > 0) {
    const found = systems.slice(0, 10).join(", ");
    if (siteSystems === "error" || !agreed.siteSystems) {
      throw new SiteError("PRESTAGE_SITE_SYSTEM_TARGETED", `Expected no computer the site itself runs on to be deployed anew; found ${found}. ${siteSystems === "error" ? "Take it out of the collection" : "Take it out of the collection, or agree: --site-systems"}.`);
    }
    accepted.push(`computers of the site: ${found}`);
  }
  return accepted;
}

async function membersOf(db: Database, target: DeploymentTarget, unknown: boolean): Promise<Member[]> {
  const devices = db.selectFrom("device").select(["id", "name", "attributes"]);
  if (target.deviceId !== null) return devices.where("id", "=", target.deviceId).execute();
  if (unknown) return devices.where("known", "=", sql<boolean>`false`).where("state", "in", ["enrolled", "waiting"]).execute();
  return devices.where("id", "in", db.selectFrom("collection_member").select("device_id").where("collection_id", "=", target.collectionId)).execute();
}

/** What this computer and the named ones are known by, in lower case. */
export interface OwnComputer { named: ReadonlySet<string>; name: string; uuid: string | undefined; macAddresses: readonly string[] }

async function ownComputer(named: readonly string[]): Promise<OwnComputer> {
  // Only root reads it; without it the name and the addresses say enough.
  const uuid = await readFile("/sys/class/dmi/id/product_uuid", "utf8").catch(() => "");
  const macAddresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).filter((one) => !one.internal).map((one) => one.mac.toLowerCase()));
  return { named: new Set(named.map((one) => one.toLowerCase())), name: hostname().split(".")[0]?.toLowerCase() ?? "", uuid: uuid.trim().toLowerCase() || undefined, macAddresses };
}

/** Whether a device is one of the site's own. Two virtual machines may well have one MAC address: where both have a UUID, that decides. */
export function isOwn(member: Pick<Member, "name" | "attributes">, own: OwnComputer): boolean {
  const name = member.name.toLowerCase();
  const uuid = member.attributes.smbiosUuid?.toLowerCase();
  const macAddresses = (member.attributes.macAddresses ?? []).map((one) => one.toLowerCase());
  if ([name, uuid, member.attributes.serialNumber?.toLowerCase(), ...macAddresses].some((one) => one !== undefined && own.named.has(one))) return true;
  if (name === own.name) return true;
  if (uuid !== undefined && own.uuid !== undefined) return uuid === own.uuid;
  return macAddresses.some((one) => own.macAddresses.includes(one));
}
