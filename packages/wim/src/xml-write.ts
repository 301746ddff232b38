import type { WimBuildImage } from "./build-plan.ts";
import type { ImageCounts } from "./metadata-write.ts";
import type { XmlElement } from "./xml-parse.ts";

export interface DescribedImage {
  readonly image: WimBuildImage;
  readonly counts: ImageCounts;
}

/** Elements a tree at the root of an image brings along: what Windows tools know the image by. */
const kept = new Set(["FLAGS", "WINDOWS", "DISPLAYNAME", "DISPLAYDESCRIPTION"]);

/** The XML of a WIM: `FF FE`, then UTF-16LE. `totalBytes` is the offset it will lie at. */
export function writeXml(images: readonly DescribedImage[], time: bigint, totalBytes: number): Buffer {
  const text = `<WIM>${leaf("TOTALBYTES", String(totalBytes))}${images.map((image, i) => imageXml(image, i + 1, time)).join("")}</WIM>`;
  return Buffer.from(`\ufeff${text}`, "utf16le");
}

function imageXml({ image, counts }: DescribedImage, index: number, time: bigint): string {
  const root = image.sources.find((source) => source.kind === "tree" && source.destination === "");
  const elements = root?.kind === "tree" ? root.wim.xml.images[root.image - 1]!.element.children.filter((element) => kept.has(element.name)) : [];
  return [
    `<IMAGE INDEX="${index}">`,
    leaf("DIRCOUNT", String(counts.directoryCount)),
    leaf("FILECOUNT", String(counts.fileCount)),
    leaf("TOTALBYTES", String(counts.totalBytes)),
    leaf("HARDLINKBYTES", String(counts.hardLinkBytes)),
    timeXml("CREATIONTIME", time),
    timeXml("LASTMODIFICATIONTIME", time),
    ...elements.map(elementXml),
    leaf("NAME", image.name),
    image.description === undefined ? "" : leaf("DESCRIPTION", image.description),
    "</IMAGE>",
  ].join("");
}

function timeXml(name: string, time: bigint): string {
  const hex = time.toString(16).toUpperCase().padStart(16, "0");
  return `<${name}>${leaf("HIGHPART", `0x${hex.slice(0, 8)}`)}${leaf("LOWPART", `0x${hex.slice(8)}`)}</${name}>`;
}

/** An element with all that is in it. */
export function elementXml(element: XmlElement): string {
  const attributes = [...element.attributes].map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join("");
  const text = element.children.length > 0 ? "" : escapeXml(element.text);
  return `<${element.name}${attributes}>${text}${element.children.map(elementXml).join("")}</${element.name}>`;
}

function leaf(name: string, text: string): string {
  return `<${name}>${escapeXml(text)}</${name}>`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
