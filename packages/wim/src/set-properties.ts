import { open } from "node:fs/promises";
import { WimError } from "./error.ts";
import { headerSize, serializeHeader } from "./header.ts";
import { resourceFlags } from "./resource-header.ts";
import { ioGuard } from "./source.ts";
import { openAnyWimFile } from "./open-any.ts";
import { editImageElement, xmlOf, type ImageProperties } from "./xml-edit.ts";

export interface ChangedImage extends ImageProperties {
  /** From 1. */
  readonly image: number;
}

/**
 * Renames images of a WIM file and changes what is said of them, in place: the new XML is written behind the end, and only when
 * it is on the disk the header, a single block, is made to point at it. The old XML stays as dead bytes until the WIM is
 * exported. Throws WimError, PRESTAGE_WIM_NO_IMAGE among others.
 */
export async function setImageProperties(path: string, changes: readonly ChangedImage[]): Promise<void> {
  const wim = await openAnyWimFile([path]);
  try {
    if (wim.header.pipable) throw new WimError("PRESTAGE_WIM_PIPABLE", "The header of a pipable WIM is its end, which cannot be changed in place. Export the WIM first, under another name.");
    const elements = wim.xml.images.map(({ element }) => element);
    for (const change of changes) {
      const element = elements[change.image - 1];
      if (element === undefined) throw new WimError("PRESTAGE_WIM_NO_IMAGE", `Image ${change.image} was to be changed, the WIM has ${wim.imageCount}.`);
      elements[change.image - 1] = editImageElement(element, change.image, change);
    }
    const names = elements.map((element) => element.children.find(({ name }) => name === "NAME")?.text ?? "").filter((name) => name !== "");
    if (new Set(names).size !== names.length) throw new WimError("PRESTAGE_WIM_PLAN", "Two images would have the same name. Give one of them another.");
    const others = wim.xml.element.children.filter(({ name }) => name !== "IMAGE" && name !== "TOTALBYTES");
    const offset = wim.source.size;
    const text = xmlOf(elements, others, offset);
    const header = serializeHeader({ ...wim.header, xml: { storedSize: text.length, flags: resourceFlags.metadata, offset, size: text.length } });
    const file = await ioGuard(`Cannot open ${path} for writing`, () => open(path, "r+"));
    try {
      await ioGuard(`Cannot write ${path}`, async () => {
        await file.write(text, 0, text.length, offset);
        await file.sync();
        await file.write(header, 0, headerSize, 0);
        await file.sync();
      });
    } finally {
      await file.close();
    }
  } finally {
    await wim.close();
  }
}
