import { SequenceError } from "../../error.ts";
import { childrenOf, readXml, readXmlText } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";
import { propertiesOf } from "./cim.ts";
import { exportObjectPath, importableObjects, linesOfObjects } from "./export-objects.ts";
import { programKnowledge } from "./export-packages.ts";
import { nameOfObject, withoutVersion } from "./exported-object.ts";
import type { ExportedObject, ExportObject } from "./exported-object.ts";
import type { ImportLine } from "../import-report.ts";
import { readSourceSequence } from "../source-sequence.ts";
import type { SourceSequence } from "../source-sequence.ts";
import type { ProgramKnowledge } from "../translation.ts";

/** A task sequence of a Configuration Manager export, and what the objects it names are called. */
export interface ExportedSequence { id: string; sequence: SourceSequence; names: ReadonlyMap<string, string> }

/** What an export holds: task sequences, a line for each object beside them, which of these can be imported from the content beside the export, and what its steps ask of the packages. */
export interface ReadExport { sequences: ExportedSequence[]; lines: ImportLine[]; objects: ExportedObject[]; programs: ProgramKnowledge }

const objectFile = /^SMS_TaskSequencePackage\/([^/]{1,64})\/object\.xml$/i;

/** Lists beside a package's text. */
const packageList = /^SMS_Package\/([^/]{1,100})\/(?!object\.xml$)[^/]{1,100}\.xml$/i;

/** The files of an export that are read at all. */
export function isExportFile(path: string): boolean {
  return exportObjectPath.test(path) || packageList.test(path) || /^SMS_TaskSequencePackage\/[^/]{1,64}\/ReferencesInfo\.xml$/i.test(path);
}

/**
 * The sequences and objects of an unpacked export (.zip of the console: an object.xml for each object, CIM as XML).
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN, PRESTAGE_SEQUENCE_IMPORT_XML
 */
export function readExport(files: ReadonlyMap<string, Uint8Array>): ReadExport {
  const objects = objectsIn(files);
  // An application is named by its own id, though its content has one of a package as well.
  const called = new Map(objects.flatMap((object) => [object.properties.get("packageid") || object.id, object.id].map((id) => [id.toLowerCase(), `${nameOfObject(object)} (configmgr ${object.id})`] as const)));
  const found: ExportedSequence[] = [];
  for (const [path, bytes] of files) {
    const [, id] = objectFile.exec(path) ?? [];
    if (id === undefined) continue;
    const properties = propertiesOf(readXml(bytes));
    const sequence = sequenceIn(properties.get("sequence") ?? "", id);
    const references = files.get(path.replace(/object\.xml$/i, "ReferencesInfo.xml"));
    const names = new Map([...called, ...(references === undefined ? [] : namesIn(readXml(references)))]);
    found.push({ id, sequence: { ...sequence, name: properties.get("name") || sequence.name, description: properties.get("description") || sequence.description }, names });
  }
  if (found.length === 0) throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", "Expected an export of the Configuration Manager console with SMS_TaskSequencePackage/ID/object.xml; found none in it. Export a task sequence.");
  return { sequences: found, lines: linesOfObjects(objects), objects: importableObjects(objects, found.map(({ sequence }) => sequence)), programs: programKnowledge(objects) };
}

/** Those beside the task sequences; programs and lists that lie apart from their package belong to it. */
function objectsIn(files: ReadonlyMap<string, Uint8Array>): ExportObject[] {
  const objects: ExportObject[] = [];
  const apart: { pack: string; root: XmlElement; object?: ExportObject }[] = [];
  for (const [path, bytes] of files) {
    const [, className, id] = exportObjectPath.exec(path) ?? [];
    const pack = packageList.exec(path)?.[1];
    if (pack !== undefined) apart.push({ pack: pack.toLowerCase(), root: readXml(bytes) });
    if (className === undefined || id === undefined || /^SMS_TaskSequencePackage$/i.test(className)) continue;
    const root = readXml(bytes);
    const object = { className, id: withoutVersion(id), properties: propertiesOf(root), root };
    if (/^SMS_Program$/i.test(className)) apart.push({ pack: object.properties.get("packageid")?.toLowerCase() ?? "", root, object });
    else objects.push(object);
  }
  const isPackage = ({ className }: ExportObject) => /^SMS_Package$/i.test(className);
  const packages = new Set(objects.filter(isPackage).map((one) => one.id.toLowerCase()));
  const beside = Map.groupBy(apart, (one) => one.pack);
  return [
    ...objects.map((object) => (isPackage(object) ? { ...object, beside: (beside.get(object.id.toLowerCase()) ?? []).map(({ root }) => root) } : object)),
    ...apart.flatMap(({ pack, object }) => (object === undefined || packages.has(pack) ? [] : [object])),
  ];
}

/** The sequence is text within the object: XML, or, encrypted, figures. */
function sequenceIn(text: string, id: string): SourceSequence {
  const trimmed = text.trim();
  if (trimmed.startsWith("<")) return readSourceSequence(readXmlText(trimmed));
  const found = trimmed === "" ? "none" : /^[0-9A-Fa-f\s]+$/.test(trimmed) || /^[A-Za-z0-9+/=\s]+$/.test(trimmed) ? "one that is encrypted or encoded" : "other text";
  throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected the task sequence ${id} as XML; found ${found}. Export it from the console of the site it belongs to.`);
}

/** ReferencesInfo.xml: a list of texts that are CIM instances. */
function namesIn(list: XmlElement): Map<string, string> {
  const names = new Map<string, string>();
  for (const one of childrenOf(list, "string").slice(0, 10_000)) {
    if (!one.text.trim().startsWith("<")) continue;
    const properties = propertiesOf(readXmlText(one.text.trim()));
    const [id, name] = [properties.get("referencepackageid"), properties.get("referencename")];
    if (id !== undefined && id !== "" && name !== undefined && name !== "") names.set(withoutVersion(id).toLowerCase(), `${name} (configmgr ${id})`);
  }
  return names;
}
