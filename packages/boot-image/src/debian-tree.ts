import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BootImageError } from "./error.ts";
import { runProgram } from "./run-program.ts";

export interface DebianPackage {
  name: string;
  version: string;
}

/** Debian packages with everything they depend on, unpacked and not installed: no maintainer script ran. */
export interface DebianTree {
  root: string;
  packages: DebianPackage[];
  /** Paths of the files of each package in `listed`. */
  contents: ReadonlyMap<string, readonly string[]>;
  /** Stands for the exact package versions. */
  hash: string;
}

export interface DebianTreeOptions {
  suite: string;
  sources: readonly string[];
  packages: readonly string[];
  /** Packages whose lists of files are wanted too. */
  listed?: readonly string[];
  cacheDir: string;
  /** Asks the archives again although an unpacked tree is in the cache. */
  refresh?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((line: string) => void) | undefined;
}

/** Downloads and unpacks packages by mmdebstrap, or takes them from the cache. */
export async function debianTree(options: DebianTreeOptions): Promise<DebianTree> {
  const request = JSON.stringify([options.suite, options.sources, [...options.packages].sort(), [...(options.listed ?? [])].sort()]);
  const folder = join(options.cacheDir, "debian", createHash("sha256").update(request).digest("hex").slice(0, 24));
  if (options.refresh !== true) {
    const known = await readFile(join(folder, "packages.list"), "utf8").catch(() => undefined);
    if (known !== undefined) return describeTree(folder, known, options.listed ?? []);
  }
  await mkdir(join(options.cacheDir, "debian"), { recursive: true });
  const temporary = await mkdtemp(`${folder}.partial-`);
  try {
    await extract(options, join(temporary, "root"), join(temporary, "packages.list"));
    await prepareModules(join(temporary, "root"), options.signal);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return describeTree(folder, await readFile(join(folder, "packages.list"), "utf8"), options.listed ?? []);
}

/** Runs mmdebstrap's extract variant and keeps the list of what it unpacked. */
async function extract(options: DebianTreeOptions, root: string, list: string): Promise<void> {
  const hook = `${list}.hook`;
  const contents = (options.listed ?? []).map((name) => `for deb in "$1"/var/cache/apt/archives/${name}_*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -t | grep -v '/$' > '${list}.${name}'; done\n`).join("");
  const script = `#!/bin/sh\nset -e\nfor deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -W --showformat='\${Package} \${Version}\\n' "$deb"; done | LC_ALL=C sort > '${list}'\n${contents}`;
  await writeFile(hook, script, { mode: 0o755 });
  const args = ["--variant=extract", "--mode=root", `--extract-hook=${hook}`, "--aptopt=APT::Install-Recommends \"false\"", "--aptopt=Acquire::Languages \"none\"", "--aptopt=Acquire::Retries \"3\""];
  for (const option of await machineProxies(options.signal)) args.push(`--aptopt=${option}`);
  args.push(`--include=${options.packages.join(",")}`, options.suite, root, ...options.sources);
  try {
    await runProgram("mmdebstrap", args, { signal: options.signal, onLine: (line) => options.onProgress?.(line) });
  } catch (cause) {
    if (options.signal?.aborted === true) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_PACKAGE_FAILED", `Could not get the packages for ${options.suite} (${options.packages.join(", ")}). ${why}`, { cause });
  }
  await rm(hook);
}

/** mmdebstrap gives apt a configuration of its own, so a proxy configured on this machine has to be handed on. */
async function machineProxies(signal: AbortSignal | undefined): Promise<string[]> {
  const dump = await runProgram("apt-config", ["dump"], { signal });
  return dump.split("\n").filter((line) => /^Acquire::https?::Proxy/i.test(line)).map((line) => line.replace(/;$/, ""));
}

/** Unpacked kernels carry no module dependencies: depmod writes them. */
async function prepareModules(root: string, signal: AbortSignal | undefined): Promise<void> {
  for (const base of [root, join(root, "usr")]) {
    for (const version of await readdir(join(base, "lib/modules")).catch(() => [])) await runProgram("depmod", ["-b", base, version], { signal });
  }
}

async function describeTree(folder: string, list: string, listed: readonly string[]): Promise<DebianTree> {
  const packages = list.trim().split("\n").map((line) => {
    const [name = "", version = ""] = line.split(" ");
    return { name, version };
  });
  const contents = new Map<string, string[]>();
  for (const name of listed) {
    const text = await readFile(join(folder, `packages.list.${name}`), "utf8");
    contents.set(name, text.split("\n").filter((line) => line !== "").map((line) => line.replace(/^\.\//, "")));
  }
  return { root: join(folder, "root"), packages, contents, hash: createHash("sha256").update(list).digest("hex") };
}
