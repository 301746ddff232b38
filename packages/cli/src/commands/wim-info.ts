import { architectureNames } from "@prestage/wim";
import type { AnyWim, WimImageInfo } from "@prestage/wim";
import { command, jsonFlag, one } from "../command.ts";
import { bytes, print } from "../output.ts";
import { isoTime, shown, wimFlags, withWim, type WimFlags } from "./wim-input.ts";

export const wimInfo = command<WimFlags & { json?: boolean }, [string]>({
  brief: "Say what a WIM holds: its form, its images, what they say of their Windows",
  example: "prestage wim info install.wim\nprestage wim info http://127.0.0.1:9/images/install.esd",
  parameters: { flags: { ...wimFlags, ...jsonFlag }, positional: one("WIM, any part of a split set, or its address", "FILE") },
  async run(context, flags, file) {
    await withWim(context, file, flags, async (wim) => {
      const described = describe(wim);
      print(context, flags.json, described, [...form(wim), ...wim.xml.images.flatMap((image) => ["", ...imageLines(image)])].join("\n"));
    });
  },
});

function describe(wim: AnyWim): object {
  const { header } = wim;
  return {
    guid: Buffer.from(header.guid).toString("hex"), version: header.version, compression: header.compression, chunkSize: header.chunkSize, size: wim.parts.reduce((sum, { source }) => sum + source.size, 0),
    parts: header.parts, pipable: header.pipable, solid: isSolid(wim), bootIndex: header.bootIndex, integrity: wim.parts.every(({ integrity }) => integrity !== undefined), blobs: wim.blobs.size,
    images: wim.xml.images.map((image) => ({ ...image, element: undefined, created: isoTime(image.created), modified: isoTime(image.modified) })),
  };
}

function isSolid(wim: AnyWim): boolean {
  return [...wim.blobs.values()].some(({ resource }) => resource.place?.solid !== undefined);
}

function form(wim: AnyWim): string[] {
  const { header } = wim;
  const compressed = header.compression === "none" ? "not compressed" : `${header.compression.toUpperCase()} in chunks of ${bytes(header.chunkSize)}`;
  const more = [...(isSolid(wim) ? ["solid"] : []), ...(header.pipable ? ["pipable"] : []), ...(header.parts > 1 ? [`${header.parts} parts`] : [])];
  return [
    `Form        ${[compressed, ...more].join(", ")}`,
    `Size        ${bytes(wim.parts.reduce((sum, { source }) => sum + source.size, 0))}, ${wim.blobs.size} blobs`,
    `Integrity   ${wim.parts.every(({ integrity }) => integrity !== undefined) ? "table present" : "no table"}`,
    `Images      ${wim.imageCount}${header.bootIndex === 0 ? "" : `, image ${header.bootIndex} is the one to start`}`,
  ];
}

function imageLines(image: WimImageInfo): string[] {
  const { windows } = image;
  const row = (name: string, value: string | undefined): string[] => (value === undefined || value === "" ? [] : [`  ${name.padEnd(13)} ${shown(value)}`]);
  return [
    `Image ${image.index}: ${shown(image.name)}`,
    ...row("Description", image.description), ...row("Shown as", image.displayName), ...row("Flags", image.flags),
    ...row("Content", `${image.fileCount} files, ${image.directoryCount} directories, ${bytes(image.totalBytes)}`),
    ...row("Created", isoTime(image.created)), ...row("Modified", isoTime(image.modified)),
    ...(windows === undefined ? [] : [
      ...row("Product", windows.productName), ...row("Edition", windows.editionId), ...row("Version", windows.version), ...row("Service pack", windows.servicePackLevel === undefined || windows.servicePackLevel === 0 ? undefined : String(windows.servicePackLevel)),
      ...row("Architecture", windows.architecture === undefined ? undefined : (architectureNames.get(windows.architecture) ?? String(windows.architecture))),
      ...row("Type", [windows.installationType, windows.productType].filter((part) => part !== undefined).join(", ")), ...row("Languages", windows.languages.join(", ")), ...row("By default", windows.defaultLanguage),
    ]),
  ];
}
