import { SequenceError } from "../error.ts";
import { readXmlText } from "../read-xml.ts";
import type { XmlElement } from "../read-xml.ts";

/** The passes of Windows Setup that an image laid down by a deployment still goes through. */
export const answerPasses = ["offlineServicing", "specialize", "oobeSystem"] as const;
export type AnswerPass = (typeof answerPasses)[number];

/** Settings within a component: text, more settings, or a list of items that each have their own (`wcm:action="add"`). */
export interface AnswerSettings { [name: string]: string | AnswerSettings | readonly AnswerSettings[] }

/** What one step asks Windows Setup for. */
export interface AnswerComponent { pass: AnswerPass; component: string; settings: AnswerSettings }

const unattendNamespace = "urn:schemas-microsoft-com:unattend";
const actionNamespace = "http://schemas.microsoft.com/WMIConfig/2002/State";
const component = 'publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS"';
const architectures = { x64: "amd64", arm64: "arm64" } as const;

interface Element { name: string; attributes: Record<string, string>; children: Element[]; text: string }

/**
 * An answer file with everything the given components ask for; where two say the same the later wins. `given` is an answer file to begin with,
 * somebody's own: what it says besides stays as it is. `before` is what earlier steps made, which wins over it.
 * @throws SequenceError PRESTAGE_SEQUENCE_ANSWER_FILE: `given` is none
 */
export function answerFile(components: readonly AnswerComponent[], architecture: keyof typeof architectures, given?: string, before?: string): string {
  const root: Element = given === undefined ? { name: "unattend", attributes: { xmlns: unattendNamespace }, children: [], text: "" } : readAnswerFile(given);
  if (before !== undefined) layOver(root, readAnswerFile(before));
  for (const { pass, component: name, settings } of components) {
    const inPass = childNamed(root, "settings", (one) => one.attributes["pass"] === pass, { pass });
    const found = inPass.children.find((one) => one.name === "component" && one.attributes["name"] === name && (one.attributes["processorArchitecture"] ?? "") === architectures[architecture]);
    const into = found ?? { name: "component", attributes: { name, processorArchitecture: architectures[architecture], ...attributesOf(component) }, children: [], text: "" };
    if (found === undefined) inPass.children.push(into);
    putSettings(into, settings);
  }
  root.attributes["xmlns:wcm"] = actionNamespace;
  return `<?xml version="1.0" encoding="utf-8"?>\r\n${write(root, 0)}\r\n`;
}

function putSettings(into: Element, settings: AnswerSettings): void {
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === "string") {
      const child = childNamed(into, name, () => true);
      child.children = [];
      child.text = value;
    } else if (isList(value)) {
      const list = childNamed(into, name, () => true);
      // A list of texts is what it says; one of items keeps those that are others.
      list.children = list.children.filter((item) => !value.some((one) => typeof Object.values(one)[0] === "string" || sameItem(item, one)));
      for (const [i, item] of value.entries()) {
        const [itemName, inner] = Object.entries(item)[0] ?? [];
        if (itemName === undefined || inner === undefined || isList(inner)) throw new TypeError("an item of a list is one setting, with a text or settings in it");
        const child: Element = { name: itemName, attributes: { "wcm:action": "add", ...(typeof inner === "string" && { "wcm:keyValue": String(i + 1) }) }, children: [], text: typeof inner === "string" ? inner : "" };
        if (typeof inner !== "string") putSettings(child, inner);
        giveOrder(child, list.children);
        list.children.push(child);
      }
    } else putSettings(childNamed(into, name, () => true), value);
  }
}

/** Commands run in their order, each of which is somebody's alone: one that is taken becomes the next after the last. */
function giveOrder(item: Element, others: readonly Element[]): void {
  const orderOf = (one: Element) => one.children.find((child) => child.name === "Order");
  const taken = others.map((one) => Number(orderOf(one)?.text.trim() ?? Number.NaN)).filter((order) => Number.isInteger(order));
  const order = orderOf(item);
  if (order !== undefined && taken.includes(Number(order.text))) order.text = String(Math.max(...taken) + 1);
}

/** Everything of one answer file over another: settings by pass, components by name and processor, items by what tells them apart. */
function layOver(into: Element, from: Element): void {
  for (const child of from.children) {
    const found = into.children.find((one) => sameElement(one, child));
    if (found === undefined) {
      giveOrder(child, into.children);
      into.children.push(child);
    } else if (child.children.length === 0) {
      found.children = [];
      found.text = child.text;
    } else layOver(found, child);
  }
}

function sameElement(one: Element, other: Element): boolean {
  if (one.name !== other.name) return false;
  if (one.name === "settings") return one.attributes["pass"] === other.attributes["pass"];
  if (one.name === "component") return one.attributes["name"] === other.attributes["name"] && one.attributes["processorArchitecture"] === other.attributes["processorArchitecture"];
  if (one.attributes["wcm:action"] === undefined && other.attributes["wcm:action"] === undefined) return true;
  if (one.children.length === 0 && other.children.length === 0) return one.attributes["wcm:keyValue"] === other.attributes["wcm:keyValue"];
  return identities.some((key) => other.children.some((child) => child.name === key && one.children.some((mine) => mine.name === key && mine.text.trim() === child.text.trim())));
}

/** What tells the items of a list apart. Not their order: it is somebody else's as well. */
const identities = ["Identifier", "Key", "Name", "Description"];

function sameItem(item: Element, settings: AnswerSettings): boolean {
  const [name, inner] = Object.entries(settings)[0] ?? [];
  if (item.name !== name || typeof inner !== "object" || isList(inner)) return false;
  return identities.some((key) => typeof inner[key] === "string" && item.children.some((one) => one.name === key && one.text.trim() === inner[key]));
}

function isList(value: AnswerSettings[string]): value is readonly AnswerSettings[] {
  return Array.isArray(value);
}

function childNamed(parent: Element, name: string, fits: (one: Element) => boolean, attributes: Record<string, string> = {}): Element {
  const found = parent.children.find((one) => one.name === name && fits(one));
  if (found !== undefined) return found;
  const made: Element = { name, attributes: { ...attributes }, children: [], text: "" };
  parent.children.push(made);
  return made;
}

function attributesOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]));
}

/** Reads somebody's answer file: bounded, without a document type, so without entities of its own. */
function readAnswerFile(text: string): Element {
  const root = mutable(readXmlText(text.replace(/^\uFEFF/, ""), refused));
  if (root.name !== "unattend" || root.attributes["xmlns"] !== unattendNamespace) throw refused(`an <unattend> of ${unattendNamespace}`, `<${root.name.slice(0, 100)}>`);
  return root;
}

function mutable({ name, attributes, children, text }: XmlElement): Element {
  return { name, attributes: { ...attributes }, children: children.map(mutable), text: children.length === 0 ? text : "" };
}

function write(element: Element, depth: number): string {
  const indent = "  ".repeat(depth);
  const begin = `${indent}<${element.name}${Object.entries(element.attributes).map(([name, value]) => ` ${name}="${escaped(value)}"`).join("")}`;
  if (element.children.length > 0) return `${begin}>\r\n${element.children.map((one) => write(one, depth + 1)).join("\r\n")}\r\n${indent}</${element.name}>`;
  return element.text === "" ? `${begin} />` : `${begin}>${escaped(element.text)}</${element.name}>`;
}

function escaped(text: string): string {
  // XML 1.0 has no place for most control characters, whatever they are escaped to.
  return text.replace(/[^\P{Cc}\t\r\n]/gu, "").replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function refused(expected: string, found: string, cause?: unknown): SequenceError {
  return new SequenceError("PRESTAGE_SEQUENCE_ANSWER_FILE", `Expected ${expected} in the answer file; found ${found.slice(0, 300)}. Correct the answer file in its package.`, { cause });
}
