import { z } from "zod";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const line = z.string().max(500).regex(/^[^\p{Cc}]*$/u, "one line");

/** Capture Operating System Image (features.md F166, F236). */
export const captureOsImageStep = defineStepType({
  type: "capture-os-image",
  title: "Capture operating system image",
  reference: ["Capture Operating System Image", "MDT Create WIM", "MDT Backup"],
  summary:
    "Captures the system on the data volume into a .wim that `prestage os-image import` takes. /prestage, swap and page files, temporary files and what belongs to this computer alone are left out, if not said otherwise: machine id, ssh host keys, leases, logs, random seed, keys of encrypted volumes, a directory's account, the services of the deployment. It is written beside, read back, and takes its place when it is whole; a cut leaves what was there. `local` is on the computer's own disk: when the sequence has ended in the installed system it is in /var/lib/prestage/captured-images. An NTFS is captured as it is, by wimlib, without being mounted, and so never onto itself.",
  environments: ["environment"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    to: z.union([z.literal("local"), z.string().max(1000).transform((text) => text.replaceAll("\\", "/").replace(/(?<=.)\/+$/, "")).pipe(z.string().regex(/^\/(?!$)(?!.*(^|\/)\.\.(\/|$))[^\p{Cc}]+$/u, "local or an absolute path"))]).default("local").describe("`local`, or a folder: one that connect-network-folder has mounted, in which folders are made, or one of another disk that is mounted"),
    file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._()-]{0,120}\.wim$/i, "a file name such as reference.wim").describe("Name of the file"),
    name: line.min(1).describe("Name of the image in it; one of that name that is there already is replaced").default("Captured image"),
    description: line.optional().describe("What it is"),
    creator: line.optional().describe("Who made it"),
    version: line.optional().describe("Its version"),
    compression: z.enum(["lzx", "xpress", "none"]).default("lzx").describe("xpress is quicker and larger; where it is added to a .wim, that one's is kept"),
    append: flagSchema.default(false).describe("true: a .wim that is there keeps its images, and this one is added"),
    everything: flagSchema.default(false).describe("true: a backup of this computer: what belongs to it alone is captured, too"),
  }),
  variables: { description: "OSDImageDescription", creator: "OSDImageCreator", version: "OSDImageVersion" },
  sets: { _PrestageCapturedImage: "path of the .wim" },
  again: "It begins anew beside what is there.",
  errors: ["PRESTAGE_AGENT_CAPTURE_NO_ROOM", "PRESTAGE_AGENT_CAPTURE_REFUSED", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Capture
  type: capture-os-image
  with: { to: "%Images%", file: reference.wim, name: Debian for branch offices, version: "2026-11" }`,
});
