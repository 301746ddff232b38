import { readFile, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { BootImageError } from "./error.ts";
import type { ProfileDefinition } from "./profiles.ts";

/** The unpacked kernel of a Debian tree. */
export interface KernelTree {
  version: string;
  /** Folder that holds modules.dep. */
  folder: string;
  image: string;
  /** Module path (as in modules.dep) to the paths it depends on. */
  dependencies: ReadonlyMap<string, readonly string[]>;
  builtin: ReadonlySet<string>;
}

/** Finds the one kernel in the unpacked packages and reads its module dependencies. */
export async function openKernelTree(root: string): Promise<KernelTree> {
  const images = (await readdir(join(root, "boot")).catch(() => [])).filter((name) => name.startsWith("vmlinuz-"));
  const image = images[0];
  if (image === undefined || images.length > 1) {
    throw new BootImageError("PRESTAGE_BOOT_IMAGE_PACKAGE_FAILED", `Expected one kernel in the unpacked packages, found ${images.length === 0 ? "none" : images.join(", ")}. Name exactly one kernel package.`);
  }
  const version = image.slice("vmlinuz-".length);
  for (const base of ["usr/lib/modules", "lib/modules"]) {
    const folder = join(root, base, version);
    const dep = await readFile(join(folder, "modules.dep"), "utf8").catch(() => undefined);
    if (dep === undefined) continue;
    const builtin = (await readFile(join(folder, "modules.builtin"), "utf8")).split("\n").filter((line) => line !== "");
    return { version, folder, image: join(root, "boot", image), dependencies: parseModulesDep(dep), builtin: new Set(builtin.map(moduleName)) };
  }
  throw new BootImageError("PRESTAGE_BOOT_IMAGE_PACKAGE_FAILED", `Expected the modules of kernel ${version} in the unpacked packages, found none. Empty the cache folder and build again.`);
}

export function parseModulesDep(text: string): Map<string, string[]> {
  const dependencies = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) dependencies.set(line.slice(0, colon), line.slice(colon + 1).split(" ").filter((path) => path !== ""));
  }
  return dependencies;
}

/** A module's name as the kernel compares it: without folder and suffix, `-` and `_` alike. */
export function moduleName(path: string): string {
  return basename(path).replace(/\.ko(\.(xz|zst|gz))?$/, "").replaceAll("-", "_");
}

/** The modules of a profile with everything they depend on, sorted by path. A name nobody knows is an error only when a user asked for it. */
export function selectModules(kernel: Pick<KernelTree, "dependencies" | "builtin" | "version">, profile: Pick<ProfileDefinition, "modules" | "moduleFolders" | "excluded">, added: readonly string[]): string[] {
  const byName = new Map<string, string>();
  const chosen = new Set<string>();
  const inside = (path: string, folders: readonly string[]): boolean => folders.some((folder) => path.startsWith(`kernel/${folder}/`) || path.startsWith(`kernel/${folder}.`) || path === `kernel/${folder}` || (folder.endsWith(".ko") && path.startsWith(`kernel/${folder}`)));
  for (const path of kernel.dependencies.keys()) {
    byName.set(moduleName(path), path);
    if (inside(path, profile.moduleFolders) && !inside(path, profile.excluded)) chosen.add(path);
  }
  for (const name of profile.modules) {
    const path = byName.get(moduleName(name));
    if (path !== undefined) chosen.add(path);
  }
  for (const name of added) {
    const path = byName.get(moduleName(name));
    if (path !== undefined) chosen.add(path);
    else if (!kernel.builtin.has(moduleName(name))) {
      throw new BootImageError("PRESTAGE_BOOT_IMAGE_MODULE_MISSING", `The module ${name} is not part of kernel ${kernel.version}. Check its name, or use the hardware profile, which has the full set of modules.`);
    }
  }
  for (const path of chosen) for (const dependency of kernel.dependencies.get(path) ?? []) chosen.add(dependency);
  return [...chosen].sort();
}
