import { diffImages } from "@prestage/wim";
import { command, flag, jsonFlag, optionalText } from "../command.ts";
import { bytes, print } from "../output.ts";
import { imageIndex, shown, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

type Flags = WimFlags & { image?: string; newImage?: string; ignoreTimes?: boolean; exitCode?: boolean; json?: boolean };

export const wimDiff = command<Flags, [string, string]>({
  brief: "Compare two images: what was added, removed and changed, and how many bytes are new",
  example: "prestage wim diff october.wim november.wim --image 1\nprestage wim diff install.wim install.wim --image 1 --new-image 2 --ignore-times",
  parameters: {
    flags: {
      ...wimFlags, image: optionalText("Image of both, by number or name", "IMAGE"), newImage: optionalText("Image of the second, where it is another", "IMAGE"),
      ignoreTimes: flag("Times alone are no change"), exitCode: flag("End with 1 where there is a difference"), ...jsonFlag,
    },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "The older WIM", placeholder: "OLD" }, { parse: String, brief: "The newer WIM", placeholder: "NEW" }] },
  },
  async run(context, flags, older, newer) {
    await withWim(context, older, flags, async (before) => await withWim(context, newer, flags, async (after) => {
      const diff = await diffImages({ wim: before, image: imageIndex(before, flags.image) }, { wim: after, image: imageIndex(after, flags.newImage ?? flags.image) }, { ignoreTimes: flags.ignoreTimes === true });
      const count = diff.added.length + diff.removed.length + diff.changed.length;
      if (flags.exitCode === true && count > 0) context.process.exitCode = 1;
      print(context, flags.json, diff, [
        ...diff.removed.map(({ path, size }) => `- ${shown(path)}  ${bytes(size)}`),
        ...diff.changed.map(({ path, what, oldSize, size }) => `~ ${shown(path === "" ? "/" : path)}  ${what.join(", ")}${what.includes("content") ? `  ${bytes(oldSize)} -> ${bytes(size)}` : ""}`),
        ...diff.added.map(({ path, size }) => `+ ${shown(path)}  ${bytes(size)}`),
        `${diff.added.length} added, ${diff.removed.length} removed, ${diff.changed.length} changed, ${diff.unchanged} the same; ${bytes(diff.newBytes)} of data are new (${bytes(diff.newStoredBytes)} as stored), ${bytes(diff.goneBytes)} are gone`,
      ].join("\n"));
    }));
  },
});
