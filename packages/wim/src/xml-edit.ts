import { WimError } from "./error.ts";
import { elementXml } from "./xml-write.ts";
import type { XmlElement } from "./xml-parse.ts";

/** What can be said of an image; "" removes it, undefined leaves it as it is. */
export interface ImageProperties {
  readonly name?: string;
  readonly description?: string;
  readonly displayName?: string;
  readonly displayDescription?: string;
  readonly flags?: string;
}

const elementNames = { name: "NAME", description: "DESCRIPTION", displayName: "DISPLAYNAME", displayDescription: "DISPLAYDESCRIPTION", flags: "FLAGS" } as const;

/** The IMAGE element under another index, with these properties; everything else stays, unknown elements too. Throws PRESTAGE_WIM_PLAN. */
export function editImageElement(element: XmlElement, index: number, properties: ImageProperties): XmlElement {
  let children = [...element.children];
  for (const [key, name] of Object.entries(elementNames) as [keyof ImageProperties, string][]) {
    const text = properties[key];
    if (text === undefined) continue;
    checkText(text);
    const made: XmlElement = { name, attributes: new Map(), children: [], text };
    const at = children.findIndex((child) => child.name === name);
    children = children.filter((child) => child.name !== name);
    if (text !== "") children.splice(at < 0 ? children.length : at, 0, made);
  }
  return { name: "IMAGE", attributes: new Map([...element.attributes, ["INDEX", String(index)]]), children, text: "" };
}

/** The XML of a WIM: `FF FE`, then UTF-16LE. `totalBytes` is the offset it will lie at. */
export function xmlOf(images: readonly XmlElement[], others: readonly XmlElement[], totalBytes: number): Buffer {
  const total: XmlElement = { name: "TOTALBYTES", attributes: new Map(), children: [], text: String(totalBytes) };
  const root: XmlElement = { name: "WIM", attributes: new Map(), children: [total, ...others, ...images], text: "" };
  return Buffer.from(`\ufeff${elementXml(root)}`, "utf16le");
}

function checkText(text: string): void {
  // eslint-disable-next-line no-control-regex -- XML cannot hold these
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text) || !text.isWellFormed()) throw new WimError("PRESTAGE_WIM_PLAN", `${JSON.stringify(text)} has a character XML cannot hold. Leave it out.`);
}
