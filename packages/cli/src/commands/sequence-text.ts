import { writeFile } from "node:fs/promises";
import * as contract from "@prestage/contract";
import { appliedPlatform, contentReferences, diffSequences, lintSequence, mergeChildren, parseTaskSequenceYaml, taskSequenceJsonSchema } from "@prestage/sequence";
import type { LintFinding, LintKnowledge, TaskSequence } from "@prestage/sequence";
import { z } from "zod";
import { command, flag, jsonFlag, one, optionalText, siteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { counted, print } from "../output.ts";
import { withRevisionLine } from "../revision-line.ts";
import { SiteClient } from "../site-client.ts";
import { exportContent } from "./content-transfer.ts";

const template = `# yaml-language-server: $schema=./task-sequence.schema.json
# Completion in editors: prestage sequence schema -o task-sequence.schema.json
# Every step and setting: docs/task-sequences.md
name: Deploy
steps:
  # A disk that holds prestaged media is never partitioned.
  - name: Partition the disk
    type: partition-disk
    when: { variable: _SMSTSMediaType, notEquals: OEMMedia }
  - name: Apply the system
    type: apply-os-image
    with: { osImage: ABC00003, index: 1 }          # prestage os-image list
  - name: Set up
    type: set-up-operating-system
    with: { computerName: "%OSDComputerName%" }
  - name: Restart
    type: restart
    with: { to: installed }
  - name: In the new system
    type: group
    steps:
      - name: Tools
        type: install-application
        with: { application: ABC00004 }            # prestage application list
        retry: { times: 2, delaySeconds: 60 }
      - name: Time zone
        type: run-command-line
        with: { command: timedatectl set-timezone Europe/Berlin }
        continueOnError: true
`;

export const newSequence = command<{ output?: string; json?: boolean }>({
  brief: "Print a task sequence to begin with",
  example: "prestage sequence new -o deploy.yaml",
  parameters: { aliases: { o: "output" }, flags: { output: optionalText("Write it to this file, which must not be there", "FILE"), ...jsonFlag } },
  async run(context, flags) {
    if (flags.output === undefined) return print(context, flags.json, { yaml: template }, template.trimEnd());
    await writeNew(flags.output, template);
    print(context, flags.json, { file: flags.output }, flags.output);
  },
});

export const schemaCommand = command<{ output?: string; json?: boolean }>({
  brief: "Print the JSON Schema of task sequences, for completion in editors",
  example: "prestage sequence schema -o task-sequence.schema.json",
  parameters: { aliases: { o: "output" }, flags: { output: optionalText("Write it to this file", "FILE"), ...jsonFlag } },
  async run(context, flags) {
    const text = JSON.stringify(taskSequenceJsonSchema(), null, 2);
    if (flags.output === undefined) return void context.process.stdout.write(`${text}\n`);
    await writeFile(flags.output, `${text}\n`);
    print(context, flags.json, { file: flags.output }, `${flags.output}: put \`# yaml-language-server: $schema=./${flags.output}\` at the head of a sequence`);
  },
});

export const lintCommand = command<{ media?: string; strict?: boolean; offline?: boolean; data?: string; json?: boolean }, [string]>({
  brief: "Look for what is wrong with a task sequence before a computer finds out. Exit code: 0 no error, 1 errors (with --strict also warnings)",
  example: "prestage sequence lint deploy.yaml\nprestage sequence lint ABC00006 --media 3f9a61c2d07be145 --strict",
  parameters: {
    flags: { media: optionalText("Check it with this media: unattended, prestart, architecture, dates, management points", "ID"), strict: flag("Warnings fail as well"), offline: flag("Ask no site: content is not looked for"), ...siteFlags },
    positional: one("Task sequence: a file, or its id at the site", "FILE|ID"),
  },
  async run(context, flags, given) {
    const site = flags.offline === true ? undefined : await SiteClient.open(context, flags.data).catch((cause: unknown) => {
      // A file can be looked at without a site; what only a site knows needs one.
      if (/^[A-Z0-9]{3}[0-9A-F]{5}$/.test(given) || flags.media !== undefined) throw cause;
      return undefined;
    });
    const yaml = /^[A-Z0-9]{3}[0-9A-F]{5}$/.test(given) ? (await requireSite(site).call("GET", `/task-sequences/${given}`, contract.sequenceRecordSchema)).yaml : (await readInputFile(given, "a task sequence")).toString("utf8");
    const sequence = await withChildren(site, parseTaskSequenceYaml(yaml));
    const findings = lintSequence(sequence, site === undefined ? {} : await knowledge(site, sequence, flags.media));
    const failed = findings.filter((finding) => finding.level === "error" || (flags.strict === true && finding.level === "warning")).length;
    print(context, flags.json, { findings }, findings.length === 0 ? `${given}: nothing found` : findings.map(text).join("\n"));
    if (failed === 0) return;
    context.process.exitCode = 1;
    if (flags.json !== true) context.process.stderr.write(`${given}: ${counted(failed, "finding")} to correct${site === undefined ? "; no site was asked for content" : ""}\n`);
  },
});

export const diffCommand = command<{ data?: string; json?: boolean }, [string, string]>({
  brief: "Say what a newer task sequence does otherwise, step by step; steps are the same where their ids are. Exit code: 0 nothing, 1 something",
  example: "prestage sequence diff deploy-1.yaml deploy.yaml\nprestage sequence diff ABC00006 deploy.yaml",
  parameters: {
    flags: { ...siteFlags },
    positional: { kind: "tuple", parameters: [{ parse: String, brief: "The older one: a file, or its id at the site", placeholder: "OLDER" }, { parse: String, brief: "The newer one", placeholder: "NEWER" }] },
  },
  async run(context, flags, older, newer) {
    const read = async (given: string) => parseTaskSequenceYaml(/^[A-Z0-9]{3}[0-9A-F]{5}$/.test(given) ? (await (await SiteClient.open(context, flags.data)).call("GET", `/task-sequences/${given}`, contract.sequenceRecordSchema)).yaml : (await readInputFile(given, "a task sequence")).toString("utf8"));
    const found = diffSequences(await read(older), await read(newer));
    const shown = (value: unknown) => (value === undefined ? "nothing" : JSON.stringify(value));
    const lines = [
      ...found.changes.map(({ what, from, to }) => `changed  ${what}: ${shown(from)} -> ${shown(to)}`),
      ...found.steps.flatMap(({ kind, at, changes }) => [`${kind.padEnd(8)} ${at.join(" / ")}`, ...changes.map(({ what, from, to }) => `           ${what}: ${shown(from)} -> ${shown(to)}`)]),
    ];
    print(context, flags.json, found, lines.length === 0 ? "no differences" : lines.join("\n"));
    if (lines.length > 0) context.process.exitCode = 1;
  },
});

export const exportCommand = command<{ output?: string; content?: string; data?: string; json?: boolean }, [string]>({
  brief: "Write a task sequence as it was added, comments and all; with --content also what its steps name, in one signed file for another site",
  example: "prestage sequence export ABC00006 -o deploy.yaml --content deploy-content.wim",
  parameters: {
    aliases: { o: "output" },
    flags: { output: optionalText("Write it to this file, which must not be there", "FILE"), content: optionalText("Write its content there, as `prestage content export` does", "FILE"), ...siteFlags },
    positional: one("Task sequence", "ID"),
  },
  async run(context, flags, id) {
    const site = await SiteClient.open(context, flags.data);
    const record = await site.call("GET", `/task-sequences/${encodeURIComponent(id)}`, contract.sequenceRecordSchema);
    const ids = contentReferences(await withChildren(site, parseTaskSequenceYaml(record.yaml))).map((reference) => reference.objectId);
    if (flags.content !== undefined && ids.length === 0) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected content that ${id} names; it names none. Leave --content out.`);
    const exported = flags.content === undefined ? undefined : await exportContent(site, ids, flags.content, false);
    if (flags.output === undefined) return print(context, flags.json, { id: record.id, yaml: record.yaml, ...(exported && { content: exported }) }, withRevisionLine(record).trimEnd());
    await writeNew(flags.output, withRevisionLine(record));
    print(context, flags.json, { file: flags.output, ...(exported && { content: exported }) }, [flags.output, ...(exported === undefined ? [] : [flags.content ?? ""])].join("\n"));
  },
});

/** What lint finds in a text, as people read it; how much of it is more than a note. */
export async function lintFindings(site: SiteClient, yaml: string): Promise<{ lines: string[]; serious: number }> {
  const sequence = await withChildren(site, parseTaskSequenceYaml(yaml));
  const findings = lintSequence(sequence, await knowledge(site, sequence, undefined));
  return { lines: findings.map(text), serious: findings.filter((finding) => finding.level !== "note").length };
}

/** The sequence with its children's steps in it, as a computer gets it. @throws SequenceError PRESTAGE_SEQUENCE_CHILD */
export async function withChildren(site: SiteClient | undefined, sequence: TaskSequence): Promise<TaskSequence> {
  return mergeChildren(sequence, async (id) => {
    const records = site === undefined ? [] : await site.call("GET", "/task-sequences", z.array(contract.sequenceRecordSchema));
    const found = records.find((record) => record.id === id);
    return found && parseTaskSequenceYaml(found.yaml);
  });
}

/** What a site knows that the text does not, and a sequence is checked with. */
export async function knowledge(site: SiteClient, sequence: TaskSequence, media: string | undefined): Promise<LintKnowledge> {
  const objects = await site.call("GET", "/objects", contract.objectListSchema);
  const platform = appliedPlatform(sequence, (id) => {
    const definition = objects.find((object) => object.id === id)?.definition;
    return definition?.kind === "os-image" ? definition.platform : undefined;
  });
  const secrets = (await site.call("GET", "/secrets", z.array(contract.secretRecordSchema))).map(({ name }) => name);
  const contentFaults = new Map((await site.call("GET", "/content/faults", z.array(contract.contentFaultSchema))).map((fault) => [fault.objectId, fault]));
  const devices = await site.call("GET", "/devices", z.array(contract.deviceSchema));
  const computerModels = devices.map(({ attributes }) => attributes["model"]).filter((model) => typeof model === "string" && model !== "") as string[];
  const collections = await site.call("GET", "/collections", z.array(contract.collectionSchema));
  const given = [...devices, ...collections].flatMap(({ variables }) => variables);
  const known: LintKnowledge = { secrets, contentFaults, computerModels, given, objects: new Map(objects.map((object) => [object.id, contract.lintedObject(object)])), ...(platform !== undefined && { platform }) };
  if (media === undefined) return known;
  const { manifest, validTo } = await site.call("GET", `/media/${encodeURIComponent(media)}`, contract.mediaRecordSchema);
  const { managementPoints } = await site.call("GET", "/site", contract.siteSchema);
  return { ...known, now: new Date(), managementPoints, media: { validTo: validTo ?? undefined, managementPoints: manifest.managementPoints.urls, unattended: manifest.unattended, variables: manifest.variables.map(({ name }) => name), prestartCommand: manifest.prestart?.command, prestartPackage: manifest.prestart?.package, architecture: manifest.architecture } };
}

function text({ rule, level, step, message, fix }: LintFinding): string {
  const where = step === undefined ? "" : `${[...step.path, step.name].join(" / ")}: `;
  return `${level.padEnd(7)} ${where}${message}\n        ${fix} (${rule})`;
}

function requireSite(site: SiteClient | undefined): SiteClient {
  if (site === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected a file with --offline; found an id, which only a site knows.");
  return site;
}

async function writeNew(path: string, content: string): Promise<void> {
  await writeFile(path, content, { flag: "wx" }).catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST") throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected no file at ${path}; there is one, and it is left as it is.`, { cause });
    throw cause;
  });
}
