import { entryKind, findEntry, walkEntries, WimError } from "@prestage/wim";
import type { AnyWim, WalkedEntry, WimEntry } from "@prestage/wim";
import { command, flag, jsonFlag, one, optionalText } from "../command.ts";
import { print, printEach } from "../output.ts";
import { imageFlag, imageIndex, isoTime, shown, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

type Flags = WimFlags & { image?: string; path?: string; json?: boolean };
const common = { ...wimFlags, image: imageFlag("Image, by number or name; needed where there are several"), path: optionalText("Only this path and what is below it", "PATH"), ...jsonFlag };
const positional = one("WIM, any part of a split set, or its address", "FILE");

export const wimList = command<Flags & { long?: boolean }, [string]>({
  brief: "List the paths of an image, one a line",
  example: "prestage wim list install.wim --image 1\nprestage wim list http://127.0.0.1:9/images/boot.wim --image 2 --path Windows/System32 --long",
  parameters: { flags: { ...common, long: flag("Kind, size, time and owner before each path") }, positional },
  async run(context, flags, file) {
    await withWim(context, file, flags, async (wim) => {
      await printEach(context, flags.json, await selected(wim, flags), {
        line: ({ path, entry }) => (flags.long === true ? `${longLine(wim, entry)} ` : "") + shown(path),
        member: ({ path, entry }) => describe(wim, path, entry),
      });
    });
  },
});

export const wimTree = command<Flags, [string]>({
  brief: "Draw the tree of an image",
  example: "prestage wim tree install.wim --image 1 --path Windows/Boot",
  parameters: { flags: common, positional },
  async run(context, flags, file) {
    await withWim(context, file, flags, async (wim) => {
      const image = await wim.readImage(imageIndex(wim, flags.image));
      const top = rootOf(image.root, findEntry(image, normal(flags.path)), flags.path);
      if (flags.json === true) return print(context, true, nested(wim, top), "");
      await printEach(context, false, draw(top, flags.path ?? "/"), { line: (line) => line, member: (line) => line });
    });
  },
});

function normal(path: string | undefined): string {
  return (path ?? "").split("/").filter((name) => name !== "").join("/");
}

function rootOf(root: WimEntry, found: WimEntry | undefined, path: string | undefined): WimEntry {
  if (path === undefined) return root;
  if (found === undefined) throw new WimError("PRESTAGE_WIM_NO_PATH", `${JSON.stringify(path)} is not in the image. Names are compared exactly.`);
  return found;
}

async function selected(wim: AnyWim, flags: Flags): Promise<Iterable<WalkedEntry>> {
  const image = await wim.readImage(imageIndex(wim, flags.image));
  const path = normal(flags.path);
  rootOf(image.root, findEntry(image, path), flags.path);
  return below(walkEntries(image), path);
}

function* below(entries: Iterable<WalkedEntry>, path: string): Generator<WalkedEntry> {
  for (const item of entries) if (path === "" || item.path === path || item.path.startsWith(`${path}/`)) yield item;
}

function describe(wim: AnyWim, path: string, entry: WimEntry): object {
  return {
    path, kind: entryKind(entry), size: sizeOf(wim, entry), sha1: entry.sha1, attributes: entry.attributes, created: isoTime(entry.created), written: isoTime(entry.written), accessed: isoTime(entry.accessed),
    ...(entry.shortName !== "" && { shortName: entry.shortName }), ...(entry.reparseTag !== undefined && { reparseTag: entry.reparseTag }), ...(entry.hardLinkGroup !== 0n && { hardLinkGroup: entry.hardLinkGroup.toString() }),
    ...(entry.streams.length > 0 && { streams: entry.streams }), ...(entry.unix !== undefined && { unix: entry.unix }),
  };
}

function sizeOf(wim: AnyWim, entry: WimEntry): number {
  return entry.sha1 === undefined ? 0 : wim.blob(entry.sha1).resource.size;
}

function longLine(wim: AnyWim, entry: WimEntry): string {
  const kind = { file: "-", directory: "d", link: "l", "reparse-point": "r" }[entryKind(entry)];
  const owner = entry.unix === undefined ? entry.attributes.toString(16).padStart(8, "0") : `${(entry.unix.mode & 0o7777).toString(8).padStart(4, "0")} ${entry.unix.uid}:${entry.unix.gid}`;
  return `${kind} ${owner.padEnd(14)} ${String(sizeOf(wim, entry)).padStart(13)} ${isoTime(entry.written) ?? "-".padEnd(24)}`;
}

function nested(wim: AnyWim, top: WimEntry): object {
  const made = (entry: WimEntry): { name: string; kind: string; size: number; children?: object[] } => ({ name: entry.name, kind: entryKind(entry), size: sizeOf(wim, entry) });
  const root = made(top);
  const pending = [{ node: root, entry: top }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (!next.entry.isDirectory) continue;
    const children = next.entry.children.map((entry) => ({ node: made(entry), entry }));
    next.node.children = children.map(({ node }) => node);
    pending.push(...children);
  }
  return root;
}

function* draw(top: WimEntry, title: string): Generator<string> {
  yield shown(title);
  const pending = top.children.map((entry, i) => ({ entry, prefix: "", last: i === top.children.length - 1 })).reverse();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { entry, prefix, last } = next;
    yield `${prefix}${last ? "└── " : "├── "}${shown(entry.name)}${entry.isDirectory ? "/" : ""}`;
    for (let i = entry.children.length - 1; i >= 0; i--) pending.push({ entry: entry.children[i]!, prefix: `${prefix}${last ? "    " : "│   "}`, last: i === entry.children.length - 1 });
  }
}
