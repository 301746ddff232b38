import { checkRelativePath, ContentError } from "@prestage/content";
import { StagingError } from "../error.ts";

/** A file of a bundle that its checksums name, with `/` between folders. */
export interface BundleFile { path: string; sha256: string }

/** The list of all files of a bundle but the lists themselves. */
export const bundleList = "SHA256SUMS";
/** A bundle has about two hundred files. */
const mostFiles = 20_000;

/** What may be run is run: programs, their loader and libraries, and the script that starts them. */
export function modeInBundle(path: string): number {
  return path === "run.sh" || /^runner\/(bin|programs|lib)\//.test(path) ? 0o755 : 0o644;
}

/** The three lists of a bundle, as `sha256sum -c` reads them, by name; `files` in the order of their paths. */
export function checksumTexts(files: readonly BundleFile[]): [string, string][] {
  const text = (wanted: (path: string) => boolean) => files.filter(({ path }) => wanted(path)).map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
  return [["media.wim.sha256", text((path) => path === "media.wim")], ["runner.sha256", text((path) => path.startsWith("runner/"))], [bundleList, text(() => true)]];
}

/** Reads SHA256SUMS of a bundle. @throws StagingError PRESTAGE_STAGING_BUNDLE */
export function parseBundleList(text: string, name: string): BundleFile[] {
  const malformed = (found: string, cause?: unknown) => new StagingError("PRESTAGE_STAGING_BUNDLE", `Expected the list of a bundle's files at ${name}; found ${found}.`, cause === undefined ? undefined : { cause });
  const files: BundleFile[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const [, sha256, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (sha256 === undefined || path === undefined) throw malformed(`the line ${JSON.stringify(line.slice(0, 100))}`);
    try {
      checkRelativePath(path);
    } catch (cause) {
      if (cause instanceof ContentError) throw malformed(`a path that is none: ${cause.message}`, cause);
      throw cause;
    }
    if (files.push({ path, sha256 }) > mostFiles) throw malformed(`more than ${mostFiles} files`);
  }
  if (new Set(files.map(({ path }) => path)).size < files.length) throw malformed("a path twice");
  for (const path of ["media.wim", "run.sh"]) if (!files.some((one) => one.path === path)) throw malformed(`no ${path} in it`);
  return files;
}
