import { resolve } from "node:path";
import { extractImage } from "@prestage/wim";
import { command, flag, jsonFlag, texts } from "../command.ts";
import { bytes, print, Progress } from "../output.ts";
import { imageFlag, imageIndex, shown, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

type Flags = WimFlags & { image?: string; path?: string[]; unixData?: boolean; plain?: boolean; json?: boolean };

export const wimExtract = command<Flags, [string, string]>({
  brief: "Lay an image, or some of its paths, down in an empty folder. Nothing is ever written outside it; data are checked by their SHA-1",
  example: "prestage wim extract install.wim out --image 1\nprestage wim extract root.wim out --path etc --path usr/bin --unix-data",
  parameters: {
    flags: {
      ...wimFlags, image: imageFlag("Image, by number or name; needed where there are several"), path: texts("Only this path; may be given several times", "PATH"),
      unixData: flag("Set owner, mode, devices and extended attributes (for root the default)"), plain: flag("Set none of these"), ...jsonFlag,
    },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "WIM, any part of a split set, or its address", placeholder: "FILE" }, { parse: String, brief: "Folder, empty or not there yet", placeholder: "DIR" }] },
  },
  async run(context, flags, file, folder) {
    await withWim(context, file, flags, async (wim) => {
      const progress = new Progress(context);
      const unixData = flags.plain === true ? false : (flags.unixData ?? undefined);
      const result = await extractImage(wim, imageIndex(wim, flags.image), resolve(folder), {
        signal: context.signal, onProgress: ({ done, total }) => progress.update("extract", done, total), ...(flags.path !== undefined && { paths: flags.path }), ...(unixData !== undefined && { unixData }),
      });
      progress.end();
      const left = result.leftOut.slice(0, 50).map(({ path, reason }) => `Left out: ${shown(path)} (${reason})`);
      print(context, flags.json, result, [...left, ...(result.leftOut.length > left.length ? [`... and ${result.leftOut.length - left.length} more`] : []), `${result.files} files, ${result.directories} directories, ${result.links} links, ${bytes(result.bytes)}`].join("\n"));
    });
  },
});
