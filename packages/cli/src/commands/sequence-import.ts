import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { folderObject, importSequence, reportOf } from "@prestage/sequence/import";
import type { ImportedSequence, ImportLine, ShareObject } from "@prestage/sequence/import";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { importShareContent } from "../import-share-content.ts";
import { readInputFile } from "../input-file.ts";
import { print } from "../output.ts";
import { readImportSource } from "../read-import-source.ts";
import type { ImportSource } from "../read-import-source.ts";
import { SiteClient } from "../site-client.ts";

type Flags = { output?: string; id?: string; map?: string; importContent?: boolean; data?: string; json?: boolean };
/** Some enabled step could not be translated. */
const exitDisabled = 3;

export const importCommand = command<Flags, [string]>({
  brief: "Make task sequences of ours from a Configuration Manager export (.zip, .xml), MDT's ts.xml or its deployment share, with a report of every step and setting. Exit code: 0 every enabled step is translated, 3 some are kept disabled, 1 it failed",
  example: "prestage sequence import ts.xml\nprestage sequence import 'Windows 11.zip' -o imported --map imported/import-map.json\nprestage sequence import ./DeploymentShare -o imported --import-content",
  parameters: {
    aliases: { o: "output" },
    flags: {
      output: optionalText("Write a .yaml for each sequence, import-report.json and import-map.json into this folder; no file there is overwritten but those two", "DIR"),
      id: optionalText("This task sequence alone: its id in the share or export", "ID"),
      map: optionalText("Ids here by ids of the source (JSON); import-map.json lists those that are needed", "FILE"),
      importContent: flag("Import the share's operating systems, applications and driver groups, or what lies in an export's NAME_files, at the site first, and put their ids into the text"),
      ...siteFlags,
    },
    positional: one("Exported .zip or .xml, ts.xml, or a deployment share's folder", "FILE|FOLDER|ZIP"),
  },
  async run(context, flags, path) {
    const source = await readImportSource(path, flags.importContent === true);
    try {
      await importSource(context, flags, source);
    } finally {
      const temporary = source.exported?.content.temporary;
      if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
    }
  },
});

async function importSource(context: Context, flags: Flags, source: ImportSource): Promise<void> {
  if (flags.importContent === true && source.share === undefined && (source.exported?.content.objects.length ?? 0) === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected a deployment share's folder, or an export with content in NAME_files beside its .zip, with --import-content; found no content that can be imported. Import its content by hand and name it with --map.");
  const chosen = choose(source, flags.id);
  if (flags.output === undefined && flags.json !== true && chosen.length !== 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected one task sequence to print; found ${chosen.length}: ${chosen.map(({ id }) => id).join(", ")}. Choose one with --id, or write all with -o DIR.`);
  const mapping = flags.map === undefined ? new Map<string, string>() : readMap(await readInputFile(flags.map, "a mapping of ids"), flags.map);
  const site = flags.importContent === true ? await SiteClient.open(context, flags.data) : undefined;
  const held = source.share === undefined ? source.exported?.content : { folder: source.share.folder, objects: [...source.share.objects, ...foldersThatStepsName(source, chosen)] };
  const content = held === undefined ? { lines: [], mapping: new Map<string, string>() } : await importShareContent(held.folder, held.objects, site, mapping, context.signal);
  for (const [theirs, ours] of content.mapping) mapping.set(theirs.toLowerCase(), ours);
  const imported = chosen.map(({ id, sequence, names }) => ({
    id, ...importSequence(sequence, { origin: source.origin, names, mapping, ...(source.share !== undefined && { share: source.share.knowledge, before: source.share.rules.steps }), ...(source.exported !== undefined && { share: source.exported.knowledge }) }),
  }));
  const shared = [...source.lines, ...content.lines];
  const { totals, enabled } = reportOf(imported.flatMap((one) => one.report.lines));
  const result = { totals, enabled, sequences: imported, lines: shared };
  const files = flags.output === undefined ? [] : await write(flags.output, imported, result, mapping);
  const said = { totals, enabled, files, sequences: imported.map(({ id, name, report, references, yaml }) => ({ id, name, report, references, ...(flags.output === undefined && { yaml }) })), lines: shared };
  if (flags.output === undefined) print(context, flags.json, said, imported[0]?.yaml.trimEnd() ?? "");
  else print(context, flags.json, said, [...imported.flatMap((one) => [`${one.name}:`, ...one.report.lines.map(text)]), ...shared.map(text), "", ...files].join("\n"));
  if (flags.json !== true) context.process.stderr.write(`${totals.translated} steps translated, ${totals.withNote} with a note (${totals.notNeeded} of them need nothing here), ${totals.disabled} kept disabled; of those enabled in the source ${enabled.translated}, ${enabled.withNote} (${enabled.notNeeded}), ${enabled.disabled}\n`);
  if (enabled.disabled > 0) context.process.exitCode = exitDisabled;
}

/** Folders of the share, such as its Scripts, that commands of the sequences name files of. */
function foldersThatStepsName(source: ImportSource, chosen: ImportSource["sequences"]): ShareObject[] {
  if (source.share === undefined) return [];
  const { knowledge } = source.share;
  const folders = chosen.flatMap(({ sequence, names }) => importSequence(sequence, { origin: source.origin, names, share: knowledge }).references).filter((one) => one.folder === true);
  return [...new Map(folders.map((one) => [one.sourceId.toLowerCase(), folderObject(one.sourceId)])).values()];
}

function choose(source: ImportSource, id: string | undefined): ImportSource["sequences"] {
  const chosen = id === undefined ? source.sequences : source.sequences.filter((sequence) => sequence.id.toLowerCase() === id.toLowerCase());
  if (chosen.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a task sequence${id === undefined ? "" : ` ${id}`}; found ${source.sequences.map((sequence) => sequence.id).join(", ") || "none"}.`);
  return chosen;
}

const mapSchema = z.record(z.string().max(512), z.union([z.literal(""), z.string().regex(/^[A-Z0-9]{3}[0-9A-F]{5}$/, "an object's id, such as ABC00001")]));

/** Source ids without case; those left empty are still needed. */
function readMap(content: Buffer, path: string): Map<string, string> {
  let value: unknown;
  try {
    value = JSON.parse(content.toString("utf8"));
  } catch (cause) {
    throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected JSON in ${path}; found: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
  return new Map(Object.entries(mapSchema.parse(value)).filter(([, ours]) => ours !== "").map(([theirs, ours]) => [theirs.toLowerCase(), ours]));
}

async function write(folder: string, imported: readonly (ImportedSequence & { id: string })[], report: unknown, mapping: ReadonlyMap<string, string>): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const { id, yaml } of imported) {
    const path = join(folder, `${id.replace(/[^A-Za-z0-9_.-]+/g, "-").replace(/^\.+/, "") || "sequence"}.yaml`);
    await writeFile(path, yaml, { flag: "wx" }).catch((cause: unknown) => {
      if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected no file at ${path}; there is one, and it is left as it is.`, { cause });
      throw cause;
    });
    files.push(path);
  }
  const map = Object.fromEntries([...new Map(imported.flatMap((one) => one.references).map(({ sourceId }) => [sourceId, mapping.get(sourceId.toLowerCase()) ?? ""]))]);
  for (const [name, value] of [["import-report.json", report], ["import-map.json", map]] as const) {
    await writeFile(join(folder, name), `${JSON.stringify(value, null, 2)}\n`);
    files.push(join(folder, name));
  }
  return files;
}

function text({ kind, name, path, type, status, to, enabled, notes }: ImportLine): string {
  const what = status === "withNote" ? "note" : status;
  return `${what.padEnd(10)} ${[...path, name].join(" / ")} (${kind === "step" ? type : kind})${enabled ? "" : ", off in the source"}${status === "disabled" || to === "" ? "" : ` -> ${to}`}${notes.map((note) => `\n           ${note}`).join("")}`;
}
