import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { contentObjectSchema, importRequestSchema } from "@prestage/contract";
import { redact } from "@prestage/sequence/import";
import type { ExportedApplication, ExportedObject, ImportLine, ShareObject } from "@prestage/sequence/import";
import { failureOf } from "./failure.ts";
import type { ShareFolder } from "./share-folder.ts";
import type { SiteClient } from "./site-client.ts";

export interface ImportedContent { lines: ImportLine[]; mapping: Map<string, string> }

/**
 * Imports the objects of a deployment share or an export that can be, in their order; without a site each gets its line alone. One that fails does not keep the others
 * from it, but for those that need it. `known`: ids here of objects of the source that are here already, by id in lower case.
 */
export async function importShareContent(folder: ShareFolder, objects: readonly (ShareObject | ExportedObject)[], site: SiteClient | undefined, known: ReadonlyMap<string, string>, signal: AbortSignal): Promise<ImportedContent> {
  const lines: ImportLine[] = [];
  const mapping = new Map<string, string>();
  // Without a site what would be imported has no id; that it has one is enough to say what becomes of those that need it.
  const ids = new Map(known);
  for (const object of objects) {
    const line: ImportLine = { kind: "object", name: object.name, path: [object.guid], type: object.kind, status: "disabled", enabled: object.enabled, to: "", notes: [...object.notes] };
    lines.push(line);
    const related = "exported" in object && object.exported !== undefined ? relatedTo(object.exported, ids) : { dependencies: [], supersedes: [], notes: [] };
    const refused = "refused" in related ? related.refused : refusal(object);
    const sources = await Promise.all(object.sources.map((source) => folder.find(source)));
    const missing = object.sources.filter((_, i) => sources[i] === undefined);
    if (!("refused" in related)) line.notes.push(...related.notes);
    if (refused !== undefined || missing.length > 0) line.notes.unshift(refused ?? `not in the share: ${missing.slice(0, 3).join(", ")}`);
    else if (site === undefined) {
      ids.set(object.guid.toLowerCase(), "");
      Object.assign(line, { status: "withNote", to: object.kind, notes: ["imported by --import-content", ...line.notes] });
    } else {
      signal.throwIfAborted();
      try {
        const id = await importOne(site, object, sources.filter((one) => one !== undefined), "refused" in related ? {} : { dependencies: related.dependencies, supersedes: related.supersedes });
        mapping.set(object.guid, id);
        ids.set(object.guid.toLowerCase(), id);
        Object.assign(line, { status: line.notes.length > 0 ? "withNote" : "translated", to: `${object.kind} ${id}` });
      } catch (cause) {
        signal.throwIfAborted();
        line.notes.unshift(`the import failed: ${failureOf(cause).message} (${failureOf(cause).code})`);
      }
    }
  }
  return { lines, mapping };
}

/** The ids here of what an application depends on and supersedes; one that lacks what it depends on is not imported. */
function relatedTo({ dependencies, supersedes }: ExportedApplication, ids: ReadonlyMap<string, string>): { dependencies: string[]; supersedes: string[]; notes: string[] } | { refused: string } {
  const chosen = dependencies.map((group) => group.find((id) => ids.has(id)));
  const lacking = dependencies.filter((_, i) => chosen[i] === undefined).map((group) => group.join(" or "));
  if (lacking.length > 0) return { refused: `it depends on ${lacking.slice(0, 5).join(", ")}, which is not imported before it: import that first, and name its id with --map` };
  const unknown = supersedes.filter((id) => !ids.has(id));
  const idOf = (id: string | undefined) => ids.get(id ?? "") ?? "";
  return { dependencies: [...new Set(chosen.map(idOf))], supersedes: [...new Set(supersedes.filter((id) => ids.has(id)).map(idOf))], notes: unknown.length === 0 ? [] : [`not removed before it, for they are not imported: ${unknown.slice(0, 10).join(", ")}, which it supersedes`] };
}

function refusal({ application, sources }: ShareObject): string | undefined {
  if (application?.command === "") return "it is nothing but its dependencies, which stand in the sequence";
  if (sources.length === 0) return application === undefined ? "its files do not lie in the share" : "it has no files of its own in the share: import a folder with them as a package";
  if (application?.refused !== undefined) return application.refused;
  return redact(application?.command ?? "").found ? "a password stands in its command line: import it by hand (prestage package import) without" : undefined;
}

async function importOne(site: SiteClient, object: ShareObject | ExportedObject, sources: readonly string[], related: { dependencies?: string[]; supersedes?: string[] }): Promise<string> {
  const common = { name: object.name.slice(0, 256) || object.guid, softwareVersion: object.version };
  const [source = ""] = sources;
  const run = async (body: unknown) => contentObjectSchema.parse((await site.runJob("/imports", importRequestSchema.parse(body))).result?.["object"]).id;
  if (object.kind === "os-image") return run({ ...common, kind: object.kind, source, index: object.index ?? 1 });
  if (object.kind === "package" || object.kind === "application") return run({ ...common, kind: object.kind, source, definition: definitionOf(object, related) });
  // The folders of a driver group lie apart in a share; a driver package is one folder.
  const together = await mkdtemp(join(tmpdir(), "prestage-drivers-"));
  try {
    for (const [i, one] of sources.entries()) await cp(one, join(together, `${i + 1} ${basename(one)}`), { recursive: true, verbatimSymlinks: true });
    return await run({ ...common, kind: object.kind, source: together, definition: { kind: "driver-package", models: [] } });
  } finally {
    await rm(together, { recursive: true, force: true });
  }
}

/** MDT restarts where an installer says 3010, as a step of ours does; and after some with each code of success: by the application, or by the step that runs its program. */
function definitionOf(object: ShareObject | ExportedObject, { dependencies = [], supersedes = [] }: { dependencies?: string[]; supersedes?: string[] }): unknown {
  if ("exported" in object && object.exported !== undefined) return { kind: "application", ...object.exported, dependencies, supersedes: supersedes.length > 0 ? supersedes : undefined };
  const { application } = object;
  if (application === undefined) return { kind: "package", programs: "programs" in object ? object.programs : [] };
  const { command, detection, restart, platform } = application;
  const success = restart ? [] : [0];
  if (detection === undefined) return { kind: "package", programs: [{ name: "Install", command, successCodes: success }] };
  return { kind: "application", installCommand: command, detection: [{ type: "command", command: detection }], successCodes: success, restartCodes: restart ? [0, 3010] : [], ...(platform !== undefined && { requirement: platform }) };
}
