import { SaxesParser } from "saxes";
import { SequenceError } from "./error.ts";

/** An element as it was read; `text` is all character data directly in it. */
export interface XmlElement { name: string; attributes: Readonly<Record<string, string>>; children: XmlElement[]; text: string; line: number }

type Refusal = (expected: string, found: string, cause?: unknown) => SequenceError;

export const maximumXmlBytes = 32 * 1024 * 1024;
const maximumDepth = 64;
const maximumElements = 500_000;
const maximumAttributes = 64;

/**
 * Reads XML of somebody else's making. A document type is refused, so there are no entities but the five of XML 1.0 (section 4.6), and
 * nothing in the text can name a file or grow.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_XML
 */
export function readXml(bytes: Uint8Array): XmlElement {
  if (bytes.length > maximumXmlBytes) throw refusedImport(`at most ${maximumXmlBytes} bytes`, `${bytes.length}`);
  return readXmlText(decodeText(bytes));
}

/** The same, of text that was decoded already; `refused` makes the error of what it is read for, `malformed` that of text that is no XML. */
export function readXmlText(text: string, refused: Refusal = refusedImport, malformed: Refusal = refused): XmlElement {
  if (text.length > maximumXmlBytes) throw refused(`at most ${maximumXmlBytes} characters`, `${text.length}`);
  const parser = new SaxesParser();
  const root: XmlElement = { name: "", attributes: {}, children: [], text: "", line: 0 };
  const open: XmlElement[] = [root];
  let elements = 0;
  const add = (characters: string) => {
    const inside = open.at(-1);
    if (inside !== undefined && inside !== root) inside.text += characters;
  };
  parser.on("doctype", () => {
    throw refused("no document type", `one in line ${parser.line}`);
  });
  parser.on("error", (cause) => {
    throw malformed("well-formed XML", cause.message, cause);
  });
  parser.on("opentag", ({ name, attributes }) => {
    if (++elements > maximumElements) throw refused(`at most ${maximumElements} elements`, "more");
    if (open.length > maximumDepth) throw refused(`at most ${maximumDepth} levels`, `more in line ${parser.line}`);
    if (Object.keys(attributes).length > maximumAttributes) throw refused(`at most ${maximumAttributes} attributes of an element`, `more in line ${parser.line}`);
    const element: XmlElement = { name, attributes, children: [], text: "", line: parser.line };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on("closetag", () => void open.pop());
  parser.on("text", add);
  parser.on("cdata", add);
  parser.write(text).close();
  const [document] = root.children;
  if (document === undefined) throw malformed("an element", "none");
  return document;
}

/** UTF-8 or UTF-16LE by its mark or by a NUL where the second byte of `<` would be; else Windows-1252 where UTF-8 it is not. */
export function decodeText(bytes: Uint8Array): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes.length > 1 && bytes[0] !== 0 && bytes[1] === 0)) return new TextDecoder("utf-16le").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

export function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((one) => one.name.toLowerCase() === name.toLowerCase());
}

export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((one) => one.name.toLowerCase() === name.toLowerCase()) ?? [];
}

export function textOf(element: XmlElement | undefined, name: string): string {
  return childOf(element, name)?.text.trim() ?? "";
}

/** An attribute, its name compared without case; empty where there is none. */
export function attributeOf(element: XmlElement, name: string): string {
  return Object.entries(element.attributes).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1] ?? "";
}

export function refusedImport(expected: string, found: string, cause?: unknown): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_IMPORT_XML", `Expected ${expected} in what is imported; found ${found.slice(0, 300)}. Export it anew.`, { cause });
}
