import type { Manifest } from "./schema.ts";

/** The readable sheet beside a media: what is on it and how to lay it down. Plain text, 80 columns. */
export function mediaSheet(manifest: Manifest, file: { name: string; mediaId: string; size: number; sha256: string }): string {
  const rows: [string, string][] = [
    ["File", file.name],
    ["Size", `${file.size.toLocaleString("en")} bytes`],
    ["SHA-256", file.sha256],
    ["Media id", file.mediaId],
    ["Site", manifest.site.code],
    ["Task sequence", `${manifest.taskSequence.name} (${manifest.taskSequence.id})`],
    ["Version", manifest.version || "-"],
    ["Created by", manifest.createdBy || "-"],
    ["Comment", manifest.comment || "-"],
    ["Valid", `${manifest.validFrom ?? "from now on"} to ${manifest.validTo ?? "no end"}`],
    ["Password", manifest.passwordRequired ? "asked for at first start; it is not on this media" : "none"],
    ["Unattended", unattendedText(manifest)],
    ["Prestart command", manifest.prestart === undefined ? "-" : `${manifest.prestart.command}${manifest.prestart.package === undefined ? "" : ` (in package ${manifest.prestart.package})`}`],
    ["Screens", screensText(manifest)],
    ["Support shell", supportShellText(manifest)],
    ["Users of the device", affinityText(manifest)],
    ["Unknown computers", manifest.unknownComputers ? "may be deployed" : "are refused"],
    ["A damaged file", manifest.damaged === "stop" ? "stops the computer" : "is fetched again"],
    ["Variables", manifest.variables.map((variable) => variable.name).join(", ") || "-"],
    ["Management points", [...manifest.managementPoints.urls, manifest.managementPoints.mode === "dynamic" ? "(dynamic: after those its policy names)" : "(site-based: these alone)"].join("\n")],
    ["Distribution points", manifest.distributionPoints.join("\n") || "as the management point says"],
    ["Boot image", `${manifest.bootImage.name} (${manifest.bootImage.objectId} revision ${manifest.bootImage.revision})`],
  ];
  const lines = rows.map(([name, value]) => `${name.padEnd(20)}${value.split("\n").join(`\n${" ".repeat(20)}`)}`);
  const content = manifest.content.map((one) => `  ${one.objectId}  ${one.kind.padEnd(15)}${one.name}, revision ${one.revision}`);
  return `${["PRESTAGED MEDIA", "", ...lines, "", "Content", ...content, "", ...instructions(file.name)].join("\n")}\n`;
}

export function unattendedText(manifest: Pick<Manifest, "unattended" | "unattendedError">): string {
  if (!manifest.unattended) return "no";
  return manifest.unattendedError === "power-off" ? "yes; after an error the computer switches off" : "yes; after an error it restarts and tries again";
}

export function affinityText({ userDeviceAffinity }: Pick<Manifest, "userDeviceAffinity">): string {
  return { none: "not recorded", approval: "recorded once an administrator approves", automatic: "recorded" }[userDeviceAffinity];
}

export function supportShellText(manifest: Pick<Manifest, "supportShell">): string {
  return manifest.supportShell === true ? "F8, once the computer is enrolled" : "none";
}

export function screensText(manifest: Pick<Manifest, "language" | "keyboardLayout">): string {
  return `language ${manifest.language}, keyboard ${manifest.keyboardLayout}`;
}

function instructions(name: string): string[] {
  return [
    "To lay it on a disk (everything on the disk is lost):",
    `  sha256sum -c ${name}.sha256`,
    `  prestage stage ${name} --disk /dev/DISK --wipe SERIAL`,
    "",
    "Or by hand, with any WIM tool: image 1 on a FAT32 EFI system partition, image 2",
    "on the root of the data volume (docs/by-hand.md). The computer then starts from",
    "this disk (UEFI x64; Secure Boot may stay on).",
  ];
}
