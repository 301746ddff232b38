import { resolve } from "node:path";
import { stat } from "node:fs/promises";
import { runLocally } from "@prestage/agent/run-locally";
import * as contract from "@prestage/contract";
import type { ObjectDefinition, PolicyContent } from "@prestage/contract";
import { parseTaskSequenceYaml } from "@prestage/sequence";
import { command, one, siteFlags, text, optionalText, texts } from "../command.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { print } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { withChildren } from "./sequence-text.ts";

type Flags = { root: string; state?: string; variable?: readonly string[]; content?: readonly string[]; data?: string; json?: boolean };

export const runSequenceCommand = command<Flags, [string]>({
  brief: "Run a task sequence on this computer as on one that was deployed, to try its steps out: no media, no site, nothing is asked. Run again after an interruption or a restart it goes on where it was. Exit code: 0 it succeeded, 1 it failed, 3 it wants a restart",
  example: "prestage sequence run try.yaml --root / --variable Role=desk --content ABC00005=./tools",
  parameters: {
    flags: {
      root: text("Where conditions on files look and steps write settings: / is this computer's own system. With another folder commands and programs still run on this computer", "DIR"),
      state: optionalText("Journal of the run; var/lib/prestage/sequence-run below the root if not said otherwise", "DIR"),
      variable: texts("A device variable, may be repeated", "NAME=VALUE"),
      content: texts("The folder of a content that steps name, may be repeated; how an application is installed and which programs a package has is asked of the site", "ID=DIR"),
      ...siteFlags,
    },
    positional: one("Task sequence; secrets it names are in the environment, as PRESTAGE_SECRET_NAME", "FILE"),
  },
  async run(context, flags, file) {
    const written = parseTaskSequenceYaml((await readInputFile(file, "a task sequence")).toString("utf8"));
    const folders = (flags.content ?? []).map((given) => pair(given, "ID=DIR"));
    const needsSite = folders.length > 0 || JSON.stringify(written).includes('"run-task-sequence"');
    const site = needsSite ? await SiteClient.open(context, flags.data) : undefined;
    const root = resolve(flags.root);
    const result = await runLocally({
      sequence: await withChildren(site, written), root, stateFolder: resolve(flags.state ?? `${root}/var/lib/prestage/sequence-run`), signal: context.signal,
      variables: (flags.variable ?? []).map((given) => pair(given, "NAME=VALUE")).map(([name, value]) => ({ name, value })),
      content: new Map(await Promise.all(folders.map(async ([id, folder]) => [id, { content: await definitionOf(site, id), folder: await existing(folder) }] as const))),
      secret: (name) => process.env[`PRESTAGE_SECRET_${name}`],
      log: (line) => void (flags.json === true ? undefined : context.process.stdout.write(`${line}\n`)),
    });
    print(context, flags.json, result, conclusion(result.result));
    if (result.result !== "succeeded") context.process.exitCode = result.result === "restart" ? 3 : 1;
  },
});

function conclusion(result: "succeeded" | "failed" | "restart"): string {
  return result === "succeeded" ? "The sequence succeeded." : result === "failed" ? "The sequence failed." : "Restart this computer, then run the same command: the sequence goes on with the next step.";
}

function pair(given: string, form: string): [string, string] {
  const at = given.indexOf("=");
  if (at < 1) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected ${form}; found ${JSON.stringify(given)}.`);
  return [given.slice(0, at), given.slice(at + 1)];
}

async function existing(folder: string): Promise<string> {
  const path = resolve(folder);
  if (!(await stat(path).then((status) => status.isDirectory(), () => false))) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a folder at ${path}; found none.`);
  return path;
}

async function definitionOf(site: SiteClient | undefined, id: string): Promise<PolicyContent> {
  const objects = await site?.call("GET", "/objects", contract.objectListSchema);
  const object = objects?.find((found) => found.id === id);
  if (object === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected an object ${id} at the site; found none. List them with \`prestage package list\` and \`prestage application list\`.`);
  const definition: ObjectDefinition = object.definition;
  return { objectId: id, kind: object.kind, name: object.name, softwareVersion: object.softwareVersion, revision: object.revision, contentId: object.contentId, storageSha256: "0".repeat(64), storedBytes: object.storedBytes, earlierContentIds: [], definition };
}

