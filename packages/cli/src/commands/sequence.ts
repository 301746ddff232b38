import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { parseTaskSequenceYaml } from "@prestage/sequence";
import { command, flag, one, optionalText, siteFlags, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { readInputFile } from "../input-file.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";
import { copyCommand, findCommand } from "./sequence-find.ts";
import { splitRevisionLine } from "../revision-line.ts";
import { importCommand } from "./sequence-import.ts";
import { simulateCommand } from "./sequence-simulate.ts";
import { runSequenceCommand } from "./sequence-run.ts";
import { diffCommand, exportCommand, lintCommand, lintFindings, newSequence, schemaCommand } from "./sequence-text.ts";

const oneId = (brief: string) => one(brief, "ID");

export const sequenceRoutes = buildRouteMap({
  docs: { brief: "Task sequences: new, lint, simulate, run, diff, find, copy, import, export, schema, add, list, show" },
  routes: {
    new: newSequence,
    lint: lintCommand,
    schema: schemaCommand,
    simulate: simulateCommand,
    diff: diffCommand,
    run: runSequenceCommand,
    import: importCommand,
    export: exportCommand,
    find: findCommand,
    copy: copyCommand,
    add: command<SiteFlags & { update?: string; basedOn?: number; strict?: boolean }, [string]>({
      brief: "Add a task sequence from a YAML file, or a revision of one",
      example: "prestage sequence add deploy-debian.yaml",
      parameters: { flags: { ...siteFlags, update: optionalText("Add a revision to this sequence", "ID"), basedOn: { kind: "parsed", parse: wholeNumber, optional: true, brief: "Only if this is its newest revision, which the text was made from; an exported text says so itself", placeholder: "REVISION" }, strict: flag("Add none in which lint finds errors or warnings") }, positional: one("Task sequence", "FILE") },
      async run(context, flags, file) {
        const site = await SiteClient.open(context, flags.data);
        const { yaml, from } = splitRevisionLine((await readInputFile(file, "a task sequence")).toString("utf8"));
        const findings = await lintFindings(site, yaml);
        if (flags.json !== true) for (const line of findings.lines) context.process.stderr.write(`${line}\n`);
        if (flags.strict === true && findings.serious > 0) throw new CliError("PRESTAGE_CLI_LINT", `Expected a task sequence without errors and warnings; found ${findings.serious}. Nothing was added; \`prestage sequence lint ${file}\` says what.`);
        const named = (await site.call("GET", "/task-sequences", z.array(contract.sequenceRecordSchema))).find((record) => record.name === parseTaskSequenceYaml(yaml).name);
        const update = flags.update === undefined ? named?.id : objectId(flags.update);
        if (flags.basedOn !== undefined && update === undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected --based-on with the sequence it is a revision of; the site has none of this name. Leave it out, or name the sequence: --update ID.");
        // An exported text speaks of the sequence it is of; added to another one, or at another site, it says nothing.
        const basedOn = flags.basedOn ?? (from !== undefined && from.id === update ? from.revision : undefined);
        const body = { yaml, ...(update !== undefined && { update }), ...(update !== undefined && basedOn !== undefined && { basedOn }) };
        const record = await site.call("POST", "/task-sequences", contract.sequenceRecordSchema, body);
        print(context, flags.json, record, `${record.id}  ${record.name}, revision ${record.revision}`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the task sequences",
      example: "prestage sequence list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const records = await (await SiteClient.open(context, flags.data)).call("GET", "/task-sequences", z.array(contract.sequenceRecordSchema));
        print(context, flags.json, records, table(["ID", "NAME", "REVISION", "CREATED"], records.map((r) => [r.id, r.name, String(r.revision), r.created])));
      },
    }),
    show: command<SiteFlags, [string]>({
      brief: "Print a task sequence",
      example: "prestage sequence show ABC00007",
      parameters: { flags: siteFlags, positional: oneId("Task sequence") },
      async run(context, flags, id) {
        const record = await (await SiteClient.open(context, flags.data)).call("GET", `/task-sequences/${objectId(id)}`, contract.sequenceRecordSchema);
        print(context, flags.json, record, record.yaml);
      },
    }),
  },
});
