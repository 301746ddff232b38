import * as contract from "@prestage/contract";
import { assignUsersModes } from "@prestage/sequence";
import type { DeviceDescription, Given, Variable } from "@prestage/sequence";
import { z } from "zod";
import { byPrefix } from "./by-prefix.ts";
import { CliError } from "./error.ts";
import type { SiteClient } from "./site-client.ts";

/** A device of the site, and what it would be given for a run. */
export interface DeviceRecord { device: contract.Device; given: contract.DeviceGiven }

/** @throws CliError PRESTAGE_CLI_BAD_ARGUMENT */
export async function recordOf(site: SiteClient, wanted: string, query: contract.DeviceGivenQuery): Promise<DeviceRecord> {
  const devices = await site.call("GET", "/devices", z.array(contract.deviceSchema));
  const found = devices.filter((one) => one.id === wanted.toLowerCase() || one.name.toLowerCase() === wanted.toLowerCase());
  const [device] = found;
  if (device === undefined || found.length > 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected the name or GUID of one device; ${found.length} are called ${JSON.stringify(wanted)}. List them with \`prestage device list\`.`);
  return { device, given: await site.call("GET", `/devices/${device.id}/given?${new URLSearchParams(Object.entries(query).flatMap(([name, value]): [string, string][] => (value === undefined ? [] : [[name, value]]))).toString()}`, contract.deviceGivenSchema) };
}

/** What a condition may ask, by the name that a computer gives it when it enrols. */
const recordedAs = { manufacturer: "manufacturer", model: "model", serialNumber: "serialNumber", uuid: "smbiosUuid", memoryMiB: "memoryMiB", macAddresses: "macAddresses" };

/** What the description says wins: it is what the person asks about. What neither says, only the computer knows. */
export function withRecord(described: DeviceDescription, device: contract.Device): DeviceDescription {
  const hardware = Object.fromEntries(Object.entries(recordedAs).flatMap(([name, attribute]) => {
    const found = device.attributes[attribute];
    // As the agent answers a condition.
    const value = Array.isArray(found) ? found.map((one) => String(one).toUpperCase()).toSorted().join(",") : typeof found === "string" || typeof found === "number" ? String(found) : "";
    return value === "" ? [] : [[name, value]];
  }));
  return { ...described, name: device.name, hardware: { ...hardware, ...described.hardware }, notDescribed: described.notDescribed ?? "unknown" };
}

/** What the site and the media would give it. */
export function givenBy(media: Media | undefined, record: DeviceRecord | undefined): Given {
  const own = record?.given;
  const taken = takenDeployment(record);
  return {
    variables: [...(own?.variables ?? []).map(({ of, ...variable }): Variable => ({ ...variable, ...(of !== undefined && { of }) })), ...(media?.variables ?? []).map((variable): Variable => ({ ...variable, source: "media" })), ...(media === undefined ? [] : [{ name: "SMSTSAssignUsersMode", value: assignUsersModes[media.userDeviceAffinity], source: "media" as const }])],
    ...(own && { secrets: own.secrets.map(({ of, ...secret }) => ({ ...secret, ...(of !== undefined && { of }) })), allSecrets: taken !== undefined }),
    ...(own?.secretsRefused !== undefined && { secretsRefused: own.secretsRefused }),
    ...(media?.prestart && { prestart: media.prestart }),
  };
}

/** The one whose variables and secrets are given; without a sequence of the site or an option there is none. */
function takenDeployment(record: DeviceRecord | undefined): contract.DeviceGiven["deployments"][number] | undefined {
  return record?.given.deployments[0];
}

export type Media = contract.MediaRecord["manifest"] & { mediaId: string };

export async function mediaOf(site: SiteClient, id: string): Promise<Media> {
  const { mediaId, manifest } = byPrefix(await site.call("GET", "/media", z.array(contract.mediaRecordSchema)), (media) => media.mediaId, id, "media");
  return { ...manifest, mediaId };
}

/** What the agent would say of itself and its site. */
export function saidByAgent(media: Media | undefined, record: DeviceRecord | undefined, name: string, sequenceId: string | undefined): Variable[] {
  const said = { _SMSTSMachineName: record === undefined && media === undefined ? undefined : name, _SMSTSSiteCode: media?.site.code, _SMSTSAdvertID: takenDeployment(record)?.id, _SMSTSPackageID: sequenceId };
  return Object.entries(said).flatMap(([variable, value]) => (value === undefined ? [] : [{ name: variable, value, source: "system" as const }]));
}

/** What it was taken to be given, and what else it might have been. */
export function headingOf({ device, given }: DeviceRecord, isId: boolean, mediaId: string | undefined): string[] {
  const inWords = ({ id, purpose, offered, why }: contract.DeviceGiven["deployments"][number]) => `${id} (${purpose}${offered === "no" ? `; not offered now: ${why ?? ""}` : offered === purpose ? ", offered now" : ", offered now as available: it is not due"})`;
  const [taken, ...others] = given.deployments;
  return [
    taken !== undefined ? `Deployment ${inWords(taken)}` : isId ? `No deployment of this sequence reaches ${device.name}` : `A file has no deployment: --deployment names one that reaches ${device.name}`,
    ...(others.length === 0 ? [] : [`Not taken, --deployment chooses: ${others.map(inWords).join("; ")}`]),
    mediaId !== undefined ? `Started from the media ${mediaId.slice(0, 16)}` : device.mediaId === null ? "It was staged from no media yet, as far as the site knows: --media names one" : `The media it was staged from, ${device.mediaId.slice(0, 16)}, is not at the site any more: its variables are not known`,
    ...(given.secrets.length === 0 ? [] : [`Hidden, by their names alone: ${given.secrets.map(({ name, source, of }) => `${name} (${source}${of === undefined ? "" : ` ${of}`})`).join(", ")}`]),
    "",
  ];
}
