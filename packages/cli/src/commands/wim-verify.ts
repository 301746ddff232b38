import { verifyWim } from "@prestage/wim";
import { command, flag, jsonFlag, one } from "../command.ts";
import { print, Progress } from "../output.ts";
import { shown, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

export const wimVerify = command<WimFlags & { strict?: boolean; json?: boolean }, [string]>({
  brief: "Check a WIM: its integrity table, the SHA-1 of all data, and names that must not be laid down. Exit code 1: damaged; with --strict also: such a name",
  example: "prestage wim verify install.wim\nprestage wim verify images/install.swm --strict",
  parameters: { flags: { ...wimFlags, strict: flag("Unsafe names are a failure, not a finding"), ...jsonFlag }, positional: one("WIM, any part of a split set, or its address", "FILE") },
  async run(context, flags, file) {
    await withWim(context, file, flags, async (wim) => {
      const progress = new Progress(context);
      const result = await verifyWim(wim, { signal: context.signal, onProgress: ({ done, total }) => progress.update("verify", done, total) });
      progress.end();
      if (result.damage.length > 0 || (flags.strict === true && result.names.length > 0)) context.process.exitCode = 1;
      const names = result.names.slice(0, 100).map(({ image, path, reason, target }) => `Image ${image}: ${shown(path)}: ${reason}${target === "windows" ? " (on Windows)" : ""}`);
      print(context, flags.json, result, [
        ...result.damage.map(({ code, message }) => `Damaged: ${message} (${code})`),
        ...names, ...(result.names.length > names.length ? [`... and ${result.names.length - names.length} more such names`] : []),
        `${result.damage.length === 0 ? "Whole" : "Damaged"}: ${result.images} image(s), ${result.blobs} blobs; integrity table ${result.integrity}; ${result.names.length} unsafe name(s)`,
      ].join("\n"));
    });
  },
});
