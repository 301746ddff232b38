import { asBuffer } from "./bytes.ts";
import { WimError } from "./error.ts";
import { badXml, parseXml, type XmlElement } from "./xml-parse.ts";

/** What an image says about its Windows. */
export interface WindowsInfo {
  /** 0 x86, 5 ARM, 9 x64, 12 ARM64. */
  readonly architecture: number | undefined;
  readonly productName: string | undefined;
  readonly editionId: string | undefined;
  readonly installationType: string | undefined;
  readonly languages: readonly string[];
  readonly defaultLanguage: string | undefined;
  /** major.minor.build.servicePackBuild, as far as given. */
  readonly version: string | undefined;
  readonly build: number | undefined;
  readonly servicePackBuild: number | undefined;
  readonly servicePackLevel: number | undefined;
  /** WinNT (a client), ServerNT or LanmanNT (a domain controller). */
  readonly productType: string | undefined;
  readonly productSuite: string | undefined;
  readonly hal: string | undefined;
  readonly systemRoot: string | undefined;
}

export interface WimImageInfo {
  /** From 1. */
  readonly index: number;
  readonly name: string;
  readonly description?: string;
  /** What setup programs show instead of the name. */
  readonly displayName?: string;
  readonly displayDescription?: string;
  /** Mostly the edition, as setup programs want it. */
  readonly flags?: string;
  /** 100 ns since 1601. */
  readonly created?: bigint;
  readonly modified?: bigint;
  readonly directoryCount: number;
  readonly fileCount: number;
  readonly totalBytes: number;
  readonly hardLinkBytes: number;
  readonly windows?: WindowsInfo;
  /** The IMAGE element, unknown parts too. */
  readonly element: XmlElement;
}

export interface WimXml {
  readonly raw: string;
  /** The WIM element, unknown parts too. */
  readonly element: XmlElement;
  readonly images: readonly WimImageInfo[];
}

/** Parses `FF FE` and UTF-16LE text: root WIM, one IMAGE per image, INDEX 1..n without holes. Throws PRESTAGE_WIM_XML. */
export function parseWimXml(bytes: Uint8Array, imageCount: number): WimXml {
  const buffer = asBuffer(bytes);
  if (buffer.length < 2 || buffer.readUInt16LE(0) !== 0xfeff) throw badXml("it does not begin with the byte order mark FF FE");
  const raw = buffer.toString("utf16le", 2);
  let end = raw.length;
  while (end > 0 && raw.codePointAt(end - 1) === 0) end--;
  const root = parseXml(raw.slice(0, end));
  if (root.name !== "WIM") throw badXml(`the root element is ${JSON.stringify(root.name.slice(0, 40))}, expected WIM`);
  const encrypted = child(child(root, "ESD"), "ENCRYPTED");
  if (encrypted !== undefined) throw new WimError("PRESTAGE_WIM_ENCRYPTED", "The file is an encrypted ESD. Use a decrypted image.");
  const images = root.children.filter((element) => element.name === "IMAGE").map(parseImage);
  images.sort((a, b) => a.index - b.index);
  if (images.length !== imageCount || images.some((image, i) => image.index !== i + 1)) {
    throw badXml(`it describes images ${images.slice(0, 20).map((image) => image.index).join(", ") || "none"}, the header counts ${imageCount}`);
  }
  return { raw, element: root, images };
}

function parseImage(element: XmlElement): WimImageInfo {
  const windows = child(element, "WINDOWS");
  return {
    index: numberFrom(element.attributes.get("INDEX")),
    name: textOf(element, "NAME") ?? "",
    ...optional("description", textOf(element, "DESCRIPTION")),
    ...optional("displayName", textOf(element, "DISPLAYNAME")),
    ...optional("displayDescription", textOf(element, "DISPLAYDESCRIPTION")),
    ...optional("flags", textOf(element, "FLAGS")),
    ...optional("created", timeOf(element, "CREATIONTIME")),
    ...optional("modified", timeOf(element, "LASTMODIFICATIONTIME")),
    directoryCount: numberFrom(textOf(element, "DIRCOUNT")),
    fileCount: numberFrom(textOf(element, "FILECOUNT")),
    totalBytes: numberFrom(textOf(element, "TOTALBYTES")),
    hardLinkBytes: numberFrom(textOf(element, "HARDLINKBYTES")),
    ...(windows === undefined ? {} : { windows: parseWindows(windows) }),
    element,
  };
}

/** What a Windows says of its processor (PROCESSOR_ARCHITECTURE), by the names people use. */
export const architectureNames: ReadonlyMap<number, "x86" | "arm" | "ia64" | "x64" | "arm64"> = new Map([[0, "x86"], [5, "arm"], [6, "ia64"], [9, "x64"], [12, "arm64"]]);

function parseWindows(element: XmlElement): WindowsInfo {
  const languages = child(element, "LANGUAGES");
  const version = child(element, "VERSION");
  const parts = ["MAJOR", "MINOR", "BUILD", "SPBUILD"].map((name) => textOf(version, name)).filter((part) => part !== undefined);
  return {
    architecture: numberOf(element, "ARCH"),
    productName: textOf(element, "PRODUCTNAME"),
    editionId: textOf(element, "EDITIONID"),
    installationType: textOf(element, "INSTALLATIONTYPE"),
    languages: (languages?.children ?? []).filter((item) => item.name === "LANGUAGE").map((item) => item.text),
    defaultLanguage: textOf(languages, "DEFAULT"),
    version: parts.length === 0 ? undefined : parts.join("."),
    build: numberOf(version, "BUILD"),
    servicePackBuild: numberOf(version, "SPBUILD"),
    servicePackLevel: numberOf(version, "SPLEVEL"),
    productType: textOf(element, "PRODUCTTYPE"),
    productSuite: textOf(element, "PRODUCTSUITE"),
    hal: textOf(element, "HAL"),
    systemRoot: textOf(element, "SYSTEMROOT"),
  };
}

function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((item) => item.name === name);
}

function textOf(element: XmlElement | undefined, name: string): string | undefined {
  return child(element, name)?.text;
}

function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  const made: { [P in K]?: T } = {};
  if (value !== undefined) made[key] = value;
  return made;
}

function numberOf(element: XmlElement | undefined, name: string): number | undefined {
  const text = textOf(element, name);
  return text === undefined ? undefined : numberFrom(text);
}

/** `HIGHPART` and `LOWPART`, hexadecimal with 0x; undefined where they are not. */
function timeOf(element: XmlElement, name: string): bigint | undefined {
  const time = child(element, name);
  const [high, low] = [textOf(time, "HIGHPART") ?? "", textOf(time, "LOWPART") ?? ""];
  const valid = /^0x[0-9a-fA-F]{1,8}$/;
  return valid.test(high) && valid.test(low) ? (BigInt(high) << 32n) | BigInt(low) : undefined;
}

/** Decimal digits; anything else counts as 0, since nothing but a display depends on it. */
function numberFrom(text: string | undefined): number {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : 0;
}
