import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createMediaRequestSchema } from "@prestage/contract";
import type { CreateMediaRequest } from "@prestage/contract";
import { buildMedia } from "@prestage/media";
import type { MediaSourceContent } from "@prestage/media";
import { allSteps, contentReferences } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { SiteError } from "../error.ts";
import { resolveContent } from "../management-point/make-policy.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { listObjects, objectRevisions } from "../store/objects.ts";
import { copyMediaPassword } from "../store/media-passwords.ts";
import { isSecretName } from "../store/secrets.ts";
import { openSequence } from "../store/sequences.ts";
import { requireReadingAgent, requireWindowsRuntime } from "./boot-image-agent.ts";
import type { JobTools } from "./job-runner.ts";
import { schedulePatches } from "./patches-job.ts";

/** The version of the agent a media built now needs at least. */
const leastAgentVersion = "0.1.0";

/** Builds a media: the sequence is read for the content it needs and never put on it; what an option names is carried too. */
export async function runMediaCreate(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const request = createMediaRequestSchema.parse(data);
  const { record, sequence } = await openSequence(context.db, request.taskSequenceId);
  const chosen = [...(request.prestart?.package === undefined ? [] : [request.prestart.package]), ...request.applications, ...request.packages, ...request.driverPackages, ...(request.osImage ? [request.osImage.id] : [])];
  const content = await resolveContent(context, [...contentReferences(sequence).map((reference) => reference.objectId), ...chosen]);
  const prestartKind = content.find((one) => one.objectId === request.prestart?.package)?.kind;
  if (prestartKind !== undefined && prestartKind !== "package") throw new SiteError("PRESTAGE_SITE_REFERENCE_MISSING", `Expected a package for the prestart command; ${request.prestart?.package ?? ""} is of kind ${prestartKind}. Import its files as a package.`);
  const bootImageId = request.bootImageId ?? (await onlyBootImage(context));
  await requireKeyringOf(context, bootImageId);
  const bootImage = await sourceOf(context, bootImageId);
  await requireReadingAgent(bootImage, tools.signal);
  await requireWindowsRuntime(bootImage, sequence, new Set(content.filter(({ definition }) => definition.kind === "os-image" && definition.platform === "windows").map((one) => one.objectId)));
  const sources = await Promise.all(content.filter((one) => one.kind !== "boot-image").map((one) => sourceOf(context, one.objectId)));
  const osImage = chooseOsImage(request, sources, sequence);
  const output = request.output ?? (await defaultOutput(context, request));
  const managementPoints = request.managementPoints.length > 0 ? request.managementPoints : context.publicUrls();
  // Images are copied from their files; everything else is read wherever it lies.
  const images = [bootImage, ...sources].filter((one) => one.content.kind === "os-image" || one.content.kind === "boot-image");
  const held: { release: () => void }[] = [];
  const release = () => held.forEach((one) => one.release());
  try {
    for (const { version } of images) held.push(await context.library.holdWhole(version.contentId, tools.signal));
  } catch (cause) {
    release();
    throw cause;
  }
  const result = await buildMedia(
    {
      manifest: {
        formatVersion: 1, leastAgentVersion, version: request.version, createdBy: request.createdBy, comment: request.comment,
        ...(request.validFrom && { validFrom: request.validFrom }), ...(request.validTo && { validTo: request.validTo }),
        floor: await floorOf(context, [bootImage, ...sources]),
        architecture: "x64", site: { code: context.configuration.siteCode }, managementPoints: { mode: request.managementPointMode, urls: managementPoints },
        distributionPoints: request.distributionPoints, unknownComputers: request.unknownComputers, passwordRequired: request.passwordRequired, unattended: request.unattended, ...(request.unattended && { unattendedError: request.unattendedError }), userDeviceAffinity: request.userDeviceAffinity,
        ...(request.prestart && { prestart: request.prestart }), ...(request.supportShell && { supportShell: true as const }),
        taskSequence: { id: record.id, name: record.name }, variables: await plainVariables(context, request), keyboardLayout: request.keyboardLayout, language: request.language, damaged: request.damaged,
      },
      keyring: { version: context.keys.keyring.version, envelope: context.keys.keyringEnvelope },
      bootImage,
      ...(osImage && { osImage }),
      content: sources.filter((one) => one.content.objectId !== osImage?.source.content.objectId),
      mediaKey: context.keys.signing.media,
      output,
    },
    tools,
  ).finally(release);
  await context.db
    .insertInto("media")
    .values({ media_id: result.mediaId, size: result.size, sha256: result.sha256, path: result.path, manifest: JSON.stringify(result.manifest) })
    .onConflict((conflict) => conflict.column("media_id").doUpdateSet({ path: result.path, size: result.size, sha256: result.sha256 }))
    .execute();
  if (request.passwordOf !== undefined) await copyMediaPassword(context.db, request.passwordOf, result.mediaId);
  await audit(context, "administrator", "media-create", result.mediaId);
  await schedulePatches(context);
  return { mediaId: result.mediaId, size: result.size, sha256: result.sha256, path: result.path, contents: result.manifest.content.length };
}

async function sourceOf(context: SiteContext, id: string): Promise<MediaSourceContent> {
  const [newest] = await objectRevisions(context.db, id);
  return { content: { objectId: newest.id, kind: newest.kind, name: newest.name, revision: newest.revision, contentId: newest.contentId }, version: await context.library.open(newest.contentId) };
}

/** A boot image carries the keyring of its day, and trusts no media of a later one: better found here than at a computer. */
async function requireKeyringOf(context: SiteContext, bootImageId: string): Promise<void> {
  const { version, issued } = context.keys.keyring;
  const [newest] = await objectRevisions(context.db, bootImageId);
  if (version === 1 || newest.created >= issued) return;
  throw new SiteError("PRESTAGE_SITE_BOOT_IMAGE_OLD", `Expected a boot image imported after keyring ${version} was made (${issued}); ${bootImageId} is of ${newest.created}. Build it again with \`prestage boot-image build\` and import it with --update ${bootImageId}.`);
}

async function onlyBootImage(context: SiteContext): Promise<string> {
  const images = await listObjects(context.db, "boot-image");
  const [image, second] = images;
  if (image === undefined) throw new SiteError("PRESTAGE_SITE_REFERENCE_MISSING", "Expected a boot image at the site; found none. Build one with `prestage boot-image build` and import it.");
  if (second !== undefined) throw new SiteError("PRESTAGE_SITE_REFERENCE_MISSING", `Expected to know which boot image; the site has ${images.map((one) => one.id).join(", ")}. Name one with --boot-image.`);
  return image.id;
}

/** The OS image the request names, else the one that the sequence applies first; one that is laid onto another disk is content like any other. */
function chooseOsImage(request: CreateMediaRequest, sources: readonly MediaSourceContent[], sequence: TaskSequence): { source: MediaSourceContent; index: number } | undefined {
  const images = sources.filter((one) => one.content.kind === "os-image");
  const applied = [...allSteps(sequence.steps)].filter((step) => step.type === "apply-os-image" && step.disabled !== true).map((step) => ({ id: step.with?.["osImage"], index: step.with?.["index"] }));
  const id = request.osImage?.id ?? applied.find((one) => images.some((image) => image.content.objectId === one.id))?.id;
  const source = images.find((one) => one.content.objectId === id);
  if (source === undefined) return undefined;
  const index = applied.find((one) => one.id === id)?.index;
  return { source, index: request.osImage?.index ?? (typeof index === "number" ? index : 1) };
}

/** Never the build time: the latest issue time of the keyring and the revisions named. */
async function floorOf(context: SiteContext, sources: readonly MediaSourceContent[]): Promise<string> {
  let latest = Date.parse(context.keys.keyring.issued);
  for (const { content } of sources) {
    const revision = (await objectRevisions(context.db, content.objectId)).find((one) => one.revision === content.revision);
    latest = Math.max(latest, Date.parse(revision?.created ?? "1970-01-01T00:00:00Z"));
  }
  return new Date(latest).toISOString();
}

/** A value that must stay secret lives at the site, never on a media: neither what looks like one, nor what is one at the site. */
async function plainVariables(context: SiteContext, request: CreateMediaRequest): Promise<{ name: string; value: string }[]> {
  for (const { name } of request.variables) {
    const looksSecret = /password|passwd|passphrase|pwd|secret|token|privatekey|apikey|credential/i.test(name.replace(/[_.-]/g, ""));
    if (!looksSecret && !(await isSecretName(context.db, name))) continue;
    throw new SiteError("PRESTAGE_SITE_SECRET_ON_MEDIA", `Expected no secret on a media; the variable ${name} ${looksSecret ? "looks like one" : "is one at this site"}. Set it with --secret-variable on the device, collection or deployment.`);
  }
  return request.variables;
}

async function defaultOutput(context: SiteContext, request: CreateMediaRequest): Promise<string> {
  const folder = join(context.configuration.dataDirectory, "media");
  await mkdir(folder, { recursive: true });
  return join(folder, `${request.taskSequenceId}-${context.now().getTime()}.wim`);
}
