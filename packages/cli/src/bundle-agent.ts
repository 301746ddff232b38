import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** Bundles the agent into one .mjs that Node runs with nothing beside it. The same sources give the same bytes. */
export async function bundleAgent(output: string, target = "node24"): Promise<void> {
  await mkdir(dirname(output), { recursive: true });
  await build({
    entryPoints: [fileURLToPath(import.meta.resolve("@prestage/agent"))],
    outfile: output, bundle: true, platform: "node", format: "esm", target, minify: true, legalComments: "none", logLevel: "silent",
    // Packages written for CommonJS ask for node's modules by require.
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
}
