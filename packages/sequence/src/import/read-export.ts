import { SequenceError } from "../error.ts";
import { attributeOf, childOf, childrenOf, readXml, readXmlText } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";
import { readSourceSequence } from "./source-sequence.ts";
import type { SourceSequence } from "./source-sequence.ts";

/** A task sequence of a Configuration Manager export, and what the objects it names are called. */
export interface ExportedSequence { id: string; sequence: SourceSequence; names: Map<string, string> }

const objectFile = /^SMS_TaskSequencePackage\/([^/]{1,64})\/object\.xml$/i;

/** The files of an export that are read at all. */
export function isExportFile(path: string): boolean {
  return objectFile.test(path) || /^SMS_TaskSequencePackage\/[^/]{1,64}\/ReferencesInfo\.xml$/i.test(path);
}

/**
 * The sequences of an unpacked export (.zip of the console: an object.xml for each object, CIM as XML).
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN, PRESTAGE_SEQUENCE_IMPORT_XML
 */
export function readExport(files: ReadonlyMap<string, Uint8Array>): ExportedSequence[] {
  const found: ExportedSequence[] = [];
  for (const [path, bytes] of files) {
    const [, id] = objectFile.exec(path) ?? [];
    if (id === undefined) continue;
    const instance = readXml(bytes);
    const properties = propertiesOf(instance);
    const sequence = sequenceIn(properties.get("sequence") ?? "", id);
    const references = files.get(path.replace(/object\.xml$/i, "ReferencesInfo.xml"));
    found.push({ id, sequence: { ...sequence, name: properties.get("name") || sequence.name, description: properties.get("description") || sequence.description }, names: references === undefined ? new Map() : namesIn(readXml(references)) });
  }
  if (found.length === 0) throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", "Expected an export of the Configuration Manager console with SMS_TaskSequencePackage/ID/object.xml; found none in it. Export a task sequence.");
  return found;
}

/** The sequence is text within the object: XML, or, encrypted, figures. */
function sequenceIn(text: string, id: string): SourceSequence {
  const trimmed = text.trim();
  if (trimmed.startsWith("<")) return readSourceSequence(readXmlText(trimmed));
  const found = trimmed === "" ? "none" : /^[0-9A-Fa-f\s]+$/.test(trimmed) || /^[A-Za-z0-9+/=\s]+$/.test(trimmed) ? "one that is encrypted or encoded" : "other text";
  throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected the task sequence ${id} as XML; found ${found}. Export it from the console of the site it belongs to.`);
}

function propertiesOf(instance: XmlElement): Map<string, string> {
  return new Map(childrenOf(instance, "PROPERTY").map((one) => [attributeOf(one, "NAME").toLowerCase(), childOf(one, "VALUE")?.text.trim() ?? ""]));
}

/** ReferencesInfo.xml: a list of texts that are CIM instances. */
function namesIn(list: XmlElement): Map<string, string> {
  const names = new Map<string, string>();
  for (const one of childrenOf(list, "string").slice(0, 10_000)) {
    if (!one.text.trim().startsWith("<")) continue;
    const properties = propertiesOf(readXmlText(one.text.trim()));
    const [id, name] = [properties.get("referencepackageid"), properties.get("referencename")];
    if (id !== undefined && id !== "" && name !== undefined && name !== "") names.set(id.toLowerCase(), `${name} (configmgr ${id})`);
  }
  return names;
}
