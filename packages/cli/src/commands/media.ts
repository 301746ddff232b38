import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import { createMediaRequestSchema, mediaPasswordSchema, mediaRecordSchema } from "@prestage/contract";
import type { CreateMediaRequest } from "@prestage/contract";
import { affinityText, inspectMedia, screensText, supportShellText, unattendedText, verifyMedia } from "@prestage/media";
import { keyboardLayoutNames, screenLanguages, unattendedErrors } from "@prestage/media/schema";
import { userDeviceAffinityModes } from "@prestage/sequence/schema";
import { z } from "zod";
import { byPrefix } from "../by-prefix.ts";
import { command, flag, jsonFlag, one, optionalText, siteFlags, text, texts, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { requireFolderOf } from "../input-file.ts";
import { bytes, counted, print, Progress, table } from "../output.ts";
import { readNewPassword } from "../read-secret.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";
import { repair, verifyStagedDisk } from "./media-disk.ts";
import { list, renew, revoke, show } from "./media-life.ts";
import { downloadMedia } from "./media-download.ts";
import { plan } from "./media-plan.ts";
import { rebuild } from "./media-rebuild.ts";
import { chunks, refresh } from "./media-refresh.ts";
import { trustedKeyring } from "./trusted-keyring.ts";
import { variables } from "./variables.ts";

type CreateFlags = SiteFlags & PasswordFlags & {
  taskSequence: string; application?: readonly string[]; package?: readonly string[]; driverPackage?: readonly string[]; bootImage?: string; osImage?: string; index?: number;
  managementPoint?: readonly string[]; dynamic?: boolean; distributionPoint?: readonly string[]; variable?: readonly string[]; unattended?: boolean; prestartCommand?: string; prestartPackage?: string; unattendedError?: (typeof unattendedErrors)[number]; language?: (typeof screenLanguages)[number]; keyboard?: (typeof keyboardLayoutNames)[number]; noUnknownComputers?: boolean; validFrom?: string; validTo?: string;
  createdBy?: string; version?: string; comment?: string; stopIfDamaged?: boolean; supportShell?: boolean; userDeviceAffinity?: CreateMediaRequest["userDeviceAffinity"]; output: string;
}

type PasswordFlags = { password?: boolean; passwordStdin?: boolean; passwordFd?: number }
/** Where a media password comes from: never from an argument. */
const passwordSources = {
  passwordStdin: flag("Read the password from standard input"),
  passwordFd: { kind: "parsed", parse: wholeNumber, optional: true, brief: "Read the password from this file descriptor", placeholder: "N" },
} as const;

const create = command<CreateFlags>({
  brief: "Build a signed media: one WIM with boot environment, OS image, applications, packages and driver packages",
  example: "prestage media create --task-sequence ABC00007 --management-point https://deploy.example.com:8443 -o media.wim",
  parameters: {
    aliases: { o: "output" },
    flags: {
      ...siteFlags,
      taskSequence: text("Sequence whose content the media carries; it is not put on it", "ID"),
      application: texts("Carry this application too, with what it depends on", "ID"),
      package: texts("Carry this package too", "ID"),
      driverPackage: texts("Carry this driver package too", "ID"),
      bootImage: optionalText("Boot image; may be left out where the site has one", "ID"),
      osImage: optionalText("OS image; else the one the sequence applies", "ID"),
      index: { kind: "parsed", parse: wholeNumber, optional: true, brief: "Image in it, from 1", placeholder: "N" },
      managementPoint: texts("Management point, in the order to try; else the site's own", "URL"),
      dynamic: flag("Computers follow the management points their policy names, then those given here; else they keep to those given here"),
      distributionPoint: texts("Distribution point, in the order of preference", "URL"),
      variable: texts("A task sequence variable; never a secret", "NAME=VALUE"),
      unattended: flag("Ask nothing and never wait for a key"),
      prestartCommand: optionalText("Command line that runs after verification and before any contact; it may set variables, and another exit code than 0 stops the computer", "COMMAND"),
      prestartPackage: optionalText("Package whose files it finds in its working directory", "ID"),
      unattendedError: { kind: "enum", values: unattendedErrors, optional: true, brief: "What an unattended computer does after an error it has reported; retry where it is left out" },
      language: { kind: "enum", values: screenLanguages, optional: true, brief: "Language of the boot screens at first, F2 changes it; en where it is left out" },
      keyboard: { kind: "enum", values: keyboardLayoutNames, optional: true, brief: "Keyboard layout at first, F3 changes it; us where it is left out" },
      noUnknownComputers: flag("Only computers the site has a record of"),
      password: flag("Computers ask for a password; it is typed here without being shown, kept at the site only, and never on the media"),
      ...passwordSources,
      validFrom: optionalText("RFC 3339, such as 2026-12-01T00:00:00Z", "TIME"),
      validTo: optionalText("RFC 3339", "TIME"),
      createdBy: optionalText("At most 50 characters", "TEXT"),
      version: optionalText("At most 32 characters", "TEXT"),
      comment: optionalText("At most 127 characters", "TEXT"),
      stopIfDamaged: flag("A computer whose media has a damaged file stops instead of fetching it"),
      supportShell: flag("F8 opens a root shell on the computer's own terminals, once it is enrolled"),
      userDeviceAffinity: { kind: "enum", values: userDeviceAffinityModes, optional: true, brief: "What becomes of the users in SMSTSUDAUsers at the end of the sequence: not recorded, to be approved, or recorded as users of the device; none where it is left out" },
      output: text("File to write; FILE.sha256 and FILE.txt beside it", "FILE"),
    },
  },
  async run(context, flags) {
    const client = await SiteClient.open(context, flags.data);
    const output = resolve(flags.output);
    if (await access(output).then(() => true, () => false)) throw new CliError("PRESTAGE_MEDIA_OUTPUT_EXISTS", `Expected no file at ${output}; found one. Remove it or choose another name.`);
    await requireFolderOf(output);
    const password = flags.password === true || flags.passwordStdin === true || flags.passwordFd !== undefined ? await newPassword(context, flags) : undefined;
    const request = createMediaRequestSchema.parse({
      passwordRequired: password !== undefined,
      taskSequenceId: objectId(flags.taskSequence),
      applications: (flags.application ?? []).map(objectId), packages: (flags.package ?? []).map(objectId), driverPackages: (flags.driverPackage ?? []).map(objectId),
      ...(flags.bootImage && { bootImageId: objectId(flags.bootImage) }),
      ...(flags.osImage && { osImage: { id: objectId(flags.osImage), ...(flags.index !== undefined && { index: flags.index }) } }),
      managementPoints: flags.managementPoint ?? [], managementPointMode: flags.dynamic === true ? "dynamic" : "site-based", distributionPoints: flags.distributionPoint ?? [], variables: variables(flags.variable), unattended: flags.unattended ?? false,
      ...prestartOf(flags),
      ...(flags.unattendedError && { unattendedError: flags.unattendedError }), ...(flags.language && { language: flags.language }), ...(flags.keyboard && { keyboardLayout: flags.keyboard }),
      unknownComputers: flags.noUnknownComputers !== true, ...(flags.validFrom && { validFrom: flags.validFrom }), ...(flags.validTo && { validTo: flags.validTo }),
      createdBy: flags.createdBy ?? "", version: flags.version ?? "", comment: flags.comment ?? "", damaged: flags.stopIfDamaged === true ? "stop" : "repair", supportShell: flags.supportShell ?? false, ...(flags.userDeviceAffinity && { userDeviceAffinity: flags.userDeviceAffinity }),
      ...(client.local && { output }),
    });
    const job = await client.runJob("/media", request);
    const result = z.object({ mediaId: z.string(), size: z.number(), sha256: z.string(), path: z.string(), contents: z.number() }).parse(job.result);
    if (password !== undefined) await setPassword(client, result.mediaId, password);
    if (!client.local) await downloadMedia(client, output, result);
    print(context, flags.json, { ...result, path: output }, `${output}: ${bytes(result.size)}, ${counted(result.contents, "piece of content", "pieces of content")}\nmedia ${result.mediaId}\nSHA-256 ${result.sha256}`);
  },
});

function prestartOf({ prestartCommand: line, prestartPackage: id }: Pick<CreateFlags, "prestartCommand" | "prestartPackage">): object {
  if (line === undefined && id !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --prestart-command with --prestart-package; found the package alone.");
  return line === undefined ? {} : { prestart: { command: line, ...(id !== undefined && { package: objectId(id) }) } };
}

/** A password the site would take, before anything is built. */
async function newPassword(context: Context, flags: PasswordFlags): Promise<string> {
  return mediaPasswordSchema.parse(await readNewPassword(context, flags.passwordFd));
}

async function setPassword(client: SiteClient, mediaId: string, password: string): Promise<void> {
  await client.call("PUT", `/media/${mediaId}/password`, z.undefined(), { password });
}

const setPasswordCommand = command<SiteFlags & Omit<PasswordFlags, "password">, [string]>({
  brief: "Change the password computers started from a media ask for; it is typed, or read from standard input",
  example: "prestage media set-password 3f9a61c2d07be145",
  parameters: { flags: { ...siteFlags, ...passwordSources }, positional: one("Media, or how its id begins", "ID") },
  async run(context, flags, id) {
    const client = await SiteClient.open(context, flags.data);
    const { mediaId } = byPrefix(await client.call("GET", "/media", z.array(mediaRecordSchema)), (media) => media.mediaId, id, "media");
    await setPassword(client, mediaId, await newPassword(context, flags));
    print(context, flags.json, { mediaId }, `The password of media ${mediaId.slice(0, 16)} is changed`);
  },
});

const keyringFlag = optionalText("Trust only media signed under this keyring (keyring.dsse.json); else the local site's, else the one on the media", "FILE");

export const inspect = command<{ keyring?: string; data?: string; json?: boolean }, [string]>({
  brief: "Show what a media is and carries",
  example: "prestage media inspect media.wim",
  parameters: { flags: { keyring: keyringFlag, ...siteFlags }, positional: one("Media", "FILE") },
  async run(context, flags, path) {
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const media = await inspectMedia(path, keyring ? { trustedKeyring: keyring } : {});
    const m = media.manifest;
    const rows = [
      ["Media", media.mediaId], ["Size", bytes(media.size)], ["Signed under", `keyring ${m.site.code} version ${m.keyring.version}${media.trustedBySite ? " (trusted here)" : " (the media's own; give --keyring to prove who made it)"}`],
      ["Task sequence", `${m.taskSequence.name} (${m.taskSequence.id})`], ["Version", m.version || "-"], ["Created by", m.createdBy || "-"], ["Comment", m.comment || "-"],
      ["Valid", `${m.validFrom ?? "always"} to ${m.validTo ?? "no end"}`], ["Management points", `${m.managementPoints.urls.join(", ")} (${m.managementPoints.mode})`], ["Distribution points", m.distributionPoints.join(", ") || "-"], ["Unattended", unattendedText(m)], ["Screens", screensText(m)], ["Support shell", supportShellText(m)], ["Users of the device", affinityText(m)], ["Asks for a password", m.passwordRequired ? "yes" : "no"],
    ];
    const content = table(["ID", "KIND", "NAME", "REVISION", "CONTENT"], m.content.map((c) => [c.objectId, c.kind, c.name, String(c.revision), c.contentId.slice(0, 16)]));
    print(context, flags.json, { mediaId: media.mediaId, size: media.size, trusted: media.trustedBySite, manifest: m }, `${rows.map(([name = "", value = ""]) => `${name.padEnd(20)}${value}`).join("\n")}\n\n${content}`);
  },
});

export const verify = command<{ disk?: string; deep?: boolean; keyring?: string; data?: string; json?: boolean }, [string?]>({
  brief: "Check a media whole, or a staged disk on the shelf: signature, every file, nothing more and nothing less; exit code 1 where anything is wrong",
  example: "prestage media verify media.wim\nprestage media verify --disk /dev/sdb",
  parameters: {
    flags: { disk: optionalText("A staged disk, or its image file, instead of a media file; it is not mounted and not changed", "DISK"), deep: flag("Decode and hash every file of a media file, also those stored byte for byte as signed"), keyring: keyringFlag, ...jsonFlag, data: siteFlags.data },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "Media", placeholder: "FILE", optional: true }] },
  },
  async run(context, flags, path) {
    if ((path === undefined) === (flags.disk === undefined)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected a media file, or --disk and a staged disk.");
    if (path === undefined) return verifyStagedDisk(context, flags.disk ?? "", flags);
    const keyring = await trustedKeyring(flags.keyring, flags.data);
    const progress = new Progress(context);
    const result = await verifyMedia(path, { ...(keyring && { trustedKeyring: keyring }), deep: flags.deep === true, signal: context.signal, onProgress: (event) => progress.update("verify", event.done, event.total) });
    progress.end();
    const good = result.findings.length === 0;
    print(context, flags.json, { mediaId: result.media.mediaId, files: result.files, bytes: result.bytes, findings: result.findings }, good ? `${path}: ${counted(result.files, "file")}, ${bytes(result.bytes)}, all as signed` : result.findings.map((f) => `${f.code}: ${f.message}`).join("\n"));
    if (!good) throw new CliError("PRESTAGE_MEDIA_FILE_DAMAGED", `Expected a whole media; found ${counted(result.findings.length, "fault")}. Copy it again, and compare it with its .sha256.`);
  },
});

export const mediaRoutes = buildRouteMap({
  docs: { brief: "Media: create, rebuild, set a password, list, show, plan, renew, revoke, inspect, verify, repair, chunks, refresh" },
  routes: { create, rebuild, "set-password": setPasswordCommand, list, show, plan, renew, revoke, inspect, verify, repair, chunks, refresh },
});
