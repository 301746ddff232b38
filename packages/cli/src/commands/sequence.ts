import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, one, optionalText, siteFlags } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { readInputFile } from "../input-file.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";
import { importCommand } from "./sequence-import.ts";
import { simulateCommand } from "./sequence-simulate.ts";
import { diffCommand, lintCommand, newSequence, schemaCommand } from "./sequence-text.ts";

const oneId = (brief: string) => one(brief, "ID");

export const sequenceRoutes = buildRouteMap({
  docs: { brief: "Task sequences: new, lint, simulate, diff, import, schema, add, list, show" },
  routes: {
    new: newSequence,
    lint: lintCommand,
    schema: schemaCommand,
    simulate: simulateCommand,
    diff: diffCommand,
    import: importCommand,
    add: command<SiteFlags & { update?: string }, [string]>({
      brief: "Add a task sequence from a YAML file, or a revision of one",
      example: "prestage sequence add deploy-debian.yaml",
      parameters: { flags: { ...siteFlags, update: optionalText("Add a revision to this sequence", "ID") }, positional: one("Task sequence", "FILE") },
      async run(context, flags, file) {
        const body = { yaml: (await readInputFile(file, "a task sequence")).toString("utf8"), ...(flags.update && { update: objectId(flags.update) }) };
        const record = await (await SiteClient.open(context, flags.data)).call("POST", "/task-sequences", contract.sequenceRecordSchema, body);
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
