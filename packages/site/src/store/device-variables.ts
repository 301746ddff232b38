import type { DeviceGiven } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";

/** What the site gives a device: variables of its collections, what the deployment says, then the device's own; later wins. */
export async function deviceVariables(db: Database, deviceId: string, deploymentId: string | undefined): Promise<DeviceGiven["variables"]> {
  const collections = await db.selectFrom("collection").innerJoin("collection_member", "collection_id", "id").select(["id", "name", "variables"]).where("device_id", "=", deviceId).orderBy("id").execute();
  const own = await db.selectFrom("device").select("variables").where("id", "=", deviceId).executeTakeFirstOrThrow();
  const deployment = deploymentId === undefined ? undefined : await db.selectFrom("deployment").select(["id", "debug"]).where("id", "=", deploymentId).executeTakeFirstOrThrow();
  return [
    ...collections.flatMap(({ id, name, variables }) => variables.map((variable) => ({ ...variable, source: "collection" as const, of: `${name} (${id})` }))),
    ...(deployment?.debug === true ? [{ name: "TSDebugMode", value: "true", source: "deployment" as const, of: deployment.id }] : []),
    ...own.variables.map((variable) => ({ ...variable, source: "device" as const })),
  ];
}
