import { exportContent, importExport, openExport } from "@prestage/content";
import type { ExportedObject, OpenedExport } from "@prestage/content";
import { exportContentRequestSchema, importContentRequestSchema, objectDefinitionSchema } from "@prestage/contract";
import type { ObjectDefinition } from "@prestage/contract";
import { contentKinds } from "@prestage/media";
import { openTrustedKeyring } from "@prestage/trust";
import { z } from "zod";
import { SiteError } from "../error.ts";
import { resolveContent } from "../management-point/make-policy.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { keepRevision, listObjects } from "../store/objects.ts";
import type { JobTools } from "./job-runner.ts";
import { scheduleShare } from "./library-jobs.ts";
import { schedulePatches } from "./patches-job.ts";

/** Writes the newest revision of objects, and of every application they depend on, into one signed file. @throws SiteError PRESTAGE_SITE_CONFLICT */
export async function runExport(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const { objectIds, output, confidential } = exportContentRequestSchema.parse(data);
  const marked = new Set((await listObjects(context.db)).filter((object) => object.confidential).map((object) => object.id));
  const content = await resolveContent(context, objectIds);
  const refused = content.find(({ objectId }) => marked.has(objectId));
  if (refused !== undefined && !confidential) throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected nothing confidential in an export; ${refused.objectId} (${refused.name}) is. Export it for another site with --confidential: it is then imported into a site alone, never into a folder that is served.`);
  const objects = inOrder(content.map(({ objectId, kind, name, softwareVersion, revision, contentId, storageSha256, definition }): ExportedObject => ({ id: objectId, kind, name, softwareVersion, revision, contentId, storageSha256, definition, ...(marked.has(objectId) && { confidential: true }) })));
  const { size, versions } = await exportContent({ library: context.library, siteCode: context.configuration.siteCode, keyringChain: context.keys.keyringChain, objects, key: context.keys.signing.media, output }, tools);
  await audit(context, "administrator", "content-export", objects.map(({ id }) => id).join(" "));
  return { output, size, versions, objects: objects.map(({ id, name }) => ({ id, name })) };
}

/** Those others depend on before them; `objects` holds every one that is depended on. */
function inOrder(objects: readonly ExportedObject[]): ExportedObject[] {
  const ordered = new Map<string, ExportedObject>();
  const visit = (object: ExportedObject, above: readonly string[]) => {
    for (const id of dependenciesOf(object)) {
      const needed = objects.find((one) => one.id === id);
      if (needed !== undefined && !above.includes(id)) visit(needed, [...above, object.id]);
    }
    ordered.set(object.id, object);
  };
  for (const object of objects) if (!ordered.has(object.id)) visit(object, []);
  return [...ordered.values()];
}

function dependenciesOf({ definition }: ExportedObject): readonly string[] {
  const parsed = objectDefinitionSchema.safeParse(definition);
  return parsed.success && parsed.data.kind === "application" ? [...parsed.data.dependencies, ...(parsed.data.supersedes ?? [])] : [];
}

/** Takes an export of this site, or of one whose keyring is given, into the library; each object is one here, by its kind and name. @throws SiteError, ContentError, TrustError */
export async function runContentImport(context: SiteContext, data: unknown, tools: JobTools): Promise<Record<string, unknown>> {
  const { source, keyring } = importContentRequestSchema.parse(data);
  const opened = await openExport(source, keyring === undefined ? context.keys.keyring : openTrustedKeyring(Buffer.from(keyring, "base64")), tools);
  try {
    const objects = opened.objects.map((object) => ({ ...object, ...readObject(object) }));
    refuseForeignBootImages(context, opened, objects);
    const { written, bytes } = await importExport(opened, context.library, { ...tools, ownStorage: true });
    const ids = new Map<string, string>();
    const kept: { id: string; was: string; name: string; revision: number }[] = [];
    for (const object of objects) {
      const version = await context.library.open(object.contentId);
      const request = { kind: object.kind, name: object.name, softwareVersion: object.softwareVersion, ...(await updateOf(context, object)), ...(object.confidential === true && { confidential: true }) };
      const revision = await keepRevision(context.db, context.configuration.siteCode, request, withIds(object.definition, ids, object), version);
      ids.set(object.id, revision.id);
      kept.push({ id: revision.id, was: object.id, name: object.name, revision: revision.revision });
    }
    await audit(context, "administrator", "content-import", kept.map(({ id }) => id).join(" "));
    await schedulePatches(context);
    await scheduleShare(context);
    return { siteCode: opened.siteCode, written, bytes, objects: kept };
  } finally {
    await opened.close();
  }
}

const kindSchema = z.enum(contentKinds);

/** What the export says of an object, as this site would have it. @throws SiteError PRESTAGE_SITE_REQUEST_INVALID */
function readObject({ id, kind, definition }: ExportedObject): { kind: z.infer<typeof kindSchema>; definition: ObjectDefinition } {
  const parsed = z.object({ kind: kindSchema, definition: objectDefinitionSchema }).safeParse({ kind, definition });
  if (parsed.success && parsed.data.definition.kind === parsed.data.kind) return parsed.data;
  throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected ${id} of the export as this version of Prestage knows objects; found: ${parsed.success ? `a definition of the kind ${parsed.data.definition.kind}` : z.prettifyError(parsed.error)}. Bring this site up to date.`);
}

/** A boot image trusts the site that built it, and no other. */
function refuseForeignBootImages(context: SiteContext, opened: OpenedExport, objects: readonly { id: string; kind: string }[]): void {
  const boot = objects.find((object) => object.kind === "boot-image");
  if (boot === undefined || opened.siteCode === context.configuration.siteCode) return;
  throw new SiteError("PRESTAGE_SITE_CONFLICT", `Expected no boot image of another site; ${boot.id} is one of site ${opened.siteCode}, and a computer it starts trusts that site alone. Build one here with \`prestage boot-image build\`, and export without it.`);
}

/** The object here that is called so, to which a revision is added. */
async function updateOf(context: SiteContext, { kind, name }: { kind: z.infer<typeof kindSchema>; name: string }): Promise<{ update?: string }> {
  const found = (await listObjects(context.db, kind)).find((object) => object.name === name);
  return found === undefined ? {} : { update: found.id };
}

/** An application with the ids that what it depends on or supersedes has here. @throws SiteError PRESTAGE_SITE_REFERENCE_MISSING */
function withIds(definition: ObjectDefinition, ids: ReadonlyMap<string, string>, object: { id: string }): ObjectDefinition {
  if (definition.kind !== "application") return definition;
  const here = (id: string): string => {
    const found = ids.get(id);
    if (found === undefined) throw new SiteError("PRESTAGE_SITE_REFERENCE_MISSING", `Expected the application ${id}, which ${object.id} depends on or supersedes, before it in the export; found none.`);
    return found;
  };
  return { ...definition, dependencies: definition.dependencies.map(here), ...(definition.supersedes && { supersedes: definition.supersedes.map(here) }) };
}
