import { attributeOf, childOf, childrenOf, readXmlText } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";

/** How often an instance may be text within another: programs within a package, systems within a program. */
const mostNested = 3;

/** CIM as XML (DSP0201): the properties of an instance that have one value, by name in lower case. */
export function propertiesOf(instance: XmlElement): Map<string, string> {
  return new Map(childrenOf(instance, "PROPERTY").map((one) => [attributeOf(one, "NAME").toLowerCase(), childOf(one, "VALUE")?.text.trim() ?? ""]));
}

/** The instances of a class in what was read: the element itself, elements anywhere below it, and those that are text in a value (DSP0201's embedded objects) or in the console's own lists of texts. */
export function instancesOf(root: XmlElement, className: string): XmlElement[] {
  const found: XmlElement[] = [];
  const look = (element: XmlElement, nested: number): void => {
    if (element.name.toUpperCase() === "INSTANCE" && attributeOf(element, "CLASSNAME").toLowerCase() === className.toLowerCase()) found.push(element);
    if (nested < mostNested && /^(VALUE|string)$/i.test(element.name) && /^\s*<INSTANCE\s/i.test(element.text)) look(readXmlText(element.text.trim()), nested + 1);
    for (const child of element.children) look(child, nested);
  };
  look(root, 0);
  return found;
}
