import { readFile, stat } from "node:fs/promises";
import { compareVersions, isLike } from "@prestage/sequence";
import { windowsFacts } from "../windows/windows-facts.ts";
import { resolveInRoot } from "./resolve-in-root.ts";

/** No such file of a system is larger, in bytes. */
const mostBytes = 256 << 20;

/** A text file of the system below `root`; empty where there is none. */
export async function readInRoot(root: string, path: string): Promise<string> {
  const real = await resolveInRoot(root, path);
  if (real === undefined || (await stat(real)).size > mostBytes) return "";
  return readFile(real, "utf8");
}

/** name, version, language or architecture of the system below `root`; undefined where there is none. */
export async function systemFact(root: string, name: string): Promise<string | undefined> {
  if (process.platform === "win32") return (await windowsFacts(new AbortController().signal)).system[name];
  if (name === "architecture") return { x64: "x64", arm64: "arm64" }[process.arch as string] ?? process.arch;
  if (name === "language") {
    const text = (await readInRoot(root, "/etc/default/locale")) || (await readInRoot(root, "/etc/locale.conf"));
    return settingOf(text, "LANG")?.replace(/[.@].*$/, "");
  }
  const release = await readInRoot(root, "/etc/os-release");
  const id = settingOf(release, "ID");
  if (name === "name") return id;
  // Debian's own file knows the point release.
  const point = id === "debian" ? (await readInRoot(root, "/etc/debian_version")).trim() : "";
  return /^\d/.test(point) ? point : settingOf(release, "VERSION_ID");
}

/** The value of NAME=value in a file as os-release is one, quotes taken off. */
function settingOf(text: string, name: string): string | undefined {
  const line = text.split("\n").find((one) => one.startsWith(`${name}=`));
  const value = line?.slice(name.length + 1).trim().replace(/^(["'])(.*)\1$/, "$2");
  return value === "" ? undefined : value;
}

/** The version of an installed Debian package; of several that a pattern with `*` or `?` fits, the newest. */
export async function installedSoftware(root: string, name: string): Promise<string | undefined> {
  const status = await readInRoot(root, "/var/lib/dpkg/status");
  const pattern = name.toLowerCase();
  let newest: string | undefined;
  for (const entry of status.split("\n\n")) {
    const field = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(entry)?.[1];
    const [found, state, version] = [field("Package"), field("Status"), field("Version")];
    if (found === undefined || version === undefined || state !== "install ok installed" || !isLike(found.toLowerCase(), pattern)) continue;
    if (newest === undefined || compareVersions(version, newest) > 0) newest = version;
  }
  return newest;
}
