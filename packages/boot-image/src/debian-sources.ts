import { existsSync } from "node:fs";
import { BootImageError } from "./error.ts";
import { runProgram } from "./run-program.ts";

/** An archive of Debian's own, as the machine's apt knows it; the suites it is used with are the caller's. */
export interface DebianSource {
  kind: "main" | "security";
  uri: string;
  /** Path of the keyring its Release file is checked with. */
  keyring: string;
}

export type DebianSuite = "bookworm" | "trixie";

const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Reads what `apt-get indextargets` prints: one paragraph per index, whatever form the machine's sources are written in. */
export function parseIndexTargets(text: string): DebianSource[] {
  const found = new Map<string, DebianSource>();
  for (const paragraph of text.split(/\n\n+/)) {
    const fields = new Map<string, string>();
    for (const line of paragraph.split("\n")) {
      const match = /^([A-Za-z-]+): (.*)$/.exec(line);
      if (match?.[1] !== undefined && match[2] !== undefined) fields.set(match[1].toLowerCase(), match[2].trim());
    }
    const uri = fields.get("repo-uri");
    const label = fields.get("label");
    if (uri === undefined || fields.get("origin") !== "Debian") continue;
    const kind = label === "Debian" ? "main" : label === "Debian-Security" ? "security" : undefined;
    if (kind === undefined) continue; // backports and the like: never taken from
    const signedBy = fields.get("signed-by");
    const keyring = signedBy?.startsWith("/") === true ? signedBy : debianKeyring;
    if (!found.has(`${kind} ${uri}`)) found.set(`${kind} ${uri}`, { kind, uri: uri.replace(/\/+$/, ""), keyring });
  }
  return [...found.values()];
}

/** The Debian archives to take packages from: the machine's own apt sources, or `mirror` (the address of a main archive, its security archive beside it). */
export async function debianSources(options: { mirror?: string | undefined; signal?: AbortSignal | undefined } = {}): Promise<DebianSource[]> {
  if (options.mirror !== undefined) {
    const main = options.mirror.replace(/\/+$/, "");
    return [
      { kind: "main", uri: main, keyring: debianKeyring },
      { kind: "security", uri: main.replace(/debian$/, "debian-security"), keyring: debianKeyring },
    ];
  }
  const sources = parseIndexTargets(await runProgram("apt-get", ["indextargets"], { signal: options.signal }));
  if (!sources.some((source) => source.kind === "main")) {
    throw new BootImageError(
      "PRESTAGE_BOOT_IMAGE_NO_DEBIAN_SOURCE",
      "Expected an apt source on this machine whose archive says 'Origin: Debian', found none. Run 'apt-get update' if the package lists are empty, or name an archive with --mirror URL.",
    );
  }
  return sources;
}

/** One-line apt sources for another suite from the machine's own archives, with its updates and security suites. */
export function sourceLines(sources: readonly DebianSource[], suite: DebianSuite, components: readonly string[]): string[] {
  const lines: string[] = [];
  for (const source of sources) {
    const keyring = existsSync(source.keyring) ? source.keyring : debianKeyring;
    const suites = source.kind === "main" ? [suite, `${suite}-updates`] : [`${suite}-security`];
    for (const name of suites) lines.push(`deb [signed-by=${keyring}] ${source.uri} ${name} ${components.join(" ")}`);
  }
  return lines;
}

export async function sourcesFor(
  suite: DebianSuite,
  components: readonly string[],
  options: { mirror?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<string[]> {
  return sourceLines(await debianSources(options), suite, components);
}
