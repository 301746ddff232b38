import { join } from "node:path";
import type { ContentIndex, FileToVerify, IndexFile } from "@prestage/content";
import type { Manifest, ManifestFile } from "./schema.ts";

/** The images of a media: what goes on the EFI system partition, and what goes on the data volume. */
export const mediaImages = { boot: 1, data: 2 } as const;

/** Paths on the data volume. */
export const dataPaths = {
  root: "prestage",
  manifest: "prestage/manifest.dsse.json",
  keyring: "prestage/keyring.dsse.json",
  agent: "prestage/agent",
  content: "prestage/content",
} as const;

/** State, not content: only its form is checked at first boot (design.md section 6). */
export const bootSwitchPath = "prestage/boot.env";

export function contentFolder(contentId: string): string {
  return `${dataPaths.content}/${contentId}`;
}

/** Every content version a media carries, the OS image among them. */
export function contentIdsOf(manifest: Manifest): string[] {
  return [...new Set(manifest.content.map((content) => content.contentId))];
}

/** The files the manifest itself covers, below the mount points of the two volumes; the boot switch is left out. */
export function manifestFilesToVerify(files: readonly ManifestFile[], roots: { esp: string; data: string }): FileToVerify[] {
  return files
    .filter((file) => !(file.volume === "esp" && file.path === bootSwitchPath))
    .map((file) => ({ path: join(roots[file.volume], file.path), name: `${file.volume === "esp" ? "ESP" : ""}/${file.path}`, size: file.size, sha256: file.sha256, spans: file.spans }));
}

/** The files an index covers, below the data volume's mount point. */
export function contentFilesToVerify(contentId: string, index: ContentIndex, dataRoot: string): (FileToVerify & { contentId: string; indexFile: IndexFile })[] {
  const folder = `${contentFolder(contentId)}/files`;
  return index.files.map((file) => ({
    path: join(dataRoot, folder, file.path), name: `/${folder}/${file.path}`, size: file.size, sha256: file.sha256, spans: file.spans, contentId, indexFile: file,
  }));
}
