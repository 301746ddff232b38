import type { SequenceError } from "../../error.ts";
import { attributeOf, childOf, childrenOf, readXmlText, refusedImport, textOf } from "../../read-xml.ts";
import type { XmlElement } from "../../read-xml.ts";

/** One way to install an application, as its AppMgmtDigest has it. */
export interface DeploymentType { name: string; element: XmlElement; installer: XmlElement | undefined; technology: string }

/** An AppMgmtDigest (SDMPackageXML of SMS_Application): its deployment types in the order they are tried. */
export interface ApplicationDigest { root: XmlElement; deploymentTypes: DeploymentType[] }

/** Undefined where the text is no well-formed XML, which costs its own application a note; what is hostile (document type, depth, size) is refused like any. */
export function readDigest(text: string): ApplicationDigest | undefined {
  let malformed: SequenceError | undefined;
  try {
    const root = readXmlText(text, refusedImport, (expected, found, cause) => (malformed = refusedImport(expected, found, cause)));
    return { root, deploymentTypes: deploymentTypesIn(root) };
  } catch (cause) {
    if (malformed === undefined || cause !== malformed) throw cause;
    return undefined;
  }
}

/** The list in `<Application>` says the priority; those it does not name come last, as they stand. */
function deploymentTypesIn(root: XmlElement): DeploymentType[] {
  const order = childrenOf(childOf(childOf(root, "Application"), "DeploymentTypes"), "DeploymentType").map((one) => attributeOf(one, "LogicalName"));
  const place = (element: XmlElement) => {
    const at = order.indexOf(attributeOf(element, "LogicalName"));
    return at === -1 ? order.length : at;
  };
  return childrenOf(root, "DeploymentType").toSorted((a, b) => place(a) - place(b)).map((element) => {
    const installer = childOf(element, "Installer");
    return { name: textOf(element, "Title") || attributeOf(element, "LogicalName"), element, installer, technology: textOf(element, "Technology") || (installer === undefined ? "" : attributeOf(installer, "Technology")) };
  });
}

/** An action of an installer: InstallAction, UninstallAction, DetectAction. Its argument's text, without line breaks; empty where there is none. */
export function argumentOf(action: XmlElement | undefined, name: string): string {
  return wholeArgument(action, name).replace(/\s*[\r\n]+\s*/g, " ");
}

/** The same with its lines, for scripts. */
export function wholeArgument(action: XmlElement | undefined, name: string): string {
  return argumentNamed(action, name)?.text.trim() ?? "";
}

/** An argument that is a list of numbers. */
export function codesOf(action: XmlElement | undefined, name: string): number[] {
  return childrenOf(argumentNamed(action, name), "Item").map((one) => one.text.trim()).filter((code) => /^-?\d{1,10}$/.test(code)).map(Number);
}

function argumentNamed(action: XmlElement | undefined, name: string): XmlElement | undefined {
  return childrenOf(childOf(action, "Args"), "Arg").find((one) => attributeOf(one, "Name").toLowerCase() === name.toLowerCase());
}

/** Elements of this name anywhere below. */
export function within(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.flatMap((child) => [...(child.name.toLowerCase() === name.toLowerCase() ? [child] : []), ...within(child, name)]) ?? [];
}
