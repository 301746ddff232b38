import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeBundle } from "@prestage/staging";
import { build } from "esbuild";
import type { Context } from "./context.ts";
import { Progress } from "./output.ts";

/** The depot's command as one .mjs that Node runs with nothing beside it. */
export async function bundleDepotCommand(output: string): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL("depot-main.ts", import.meta.url))],
    outfile: output, bundle: true, platform: "node", format: "esm", target: "node24", minify: true, legalComments: "none", logLevel: "silent",
    // Packages written for CommonJS ask for node's modules by require.
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
}

/** Makes a bundle of a media and this machine's programs. */
export async function bundleDepot(context: Context, output: string, media: string, keyring: Uint8Array | undefined) {
  const work = await mkdtemp(join(tmpdir(), "prestage-depot-"));
  const progress = new Progress(context);
  try {
    const command = join(work, "prestage.mjs");
    await bundleDepotCommand(command);
    return await makeBundle({ output, media, command, node: process.execPath, searchPath: process.env["PATH"] ?? "", keyring }, { signal: context.signal, onProgress: (event) => progress.update(event.phase, event.done, event.total) });
  } finally {
    progress.end();
    await rm(work, { recursive: true, force: true });
  }
}
