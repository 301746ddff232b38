import { open, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { decodeText, isExportFile, otherShareObjects, readExport, readShareObjects, readShareSequences, readSourceSequence, readXml, scriptsOfShare, shareKnowledge, translateRules } from "@prestage/sequence/import";
import type { ImportLine, ShareKnowledge, ShareObject, SourceSequence } from "@prestage/sequence/import";
import { CliError } from "./error.ts";
import { findExportContent } from "./export-content.ts";
import type { ExportContent } from "./export-content.ts";
import { readInputFile } from "./input-file.ts";
import { readZipFiles } from "./read-zip-files.ts";
import { ShareFolder } from "./share-folder.ts";

/** What `prestage sequence import` was given, read and not yet translated. */
export interface ImportSource {
  origin: "configmgr" | "mdt";
  sequences: { id: string; sequence: SourceSequence; names: ReadonlyMap<string, string> }[];
  share?: { folder: ShareFolder; objects: ShareObject[]; knowledge: ReturnType<typeof shareKnowledge>; rules: ReturnType<typeof translateRules> };
  /** What an export's steps ask of its objects, and the content beside it, NAME_files, with what it holds that can be imported. */
  exported?: { content: ExportContent; knowledge: ShareKnowledge };
  /** Of the source as a whole: rules, sequences that could not be read. */
  lines: ImportLine[];
}

/** A file, an export or a deployment share. `contents`: content within an export's .zip is unpacked. @throws CliError, SequenceError */
export async function readImportSource(path: string, contents: boolean): Promise<ImportSource> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() === true) return readShare(path);
  if (await isZip(path)) return readExportWithContent(path, readExport(await readZipFiles(path, isExportFile)), contents);
  const bytes = await readInputFile(path, "a task sequence of Configuration Manager or MDT");
  const root = readXml(bytes);
  if (root.name === "INSTANCE") return { origin: "configmgr", sequences: readExport(new Map([["SMS_TaskSequencePackage/object/object.xml", bytes]])).sequences, lines: [] };
  const sequence = readSourceSequence(root);
  // MDT names its sequences in the text; its scripts are told by %SCRIPTROOT%, which the other has not.
  const origin = /%SCRIPTROOT%|BDD_|PSD\w+\.ps1/i.test(decodeText(bytes)) && !/smsswd\.exe|tsenv\.exe|osdapplyos/i.test(decodeText(bytes)) ? "mdt" : "configmgr";
  return { origin, sequences: [{ id: basename(path).replace(/\.xml$/i, ""), sequence, names: new Map() }], lines: [] };
}

/** Whether a file begins as a .zip does; what cannot be read is told where it is read. */
async function isZip(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return false;
  try {
    return (await file.read(Buffer.alloc(2))).buffer.toString("latin1") === "PK";
  } catch {
    return false;
  } finally {
    await file.close();
  }
}

/** An object whose content is there is imported as a share's is, and then has its line from there. */
async function readExportWithContent(path: string, { sequences, lines, objects, programs }: ReturnType<typeof readExport>, contents: boolean): Promise<ImportSource> {
  const content = await findExportContent(path, objects, contents);
  const ids = new Set(content.objects.map((object) => object.guid));
  return { origin: "configmgr", sequences, lines: lines.filter(({ path: [id = ""], type }) => !(ids.has(id) && importedClasses.test(type))), exported: { content, knowledge: { imageIndexes: new Map(), applications: new Map(), programs } } };
}

const importedClasses = /^SMS_(DriverPackage|Package|Application|ImagePackage|OperatingSystemInstallPackage)$/i;

async function readShare(path: string): Promise<ImportSource> {
  const folder = new ShareFolder(resolve(path));
  const xml = async (name: string) => {
    const bytes = await folder.read(`Control/${name}`);
    return bytes === undefined ? undefined : readXml(bytes);
  };
  const list = await xml("TaskSequences.xml");
  if (list === undefined) throw new CliError("PRESTAGE_CLI_FILE_UNREADABLE", `Expected a deployment share with Control/TaskSequences.xml at ${path}; found none. Name the share's folder, a ts.xml, or an export's .zip.`);
  const files = { applications: await xml("Applications.xml"), operatingSystems: await xml("OperatingSystems.xml"), drivers: await xml("Drivers.xml"), driverGroups: await xml("DriverGroups.xml"), packages: await xml("Packages.xml"), selectionProfiles: await xml("SelectionProfiles.xml") };
  const objects = readShareObjects(files);
  const names = new Map(objects.map((one) => [one.guid, one.name]));
  const text = async (name: string) => decodeText((await folder.read(`Control/${name}`)) ?? Buffer.alloc(0));
  const rules = translateRules(await text("CustomSettings.ini"), await text("Bootstrap.ini"));
  const lines: ImportLine[] = [...rules.lines, ...otherShareObjects(files)];
  const sequences: ImportSource["sequences"] = [];
  for (const { id, name } of readShareSequences(list)) {
    const bytes = await folder.read(`Control/${id}/ts.xml`);
    if (bytes === undefined) lines.push({ kind: "object", name: name || id, path: ["Control"], type: "task sequence", status: "disabled", enabled: true, to: "", notes: [`there is no Control/${id}/ts.xml`] });
    else {
      const sequence = readSourceSequence(readXml(bytes));
      sequences.push({ id, sequence: { ...sequence, name: name || sequence.name }, names });
    }
  }
  return { origin: "mdt", sequences, share: { folder, objects, knowledge: shareKnowledge(objects, await scriptsThatAskMdt(folder, sequences)), rules }, lines };
}

const mostScripts = 1000;
/** What a script uses that is only there while MDT runs it. */
const ofMdt = /Microsoft\.SMS\.TSEnvironment|\bTSEnv(List)?:|ZTIUtility|ZTIDataAccess/i;

/** Scripts of the share, named by steps, that would ask MDT's own objects; by path below the share, in lower case. */
async function scriptsThatAskMdt(folder: ShareFolder, sequences: ImportSource["sequences"]): Promise<Set<string>> {
  const named = new Set(sequences.flatMap(({ sequence }) => scriptsOfShare(sequence.nodes)));
  const asking = new Set<string>();
  for (const path of [...named].slice(0, mostScripts)) {
    const bytes = await folder.read(path);
    if (bytes !== undefined && ofMdt.test(decodeText(bytes))) asking.add(path.toLowerCase());
  }
  return asking;
}
