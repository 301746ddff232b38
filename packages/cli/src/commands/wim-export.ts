import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { exportWim, recompressWim, setImageProperties } from "@prestage/wim";
import type { AnyWim, CaptureCompression, ExportedImage } from "@prestage/wim";
import { command, flag, jsonFlag, optionalText, texts } from "../command.ts";
import type { Context } from "../context.ts";
import { bytes, print, Progress } from "../output.ts";
import { imageIndex, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

const twoFiles = (first: string, second: string, secondName: string) => ({ kind: "tuple", parameters: [{ parse: String, brief: first, placeholder: "FILE" }, { parse: String, brief: second, placeholder: secondName }] }) as const;

type Flags = WimFlags & { image?: string[]; without?: string[]; name?: string; description?: string; boot?: string; deltaFrom?: string[]; compress?: CaptureCompression; noCheck?: boolean; json?: boolean };

export const wimExport = command<Flags, [string, string]>({
  brief: "Write images of a WIM into a new one, without dead bytes: raw where its compression agrees, else decoded and stored, or compressed by wimlib-imagex with --compress",
  example: "prestage wim export install.wim pro.wim --image 6 --name 'Windows Pro'\nprestage wim export install.esd install.wim --compress lzx\nprestage wim export november.wim delta.wim --delta-from october.wim",
  parameters: {
    flags: {
      ...wimFlags, image: texts("Image to take, by number or name, in this order; all by default", "IMAGE"), without: texts("Image to leave out", "IMAGE"), name: optionalText("Name of the only image", "TEXT"), description: optionalText("Description of the only image", "TEXT"),
      boot: optionalText("Image marked as the one to start, as it is called in FILE", "IMAGE"), deltaFrom: texts("Leave out the data this WIM has; needed again by --ref", "FILE"),
      compress: { kind: "enum", values: ["none", "xpress", "lzx", "lzms"], optional: true, brief: "Compress anew with wimlib-imagex" }, noCheck: flag("Without integrity table"), ...jsonFlag,
    },
    positional: twoFiles("WIM, any part of a split set, or its address", "WIM to write", "OUT"),
  },
  async run(context, flags, file, output) {
    await withWim(context, file, flags, async (wim) => await withReferences(context, flags.deltaFrom ?? [], async (without) => {
      const indexes = chosen(wim, flags);
      const images = indexes.map((image): ExportedImage => ({ wim, image, ...(flags.name !== undefined && { name: flags.name }), ...(flags.description !== undefined && { description: flags.description }) }));
      const bootIndex = flags.boot === undefined ? indexes.indexOf(wim.header.bootIndex) + 1 : indexes.indexOf(imageIndex(wim, flags.boot)) + 1;
      const path = resolve(output);
      const first = flags.compress === undefined ? path : `${path}.raw-${process.pid}`;
      const progress = new Progress(context);
      try {
        const result = await exportWim({ images, without, bootIndex, integrity: flags.noCheck !== true }, first, { signal: context.signal, onProgress: ({ done, total }) => progress.update("copy", done, total) });
        if (flags.compress !== undefined) await recompressWim(first, path, flags.compress, { signal: context.signal });
        progress.end();
        print(context, flags.json, { ...result, images: indexes.length, output: path }, `${path}: ${indexes.length} image(s), ${result.blobCount} blobs, ${bytes(result.size)}${flags.compress === undefined && result.decodedBytes > 0 ? `; ${bytes(result.decodedBytes)} were decoded and stored, --compress would pack them again` : ""}`);
      } finally {
        if (first !== path) await rm(first, { force: true });
      }
    }));
  },
});

export const wimSet = command<{ image?: string; name?: string; description?: string; displayName?: string; displayDescription?: string; json?: boolean }, [string]>({
  brief: "Rename an image of a WIM, or change what is said of it, in place. An empty text removes it",
  example: "prestage wim set install.wim --image 1 --name Factory --description 'As ordered'",
  parameters: {
    flags: {
      image: optionalText("Image, by number or name; needed where there are several", "IMAGE"), name: optionalText("Its name", "TEXT"), description: optionalText("Its description", "TEXT"),
      displayName: optionalText("The name setup programs show", "TEXT"), displayDescription: optionalText("The description setup programs show", "TEXT"), ...jsonFlag,
    },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "WIM", placeholder: "FILE" }] },
  },
  async run(context, flags, file) {
    const { image, json, ...properties } = flags;
    const index = await withWim(context, file, {}, async (wim) => imageIndex(wim, image));
    await setImageProperties(resolve(file), [{ image: index, ...properties }]);
    print(context, json, { image: index, ...properties }, `Image ${index} was changed.`);
  },
});

/** The images asked for, in order, less those left out. */
function chosen(wim: AnyWim, flags: Flags): number[] {
  const wanted = flags.image?.map((text) => imageIndex(wim, text)) ?? wim.xml.images.map(({ index }) => index);
  const left = new Set(flags.without?.map((text) => imageIndex(wim, text)));
  return wanted.filter((index) => !left.has(index));
}

async function withReferences<T>(context: Context, paths: readonly string[], use: (wims: readonly AnyWim[]) => Promise<T>): Promise<T> {
  const [first, ...rest] = paths;
  if (first === undefined) return await use([]);
  return await withWim(context, first, {}, async (wim) => await withReferences(context, rest, async (others) => await use([wim, ...others])));
}
