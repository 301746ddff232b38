import { createHash } from "node:crypto";
import { asBuffer } from "./bytes.ts";
import { storedHashes } from "./entry.ts";
import { WimError } from "./error.ts";
import { walkEntries } from "./metadata.ts";
import type { CopiedResource, StoredForm } from "./resource-copy.ts";
import { inStorageOrder } from "./storage-order.ts";
import type { AnyWim } from "./wim-file.ts";
import { editImageElement, type ImageProperties } from "./xml-edit.ts";
import type { XmlElement } from "./xml-parse.ts";

/** An image to be taken over into another WIM, its tree byte for byte as it is. */
export interface ExportedImage extends ImageProperties {
  readonly wim: AnyWim;
  /** From 1. */
  readonly image: number;
}

export interface ExportPlan {
  readonly images: readonly ExportedImage[];
  /** 16 bytes; by default made from what is exported, so that equal exports give equal bytes. */
  readonly guid?: Uint8Array;
  /** Which of the exported images is marked as the one to start, from 1; by default none. */
  readonly bootIndex?: number;
  /** Data found in these is left out: the result is a delta, to be opened with them as references. */
  readonly without?: readonly AnyWim[];
  /** Whether to write an integrity table; by default yes. */
  readonly integrity?: boolean;
  /** By default the form of the first compressed image; data in another form are decoded and stored. */
  readonly form?: StoredForm;
}

/** What an export consists of. */
export interface ExportContents {
  readonly guid: Uint8Array;
  readonly form: StoredForm;
  readonly metadata: readonly CopiedResource[];
  /** In the order they are copied, with the references the images make to them. */
  readonly blobs: readonly CopiedResource[];
  readonly imageElements: readonly XmlElement[];
  /** What else the first WIM's XML says. */
  readonly otherElements: readonly XmlElement[];
}

/** Reads the trees and finds what they need. Throws PRESTAGE_WIM_PLAN, PRESTAGE_WIM_BLOB_MISSING. */
export async function planExport(plan: ExportPlan, signal?: AbortSignal): Promise<ExportContents> {
  const first = plan.images[0];
  if (first === undefined || plan.images.length > 65535) throw badPlan(`it has ${plan.images.length} images, expected 1 to 65535`);
  if (plan.guid !== undefined && plan.guid.length !== 16) throw badPlan(`the GUID has ${plan.guid.length} bytes, expected 16`);
  if ((plan.bootIndex ?? 0) > plan.images.length) throw badPlan(`image ${plan.bootIndex} was to be started, it has ${plan.images.length}`);
  const imageElements = plan.images.map((image, i) => editImageElement(image.wim.xml.images[image.image - 1]?.element ?? noImage(image), i + 1, image));
  const names = imageElements.map((element) => element.children.find(({ name }) => name === "NAME")?.text ?? "").filter((name) => name !== "");
  const doubled = names.find((name, i) => names.indexOf(name) !== i);
  if (doubled !== undefined) throw badPlan(`two images are named ${JSON.stringify(doubled)}; give one of them another name`);
  const metadata = plan.images.map(({ wim, image }) => ({ ...wim.imageMetadata(image), wim }));
  const blobs = await collectBlobs(plan, signal);
  const form = plan.form ?? plan.images.map(({ wim }) => wim.volume).find(({ compression }) => compression !== "none") ?? { compression: "none", chunkSize: 0 };
  return {
    guid: plan.guid ?? deriveGuid(metadata, imageElements), form: { compression: form.compression, chunkSize: form.chunkSize }, metadata, blobs, imageElements,
    otherElements: first.wim.xml.element.children.filter(({ name }) => name !== "IMAGE" && name !== "TOTALBYTES"),
  };
}

/** Every blob the images name, each once, counted; those of the references left out. */
async function collectBlobs({ images, without = [] }: ExportPlan, signal: AbortSignal | undefined): Promise<CopiedResource[]> {
  const found = new Map<string, { wim: AnyWim; count: number }>();
  for (const { wim, image } of images) {
    signal?.throwIfAborted();
    const { root, ...rest } = await wim.readImage(image);
    const count = (raw: Uint8Array): void => {
      for (const sha1 of storedHashes(asBuffer(raw))) {
        const present = found.get(sha1);
        if (present !== undefined) present.count++;
        else if (!without.some((reference) => reference.blobs.has(sha1))) found.set(sha1, { wim, count: 1 });
      }
    };
    count(root.raw);
    for (const { entry } of walkEntries({ root, ...rest })) count(entry.raw);
  }
  const blobs = [...found].map(([sha1, { wim, count }]) => ({ ...wim.blob(sha1), wim, referenceCount: count }));
  const bySource = Map.groupBy(blobs, ({ wim }) => wim);
  return [...bySource.values()].flatMap((list) => inStorageOrder(list));
}

function deriveGuid(metadata: readonly CopiedResource[], elements: readonly XmlElement[]): Uint8Array {
  const hash = createHash("sha256");
  for (const [i, { sha1 }] of metadata.entries()) hash.update(`${sha1} ${elements[i]?.children.find(({ name }) => name === "NAME")?.text ?? ""}\0`);
  return hash.digest().subarray(0, 16);
}

function noImage({ wim, image }: ExportedImage): never {
  throw new WimError("PRESTAGE_WIM_NO_IMAGE", `Image ${image} was asked for, the WIM has ${wim.imageCount}.`);
}

function badPlan(why: string): WimError {
  return new WimError("PRESTAGE_WIM_PLAN", `The export plan is not valid: ${why}.`);
}
