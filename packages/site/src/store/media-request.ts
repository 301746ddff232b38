import { createMediaRequestSchema } from "@prestage/contract";
import type { CreateMediaRequest, RebuildMediaRequest } from "@prestage/contract";
import type { Manifest } from "@prestage/media";
import type { Database } from "../database/open-database.ts";
import { listObjects } from "./objects.ts";

/** The request a media like this one is built by now: its options, and what it carries as far as the site still has it. */
export async function requestLike(db: Database, mediaId: string, manifest: Manifest, change: RebuildMediaRequest): Promise<CreateMediaRequest> {
  const there = new Set((await listObjects(db)).map((object) => object.id));
  const carried = (kind: Manifest["content"][number]["kind"]) => manifest.content.filter((one) => one.kind === kind && there.has(one.objectId)).map((one) => one.objectId);
  const { validTo = manifest.validTo, version = manifest.version, comment = manifest.comment, output } = change;
  return createMediaRequestSchema.parse({
    taskSequenceId: manifest.taskSequence.id, applications: carried("application"), packages: carried("package"), driverPackages: carried("driver-package"),
    bootImageId: manifest.bootImage.objectId, ...(manifest.osImage && { osImage: { id: manifest.osImage.objectId, index: manifest.osImage.index } }),
    managementPoints: manifest.managementPoints.urls, managementPointMode: manifest.managementPoints.mode, distributionPoints: manifest.distributionPoints, variables: manifest.variables,
    unattended: manifest.unattended, ...(manifest.unattendedError && { unattendedError: manifest.unattendedError }), unknownComputers: manifest.unknownComputers,
    passwordRequired: manifest.passwordRequired, ...(manifest.passwordRequired && { passwordOf: mediaId }),
    ...(manifest.validFrom && { validFrom: manifest.validFrom }), ...(validTo && { validTo }), createdBy: manifest.createdBy, version, comment,
    language: manifest.language, keyboardLayout: manifest.keyboardLayout, ...(manifest.prestart && { prestart: manifest.prestart }), damaged: manifest.damaged,
    userDeviceAffinity: manifest.userDeviceAffinity, supportShell: manifest.supportShell === true, ...(output && { output }),
  });
}
