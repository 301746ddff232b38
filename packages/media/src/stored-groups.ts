import type { WimEntry } from "@prestage/wim";
import type { ExpectedFile } from "./check-entry.ts";
import { contentFolder, dataPaths } from "./media-layout.ts";
import type { Manifest } from "./schema.ts";

/** A file the media must hold, and what it has in its place. */
export interface WantedFile { volume: "esp" | "data"; path: string; name: string; file: ExpectedFile; entry: WimEntry | undefined }
/** Files whose stored bytes the manifest signs together, in the order of their paths. */
export interface StoredGroup { digest: string; files: WantedFile[] }

/** The files each of the manifest's digests of stored bytes is of, and those it has none for. */
export function storedGroups(wanted: readonly WantedFile[], { stored }: Manifest): { groups: StoredGroup[]; others: WantedFile[] } {
  if (stored === undefined) return { groups: [], others: [...wanted] };
  const places = [
    { volume: "esp", folder: "", digest: stored.esp },
    { volume: "data", folder: `${dataPaths.agent}/`, digest: stored.agent },
    ...Object.entries(stored.content).map(([id, digest]) => ({ volume: "data", folder: `${contentFolder(id)}/files/`, digest })),
  ];
  const byFolder = new Map(places.map((place) => [`${place.volume}:${place.folder}`, { digest: place.digest, files: [] as WantedFile[] }]));
  const others: WantedFile[] = [];
  for (const file of wanted) (byFolder.get(`${file.volume}:${folderOf(file)}`)?.files ?? others).push(file);
  const groups = [...byFolder.values()].filter(({ files }) => files.length > 0);
  for (const { files } of groups) files.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { groups, others };
}

/** The folder of the group a file would be in. */
function folderOf({ volume, path }: WantedFile): string {
  if (volume === "esp") return "";
  if (path.startsWith(`${dataPaths.agent}/`)) return `${dataPaths.agent}/`;
  return /^prestage\/content\/[0-9a-f]{64}\/files\//.exec(path)?.[0] ?? path;
}
