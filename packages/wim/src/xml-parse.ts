import { WimError } from "./error.ts";

export interface XmlElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlElement[];
  text: string;
}

const maxDepth = 32;
const entities = new Map([["amp", "&"], ["lt", "<"], ["gt", ">"], ["quot", '"'], ["apos", "'"]]);
const tagPattern = /([^\s/>=<]+)((?:\s+[^\s/>=<]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;
const attributePattern = /([^\s/>=<]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g;

/**
 * Parses elements, attributes and text. Refuses `<!` (so no comments, DTDs or entities of its own), more than 32 levels, and
 * anything not closed. Linear in the text. Throws PRESTAGE_WIM_XML.
 */
export function parseXml(text: string): XmlElement {
  const top: XmlElement = { name: "", attributes: new Map(), children: [], text: "" };
  const open = [top];
  let position = 0;
  while (position < text.length) {
    const tag = text.indexOf("<", position);
    const current = open.at(-1)!;
    current.text += decodeEntities(text.slice(position, tag < 0 ? text.length : tag));
    if (tag < 0) break;
    position = readTag(text, tag, open);
  }
  const root = top.children[0];
  if (open.length !== 1 || root === undefined || top.children.length !== 1 || top.text.trim() !== "") throw badXml("expected one root element, closed");
  return root;
}

/** Reads the tag at `position`, opens or closes an element, and returns where the tag ends. */
function readTag(text: string, position: number, open: XmlElement[]): number {
  const kind = text[position + 1];
  if (kind === "!") throw badXml("`<!` is not accepted");
  const end = text.indexOf(">", position);
  if (end < 0) throw badXml("a tag is not closed");
  if (kind === "?") return end + 1;
  if (kind === "/") {
    const element = open.pop();
    if (element === undefined || open.length === 0 || text.slice(position + 2, end).trim() !== element.name) throw badXml("a closing tag does not match");
    return end + 1;
  }
  tagPattern.lastIndex = position + 1;
  const match = tagPattern.exec(text);
  if (match === null) throw badXml("a tag is not well formed");
  const element: XmlElement = { name: match[1]!, attributes: readAttributes(match[2]!), children: [], text: "" };
  open.at(-1)!.children.push(element);
  if (match[3] !== "/") open.push(element);
  if (open.length > maxDepth) throw badXml(`more than ${maxDepth} levels`);
  return tagPattern.lastIndex;
}

function readAttributes(text: string): Map<string, string> {
  return new Map([...text.matchAll(attributePattern)].map((match) => [match[1]!, decodeEntities(match[2] ?? match[3] ?? "")]));
}

function decodeEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([a-z]{2,4}));/g, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return entities.get(name) ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (code > 0x10ffff) throw badXml("a character reference is out of range");
    return String.fromCodePoint(code);
  });
}

export function badXml(why: string): WimError {
  return new WimError("PRESTAGE_WIM_XML", `The XML description is not valid: ${why}. The file is damaged; get it again from its source.`);
}
