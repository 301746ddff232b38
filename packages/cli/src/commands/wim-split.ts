import { resolve } from "node:path";
import { cutFile, exportWim, fat32Limit, isFirstPiece, joinPieces, splitWim } from "@prestage/wim";
import type { AnyWim, ExportPlan } from "@prestage/wim";
import { command, jsonFlag } from "../command.ts";
import { CliError } from "../error.ts";
import { bytes, print, Progress } from "../output.ts";
import { wimFlags, withWim, type WimFlags } from "./wim-input.ts";

const units = new Map([["", 1], ["k", 2 ** 10], ["m", 2 ** 20], ["g", 2 ** 30]]);

/** `4000m`, `2g`, a number of bytes, or `fat32`. */
function partSize(text: string): number {
  if (text.toLowerCase() === "fat32") return fat32Limit;
  const match = /^(\d{1,12})([kmg]?)i?b?$/i.exec(text);
  if (match === null) throw new SyntaxError(`expected a size such as 4000m, 2g or fat32, found ${JSON.stringify(text)}`);
  return Number(match[1]) * units.get(match[2]!.toLowerCase())!;
}

export const wimSplit = command<WimFlags & { size: number; json?: boolean }, [string, string]>({
  brief: "Split a WIM into parts of at most a size: OUT.swm, OUT2.swm ... Data are never cut: one larger than a part is refused. An OUT that ends in .001 cuts the file itself into pieces, whatever is inside: staged media for a FAT32 stick",
  example: "prestage wim split install.wim stick/install.swm --size fat32\nprestage wim split media.wim parts/media.swm --size 2g\nprestage wim split media.wim stick/media.wim.001 --size fat32",
  parameters: {
    flags: { ...wimFlags, size: { kind: "parsed", parse: partSize, brief: "Largest part: bytes, 4000m, 2g, or fat32 for what FAT32 holds", placeholder: "SIZE", default: "fat32" }, ...jsonFlag },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "WIM", placeholder: "FILE" }, { parse: String, brief: "First part to write", placeholder: "OUT" }] },
  },
  async run(context, flags, file, output) {
    const shown = (parts: readonly { path: string; size: number }[]) => parts.map(({ path, size }) => `${path}  ${bytes(size)}`).join("\n");
    if (isFirstPiece(output)) {
      const progress = new Progress(context);
      const { parts } = await cutFile(resolve(file), resolve(output), flags.size, { signal: context.signal, onProgress: ({ done, total }) => progress.update("split", done, total) });
      progress.end();
      print(context, flags.json, { parts }, shown(parts));
      return;
    }
    await withWim(context, file, flags, async (wim) => {
      const progress = new Progress(context);
      const { parts } = await splitWim({ ...allOf(wim), guid: wim.header.guid }, resolve(output), flags.size, { signal: context.signal, onProgress: ({ done, total }) => progress.update("split", done, total) });
      progress.end();
      print(context, flags.json, { parts }, shown(parts));
    });
  },
});

export const wimJoin = command<{ json?: boolean }, [string, ...string[]]>({
  brief: "Join the parts of a split set into one WIM. One part is enough where the others lie beside it under their usual names. Of pieces (.001) the first is named, and the file is as it was before it was cut",
  example: "prestage wim join install.wim stick/install.swm\nprestage wim join install.wim a.swm b.swm c.swm\nprestage wim join media.wim stick/media.wim.001",
  parameters: { flags: jsonFlag, positional: { kind: "array", parameter: { parse: String, brief: "WIM to write, then the parts", placeholder: "OUT|PART" }, minimum: 2 } },
  async run(context, flags, output, ...parts) {
    const [only, ...more] = parts;
    if (only === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected the WIM to write and at least one part. Name both.");
    if (isFirstPiece(only)) {
      const progress = new Progress(context);
      const { size } = await joinPieces(resolve(only), resolve(output), { signal: context.signal, onProgress: ({ done, total }) => progress.update("join", done, total) });
      progress.end();
      print(context, flags.json, { output: resolve(output), size }, `${resolve(output)}: joined, ${bytes(size)}`);
      return;
    }
    await withWim(context, more.length === 0 ? only : parts, {}, async (wim) => {
      const progress = new Progress(context);
      const path = resolve(output);
      const result = await exportWim(allOf(wim), path, { signal: context.signal, onProgress: ({ done, total }) => progress.update("join", done, total) });
      progress.end();
      print(context, flags.json, { ...result, output: path, parts: wim.header.parts }, `${path}: joined from ${wim.header.parts} part(s), ${bytes(result.size)}`);
    });
  },
});

function allOf(wim: AnyWim): Pick<ExportPlan, "images" | "bootIndex"> {
  return { images: wim.xml.images.map(({ index }) => ({ wim, image: index })), bootIndex: wim.header.bootIndex };
}
