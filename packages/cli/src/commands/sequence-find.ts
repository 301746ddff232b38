import * as contract from "@prestage/contract";
import { parseTaskSequenceYaml } from "@prestage/sequence";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags, text } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { CliError } from "../error.ts";
import { findScopes, findSteps } from "../find-steps.ts";
import type { FindScope } from "../find-steps.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";

export const findCommand = command<SiteFlags & { scope?: readonly FindScope[]; sequence?: string; continueOnError?: boolean; withConditions?: boolean }, [string]>({
  brief: "Find the steps and groups of the site's task sequences in which a text stands, in any letter case",
  example: "prestage sequence find OSDComputerName --scope variable --scope condition",
  parameters: {
    flags: {
      ...siteFlags,
      scope: { kind: "enum", values: findScopes, optional: true, variadic: true, brief: "Look there alone; may be repeated" },
      sequence: optionalText("In this sequence alone", "ID"),
      continueOnError: flag("Only steps and groups that go on after an error"), withConditions: flag("Only those with conditions"),
    },
    positional: one('What to look for; "" with a filter finds all it lets through', "TEXT"),
  },
  async run(context, flags, sought) {
    const all = await (await SiteClient.open(context, flags.data)).call("GET", "/task-sequences", z.array(contract.sequenceRecordSchema));
    const only = flags.sequence === undefined ? undefined : objectId(flags.sequence);
    if (only !== undefined && !all.some((record) => record.id === only)) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a task sequence ${only}; the site has none. \`prestage sequence list\` says which there are.`);
    const filter = { ...(flags.continueOnError === true && { continueOnError: true }), ...(flags.withConditions === true && { withConditions: true }) };
    const found = all.filter((record) => only === undefined || record.id === only).flatMap(({ id, name, yaml }) => findSteps(parseTaskSequenceYaml(yaml), sought, flags.scope ?? findScopes, filter).map((step) => ({ sequenceId: id, sequenceName: name, ...step })));
    print(context, flags.json, found, table(["SEQUENCE", "STEP", "TYPE", "FOUND IN"], found.map((step) => [`${step.sequenceName} (${step.sequenceId})`, [...step.path, step.name].join(" / "), step.type, step.scopes.join(", ")])));
    if (found.length === 0) context.process.exitCode = 1;
  },
});

/** The text of a sequence under another name. @throws CliError where its name is not a line of its own */
export function renamed(yaml: string, name: string): string {
  const text = yaml.replace(/^id:.*\n/m, "").replace(/^name:.*$/m, () => `name: ${JSON.stringify(name)}`);
  if (parseTaskSequenceYaml(text).name !== name) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", "Expected the sequence's name on a line of its own; found it otherwise. Export the text, change the name, and add it.");
  return text;
}

export const copyCommand = command<SiteFlags & { name: string }, [string]>({
  brief: "Make a task sequence like one there is, under another name",
  example: "prestage sequence copy ABC00007 --name 'Deploy Debian, kiosks'",
  parameters: { flags: { ...siteFlags, name: text("The new one's name", "NAME") }, positional: one("Task sequence", "ID") },
  async run(context, flags, id) {
    const site = await SiteClient.open(context, flags.data);
    const all = await site.call("GET", "/task-sequences", z.array(contract.sequenceRecordSchema));
    const taken = all.find((record) => record.name === flags.name);
    if (taken !== undefined) throw new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected a name no task sequence has; ${taken.id} is called ${flags.name} already.`);
    const from = await site.call("GET", `/task-sequences/${objectId(id)}`, contract.sequenceRecordSchema);
    const made = await site.call("POST", "/task-sequences", contract.sequenceRecordSchema, { yaml: renamed(from.yaml, flags.name) });
    print(context, flags.json, made, `${made.id}  ${made.name}, revision ${made.revision}`);
  },
});
