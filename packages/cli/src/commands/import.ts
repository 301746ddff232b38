import { resolve } from "node:path";
import { buildRouteMap } from "@stricli/core";
import type { RouteMap } from "@stricli/core";
import { contentObjectSchema, objectListSchema, removedObjectSchema } from "@prestage/contract";
import type { ContentObject, DetectionRule, ImportRequest } from "@prestage/contract";
import type { ContentKind } from "@prestage/media";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags, text, texts, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import type { Context } from "../context.ts";
import { CliError } from "../error.ts";
import { bytes, print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

type CommonFlags = SiteFlags & { name: string; softwareVersion?: string; update?: string; confidential?: boolean }
const commonFlags = {
  ...siteFlags,
  name: text("Name shown to administrators; importing under the same name adds a revision", "NAME"),
  softwareVersion: optionalText("Version of the software itself", "VERSION"),
  update: optionalText("Add a revision to this object", "ID"),
  confidential: flag("Keep its content on the site's own distribution point: it is published nowhere else"),
} as const;

async function runImport(context: Context, flags: CommonFlags, request: Record<string, unknown>): Promise<void> {
  const client = await SiteClient.open(context, flags.data);
  const body = { ...request, name: flags.name, ...(flags.softwareVersion && { softwareVersion: flags.softwareVersion }), ...(flags.update && { update: objectId(flags.update) }), ...(flags.confidential && { confidential: true }) };
  const job = await client.runJob("/imports", body as unknown as ImportRequest);
  const object = contentObjectSchema.parse(job.result?.["object"]);
  print(context, flags.json, object, `${object.id}  ${object.name}, revision ${object.revision}, ${bytes(object.storedBytes)} stored\ncontent ${object.contentId}`);
}

/** Braces around an id are accepted. */
export function objectId(id: string): string {
  return id.replace(/^\{(.*)\}$/, "$1").toUpperCase();
}

const source = one("Folder or file, as the site's server sees it", "SOURCE");

const importOsImage = command<CommonFlags & { index: number }, [string]>({
  brief: "Import an OS image from a .wim file",
  example: "prestage os-image import debian-12.wim --name 'Debian 12' --index 1",
  parameters: { flags: { ...commonFlags, index: { kind: "parsed", parse: wholeNumber, brief: "Image in the file, from 1", placeholder: "N", default: "1" } }, positional: source },
  run: (context, flags, path) => runImport(context, flags, { kind: "os-image", source: resolve(path), index: flags.index }),
});

const importBootImage = command<CommonFlags & { profile?: string }, [string]>({
  brief: "Import a boot image made by `prestage boot-image build`",
  example: "prestage boot-image import boot.wim --name 'Boot image'",
  parameters: { flags: { ...commonFlags, profile: optionalText("hardware or virtual, for lists", "PROFILE") }, positional: source },
  run: (context, flags, path) => runImport(context, flags, { kind: "boot-image", source: resolve(path), profile: flags.profile ?? "" }),
});

type ApplicationFlags = CommonFlags & {
  install: string; uninstall?: string; detectPackage?: readonly string[]; detectFile?: readonly string[]; detectCommand?: readonly string[];
  successCode?: readonly number[]; restartCode?: readonly number[]; dependsOn?: readonly string[];
}
const numbers = (brief: string) => ({ kind: "parsed", parse: wholeNumber, optional: true, variadic: true, brief, placeholder: "CODE" }) as const;

const importApplication = command<ApplicationFlags, [string]>({
  brief: "Import an application: a folder, how to install it, and how to tell that it is installed",
  example: "prestage application import ./hello --name Hello --install 'dpkg -i hello.deb' --detect-package hello",
  parameters: {
    flags: {
      ...commonFlags,
      install: text("Command line that installs it, run in its folder", "COMMAND"),
      uninstall: optionalText("Command line that removes it", "COMMAND"),
      detectPackage: texts("Installed when this Debian package is, in this version if given", "NAME[=VERSION]"),
      detectFile: texts("Installed when this file exists, with this SHA-256 if given", "PATH[=SHA256]"),
      detectCommand: texts("Installed when this command succeeds", "COMMAND"),
      successCode: numbers("Exit code that means success; 0 if none is given"),
      restartCode: numbers("Exit code that means success after a restart"),
      dependsOn: texts("Application to install before", "ID"),
    },
    positional: source,
  },
  run(context, flags, path) {
    const definition = {
      kind: "application", installCommand: flags.install, detection: detectionRules(flags),
      ...(flags.uninstall && { uninstallCommand: flags.uninstall }), ...(flags.successCode && { successCodes: flags.successCode }),
      ...(flags.restartCode && { restartCodes: flags.restartCode }), ...(flags.dependsOn && { dependencies: flags.dependsOn.map(objectId) }),
    };
    return runImport(context, flags, { kind: "application", source: resolve(path), definition });
  },
});

export function detectionRules(flags: Pick<ApplicationFlags, "detectPackage" | "detectFile" | "detectCommand">): DetectionRule[] {
  const pair = (value: string): [string, string | undefined] => {
    const at = value.indexOf("=");
    return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
  };
  const rules: DetectionRule[] = [
    ...(flags.detectPackage ?? []).map((value): DetectionRule => {
      const [name, version] = pair(value);
      return { type: "debian-package", package: name, ...(version !== undefined && { version }) };
    }),
    ...(flags.detectFile ?? []).map((value): DetectionRule => {
      const [path, sha256] = pair(value);
      return { type: "file", path, ...(sha256 !== undefined && { sha256 }) };
    }),
    ...(flags.detectCommand ?? []).map((value): DetectionRule => ({ type: "command", command: value })),
  ];
  if (rules.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected at least one way to tell that the application is installed; found none. Give --detect-package, --detect-file or --detect-command.");
  return rules;
}

const importPackage = command<CommonFlags & { program: readonly string[] }, [string]>({
  brief: "Import a package: a folder with programs to run",
  example: "prestage package import ./tools --name Tools --program 'Set up=sh ./set-up.sh'",
  parameters: { flags: { ...commonFlags, program: { kind: "parsed", parse: String, variadic: true, brief: "A program: its name and command line; may be repeated", placeholder: "NAME=COMMAND" } }, positional: source },
  run(context, flags, path) {
    const programs = flags.program.map((value) => {
      const [, name, commandLine] = /^([^=]+)=(.+)$/s.exec(value) ?? [];
      if (name === undefined || commandLine === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected --program NAME=COMMAND; found ${JSON.stringify(value)}.`);
      return { name, command: commandLine };
    });
    return runImport(context, flags, { kind: "package", source: resolve(path), definition: { kind: "package", programs } });
  },
});

const importDriverPackage = command<CommonFlags & { model?: readonly string[] }, [string]>({
  brief: "Import a driver package: firmware/ and modules/ for Linux",
  example: "prestage driver-package import ./drivers --name 'Latitude 7450' --model 'Latitude 7450'",
  parameters: { flags: { ...commonFlags, model: texts("Computer model it is for; may be repeated", "MODEL") }, positional: source },
  run: (context, flags, path) => runImport(context, flags, { kind: "driver-package", source: resolve(path), definition: { kind: "driver-package", ...(flags.model && { models: flags.model }) } }),
});

function listCommand(kind: ContentKind) {
  return command<SiteFlags>({
    brief: "List them",
    example: `prestage ${kind} list`,
    parameters: { flags: siteFlags },
    async run(context, flags) {
      const objects = await (await SiteClient.open(context, flags.data)).call("GET", `/objects?kind=${kind}`, objectListSchema);
      print(context, flags.json, objects, objectTable(objects));
    },
  });
}

function showCommand(kind: ContentKind) {
  return command<SiteFlags, [string]>({
    brief: "Show one with all its revisions",
    example: `prestage ${kind} show ABC00003`,
    parameters: { flags: siteFlags, positional: one("Object", "ID") },
    async run(context, flags, id) {
      const revisions = await (await SiteClient.open(context, flags.data)).call("GET", `/objects/${objectId(id)}`, z.array(contentObjectSchema).min(1));
      print(context, flags.json, revisions, `${objectTable(revisions)}\n\n${JSON.stringify(revisions[0]?.definition, null, 2)}`);
    },
  });
}

function setCommand(kind: ContentKind) {
  return command<SiteFlags & { confidential: "yes" | "no" }, [string]>({
    brief: "Say whether its content is confidential: kept on the site's own distribution point, published nowhere else",
    example: `prestage ${kind} set ABC00003 --confidential yes`,
    parameters: { flags: { ...siteFlags, confidential: { kind: "enum", values: ["yes", "no"], brief: "Confidential" } }, positional: one("Object", "ID") },
    async run(context, flags, id) {
      const object = await (await SiteClient.open(context, flags.data)).call("PATCH", `/objects/${objectId(id)}`, contentObjectSchema, { confidential: flags.confidential === "yes" });
      print(context, flags.json, object, `${object.id}: ${object.confidential ? "confidential; what was published of it goes with the next `prestage content publish` or `prestage distribution-point redistribute`" : "published like any other"}`);
    },
  });
}

function removeCommand(kind: ContentKind) {
  return command<SiteFlags & { revision?: number }, [string]>({
    brief: "Remove one, or a revision of it; refused where a task sequence, an application or a media refers to it",
    example: `prestage ${kind} remove ABC00003 --revision 1`,
    parameters: { flags: { ...siteFlags, revision: { kind: "parsed", parse: wholeNumber, optional: true, brief: "This revision alone", placeholder: "N" } }, positional: one("Object", "ID") },
    async run(context, flags, id) {
      const query = flags.revision === undefined ? "" : `?revision=${flags.revision}`;
      const removed = await (await SiteClient.open(context, flags.data)).call("DELETE", `/objects/${objectId(id)}${query}`, removedObjectSchema);
      print(context, flags.json, removed, `${removed.id}: ${removed.revisions.length === 1 ? "revision" : "revisions"} ${removed.revisions.join(", ")} removed. Its content goes with \`prestage content collect\`.`);
    },
  });
}

function objectTable(objects: readonly ContentObject[]): string {
  return table(["ID", "NAME", "VERSION", "REVISION", "STORED", "CONTENT"], objects.map((o) => [o.id, o.name, o.softwareVersion || "-", String(o.revision), bytes(o.storedBytes), o.contentId.slice(0, 16)]));
}

const importers = { "os-image": importOsImage, "boot-image": importBootImage, application: importApplication, package: importPackage, "driver-package": importDriverPackage } as const;

/** `import`, `list`, `show`, `set` and `remove` of a kind of content, with more commands beside them. */
export function contentRoutes(kind: ContentKind, more: Record<string, Parameters<typeof buildRouteMap<string, Context>>[0]["routes"][string]> = {}): RouteMap<Context> {
  return buildRouteMap({ routes: { import: importers[kind], list: listCommand(kind), show: showCommand(kind), set: setCommand(kind), remove: removeCommand(kind), ...more }, docs: { brief: `${kind.replaceAll("-", " ")}s: import, list, show, set, remove` } });
}
