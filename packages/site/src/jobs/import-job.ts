import { importFolder, importImage, openStoredWim } from "@prestage/content";
import type { StoredVersion } from "@prestage/content";
import { importRequestSchema } from "@prestage/contract";
import type { ImportRequest, ObjectDefinition } from "@prestage/contract";
import { architectureNames } from "@prestage/wim";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { keepRevision } from "../store/objects.ts";
import type { JobTools } from "./job-runner.ts";
import { scheduleShare } from "./library-jobs.ts";
import { schedulePatches } from "./patches-job.ts";

/** Imports content and adds a revision of its object. */
export async function runImport(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const request = importRequestSchema.parse(data);
  const isImage = request.kind === "os-image" || request.kind === "boot-image";
  const version = isImage
    ? await importImage(context.library, request.source, request.kind === "os-image" ? [request.index] : [1, 2], { ...tools, forBoot: request.kind === "boot-image" })
    : await importFolder(context.library, request.source, tools);
  const revision = await keepRevision(context.db, context.configuration.siteCode, request, await definitionOf(request, version), version);
  await audit(context, "administrator", `import-${request.kind}`, `${revision.id} revision ${revision.revision}`);
  await schedulePatches(context);
  await scheduleShare(context);
  const { storageSha256: _, ...shown } = revision;
  return { object: shown };
}

/** Of an OS image, what the version that was stored says: a solid .esd was compressed anew. */
async function definitionOf(request: ImportRequest, version: StoredVersion): Promise<ObjectDefinition> {
  if (request.kind === "boot-image") return { kind: "boot-image", architecture: "x64", profile: request.profile };
  if (request.kind !== "os-image") return request.definition;
  const wim = await openStoredWim(version);
  try {
    const images = wim.xml.images.map((image) => ({ index: image.index, name: image.name ?? "", bytes: image.totalBytes }));
    const windows = wim.xml.images.some((image) => image.windows !== undefined);
    const architecture = architectureNames.get(wim.xml.images.find((image) => image.index === request.index)?.windows?.architecture ?? -1);
    return { kind: "os-image", platform: windows ? "windows" : "linux", images, ...(architecture !== undefined && { architecture }) };
  } finally {
    await wim.close();
  }
}
