import type { DeviceGiven, DeviceGivenQuery } from "@prestage/contract";
import { notFound, SiteError } from "../error.ts";
import type { SiteContext } from "../site-context.ts";
import { chooseOffers, deploymentsReaching } from "./deployments.ts";
import type { Asking, OfferedDeployment } from "./deployments.ts";
import { deviceVariables } from "./device-variables.ts";
import { runsOf } from "./runs.ts";
import { secretNamesFor } from "./secrets.ts";

/**
 * What a device would be given if it asked now: by the same functions that make its policy, so that what is told before is what it gets.
 * @throws SiteError PRESTAGE_SITE_NOT_FOUND, PRESTAGE_SITE_NOT_OFFERED
 */
export async function deviceGiven(context: SiteContext, id: string, query: DeviceGivenQuery): Promise<DeviceGiven> {
  const { db } = context;
  const device = await db.selectFrom("device").select(["id", "name", "known", "proof", "media_id"]).where("id", "=", id).executeTakeFirst();
  if (device === undefined) throw notFound("device", id);
  const media = await db.selectFrom("media").select(["media_id", "manifest"]).where("media_id", "=", query.media ?? device.media_id ?? "").executeTakeFirst();
  const preferred = media?.manifest.variables.find(({ name }) => name.toUpperCase() === "SMSTSPREFERREDADVERTID")?.value.replace(/^\{(.*)\}$/, "$1").toUpperCase();
  const asking: Asking = { preferred, unattended: media?.manifest.unattended ?? false, runs: await runsOf(db, id) };
  const [taken, ...others] = query.taskSequence === undefined && query.deployment === undefined ? [] : deploymentsOf(await deploymentsReaching(db, device), query, asking, context.now());
  if (query.deployment !== undefined && taken === undefined) {
    throw new SiteError("PRESTAGE_SITE_NOT_OFFERED", `Expected an enabled deployment${query.taskSequence === undefined ? "" : ` of ${query.taskSequence}`} that reaches ${device.name}; ${query.deployment} is none. \`prestage deployment list\` shows all.`);
  }
  const secretsRefused = device.proof === "password" && taken !== undefined && !(await givesToPassword(context, taken.id));
  return {
    deployments: taken === undefined ? [] : [taken, ...others], mediaId: media?.media_id ?? null,
    variables: await deviceVariables(db, id, taken?.id),
    secrets: await secretNamesFor(db, { deviceId: id, deploymentId: taken?.id }),
    ...(secretsRefused && { secretsRefused: "this computer was let in by the media password alone. Approve it, or set the deployment's --secrets-to-password" }),
  };
}

type Offered = DeviceGiven["deployments"][number]["offered"];

/** Of those that reach it; first what would begin by itself, then what is offered. */
function deploymentsOf(reaching: readonly OfferedDeployment[], { taskSequence, deployment }: DeviceGivenQuery, asking: Asking, now: Date): DeviceGiven["deployments"] {
  const offers = new Map(chooseOffers(reaching, asking, now).map((offer) => [offer.deploymentId, offer.purpose]));
  const order: Offered[] = ["required", "available", "no"];
  return reaching
    .filter((one) => (taskSequence === undefined || one.sequenceId === taskSequence) && (deployment === undefined || one.id === deployment))
    .map((one) => {
      const offered: Offered = offers.get(one.id) ?? "no";
      return { id: one.id, purpose: one.purpose, offered, ...(offered === "no" && { why: whyNotOffered(one, asking, now) }) };
    })
    .toSorted((a, b) => order.indexOf(a.offered) - order.indexOf(b.offered));
}

/** In the order of `chooseOffers`. */
function whyNotOffered({ id, makeAvailableTo, availableFrom, expires }: OfferedDeployment, { preferred }: Asking, now: Date): string {
  if (makeAvailableTo === "Clients") return "it is for clients, not for media";
  if (availableFrom !== null && availableFrom > now) return `it is available from ${availableFrom.toISOString()} on`;
  if (expires !== null && expires <= now) return `it ended at ${expires.toISOString()}`;
  if (preferred !== undefined && preferred !== id) return `the media asks for ${preferred} alone (SMSTSPreferredAdvertID)`;
  if (preferred === undefined && makeAvailableTo === "MediaAndPxeHidden") return "it is hidden: only media that names it (SMSTSPreferredAdvertID) is offered it";
  return "it is not due, and here it would begin without anybody choosing it";
}

async function givesToPassword({ db }: SiteContext, deploymentId: string): Promise<boolean> {
  return (await db.selectFrom("deployment").select("secrets_to_password").where("id", "=", deploymentId).executeTakeFirstOrThrow()).secrets_to_password;
}
