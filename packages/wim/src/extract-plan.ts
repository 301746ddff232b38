import type { BlobEntry } from "./blob-table.ts";
import { symlinkTag, type WimEntry } from "./entry.ts";
import { WimError } from "./error.ts";
import { checkLimit } from "./limits.ts";
import type { WimImage } from "./metadata.ts";
import { inStorageOrder } from "./storage-order.ts";
import { unsafeNames } from "./unsafe-names.ts";
import type { AnyWim } from "./wim-file.ts";

export interface ExtractedEntry {
  readonly names: readonly string[];
  readonly entry: WimEntry;
}

/** What is left out, as Linux has no place for it. */
export interface LeftOut {
  readonly path: string;
  readonly reason: "reparse-point" | "named-stream" | "socket" | "extended-attribute";
}

export interface ExtractPlan {
  /** Parents first. */
  readonly directories: readonly ExtractedEntry[];
  /** In the order their data are stored. */
  readonly files: readonly (ExtractedEntry & { readonly resource: BlobEntry["resource"] | undefined })[];
  /** Further names of files. */
  readonly hardLinks: readonly (ExtractedEntry & { readonly to: readonly string[] })[];
  readonly links: readonly ExtractedEntry[];
  /** FIFOs and devices of UNIX data. */
  readonly specials: readonly ExtractedEntry[];
  readonly leftOut: readonly LeftOut[];
  /** Bytes of all files. */
  readonly bytes: number;
}

const deepest = 2000;
/** Names of all paths together, level by level: half a gigabyte of memory. */
const mostParts = 2 ** 26;
const fileTypes = { fifo: 0o010000, character: 0o020000, block: 0o060000, socket: 0o140000 } as const;

/**
 * Says what is laid down in which order. Refused before anything is written: names Linux cannot hold or that would leave the
 * target (PRESTAGE_WIM_UNSAFE_NAME), data that are missing, paths that are not there (PRESTAGE_WIM_NO_PATH).
 */
export function planExtract(wim: AnyWim, image: WimImage, paths: readonly string[] | undefined, unixData: boolean): ExtractPlan {
  refuseUnsafeNames(image);
  const entries = selectEntries(image, paths);
  const directories: ExtractedEntry[] = [];
  const files: ExtractPlan["files"][number][] = [];
  const hardLinks: ExtractPlan["hardLinks"][number][] = [];
  const links: ExtractedEntry[] = [];
  const specials: ExtractedEntry[] = [];
  const leftOut: LeftOut[] = [];
  const groups = new Map<string, readonly string[]>();
  let bytes = 0;
  for (const item of entries) {
    const { entry, names } = item;
    const path = names.join("/");
    for (const { name } of entry.streams) leftOut.push({ path: `${path}:${name}`, reason: "named-stream" });
    const special = unixData ? specialType(entry) : undefined;
    if (entry.isDirectory) directories.push(item);
    else if (entry.reparseTag === symlinkTag) links.push(item);
    else if (entry.reparseTag !== undefined && entry.sha1 === undefined) leftOut.push({ path, reason: "reparse-point" });
    else if (special === "socket") leftOut.push({ path, reason: "socket" });
    else if (special !== undefined) specials.push(item);
    else {
      const group = `${entry.hardLinkGroup} ${entry.sha1}`;
      const first = entry.hardLinkGroup === 0n ? undefined : groups.get(group);
      if (first !== undefined) {
        hardLinks.push({ ...item, to: first });
        continue;
      }
      if (entry.hardLinkGroup !== 0n) groups.set(group, names);
      const resource = entry.sha1 === undefined ? undefined : wim.blob(entry.sha1).resource;
      bytes += resource?.size ?? 0;
      files.push({ ...item, resource });
    }
  }
  const stored = inStorageOrder(files.flatMap((file) => (file.resource === undefined ? [] : [{ ...file, resource: file.resource }])));
  return { directories, files: [...files.filter(({ resource }) => resource === undefined), ...stored], hardLinks, links, specials, leftOut, bytes };
}

/** The type bits of st_mode; undefined for a plain file. */
export function specialType(entry: WimEntry): keyof typeof fileTypes | undefined {
  const type = (entry.unix?.mode ?? 0) & 0o170000;
  return (Object.keys(fileTypes) as (keyof typeof fileTypes)[]).find((name) => fileTypes[name] === type);
}

function refuseUnsafeNames(image: WimImage): void {
  const unsafe = unsafeNames(image, "linux");
  const first = unsafe[0];
  if (first === undefined) return;
  const more = unsafe.length > 1 ? `, and ${unsafe.length - 1} more` : "";
  throw new WimError("PRESTAGE_WIM_UNSAFE_NAME", `${JSON.stringify(first.path)} cannot be laid down on Linux (${first.reason})${more}. Nothing was written; \`prestage wim verify\` lists them all.`);
}

/** The whole tree, or the named paths with what is below them and the directories above. */
function selectEntries(image: WimImage, paths: readonly string[] | undefined): ExtractedEntry[] {
  const wanted = paths?.map((path) => path.split("/").filter((name) => name !== ""));
  for (const names of wanted ?? []) {
    const found = names.reduce<WimEntry | undefined>((entry, name) => entry?.children.find((child) => child.name === name), image.root);
    if (found === undefined) throw new WimError("PRESTAGE_WIM_NO_PATH", `${JSON.stringify(names.join("/"))} is not in the image. \`prestage wim list\` shows what is.`);
  }
  const selected: ExtractedEntry[] = [];
  let parts = 0;
  const pending: { names: string[]; entry: WimEntry }[] = [{ names: [], entry: image.root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { names, entry } = next;
    if (names.length > deepest) throw new WimError("PRESTAGE_WIM_LIMIT", `${names.slice(0, 5).join("/")}/... is more than ${deepest} levels deep. Extract a part of the tree.`);
    if (wanted !== undefined && !wanted.some((path) => names.every((name, i) => i >= path.length || path[i] === name))) continue;
    checkLimit("Names of all paths to extract", (parts += names.length), mostParts);
    selected.push({ names, entry });
    for (let i = entry.children.length - 1; i >= 0; i--) pending.push({ names: [...names, entry.children[i]!.name], entry: entry.children[i]! });
  }
  return selected;
}
