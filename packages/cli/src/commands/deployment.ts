import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags, text } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { computersText, deploymentText, settingsFlags, settingsOf } from "../deployment-settings.ts";
import type { SettingsFlags } from "../deployment-settings.ts";
import { print, table } from "../output.ts";
import { readSecrets, secretFlags, sendSecrets } from "../secret-flags.ts";
import type { SecretFlags } from "../secret-flags.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";

const oneId = (brief: string) => one(brief, "ID");

const makeAvailableTo = { kind: "enum", values: ["Clients", "ClientsMediaAndPxe", "MediaAndPxe", "MediaAndPxeHidden"], brief: "Make available to" } as const;
const purpose = { kind: "enum", values: ["available", "required"], brief: "available: asks; required: runs" } as const;
const availableFrom = optionalText("Offered from then on, RFC 3339, such as 2026-12-01T08:00:00+01:00; now: at once", "TIME");
const expires = optionalText("Not offered any more from then on; what runs goes on. never: without end", "TIME");
function times(flags: { availableFrom?: string; expires?: string }): { availableFrom?: string | null; expires?: string | null } {
  return { ...(flags.availableFrom !== undefined && { availableFrom: flags.availableFrom === "now" ? null : flags.availableFrom }), ...(flags.expires !== undefined && { expires: flags.expires === "never" ? null : flags.expires }) };
}
/** What is agreed to with a required deployment of an operating system. */
const agreements = {
  largeCollection: flag("All computers of a collection larger than the site's default size are meant (a required deployment of an operating system)"),
  siteSystems: flag("So are computers the site itself runs on, where the site only warns of them"),
};
type Agreements = { largeCollection?: boolean; siteSystems?: boolean };
function agreed(flags: Agreements): Agreements {
  return { ...(flags.largeCollection === true && { largeCollection: true }), ...(flags.siteSystems === true && { siteSystems: true }) };
}
type MakeAvailableTo = contract.MakeAvailableTo;
type Purpose = "available" | "required";

function deploymentRow(d: contract.Deployment): string[] {
  return [d.id, `${d.taskSequenceName} (${d.taskSequenceId})`, d.collectionId ?? d.deviceId ?? "", d.purpose, d.makeAvailableTo, d.enabled ? "yes" : "no", d.availableFrom ?? "", d.expires ?? "", computersText(d.computers)];
}

/** How a run ended, or goes on. */
export function runText(run: contract.RunRecord): string {
  return run.outcome ?? (run.finished !== null ? "ended" : run.overdue ? `overdue: longer than ${run.maximumMinutes} minutes` : "running");
}

export const deploymentRoutes = buildRouteMap({
  docs: { brief: "Deployments: create, set, show, list, runs" },
  routes: {
    create: command<SiteFlags & SecretFlags & Agreements & SettingsFlags & { debug?: boolean;  taskSequence: string; collection?: string; device?: string; purpose: Purpose; makeAvailableTo: MakeAvailableTo; comment?: string; secretsToPassword?: boolean; availableFrom?: string; expires?: string }>({
      brief: "Deploy a task sequence to a collection or a device",
      example: "prestage deployment create --task-sequence ABC00007 --collection ABC00002 --purpose required --make-available-to MediaAndPxe\nprestage deployment create --task-sequence ABC00007 --collection ABC00010 --purpose required --assignment '2026-12-01T20:00:00Z every 2 weeks' --rerun if-failed",
      parameters: {
        flags: {
          ...siteFlags, taskSequence: text("Task sequence", "ID"), collection: optionalText("Collection it goes to", "ID"), device: optionalText("Device it goes to", "GUID"),
          purpose: { ...purpose, default: "available" }, makeAvailableTo: { ...makeAvailableTo, default: "ClientsMediaAndPxe" }, comment: optionalText("Shown beside the choice at the computer", "TEXT"),
          availableFrom, expires, ...settingsFlags, debug: flag("The run holds before each step in the debugger; to few computers, and not beside a normal deployment"), ...agreements,
          secretsToPassword: flag("Give its secrets to computers let in by the media password alone, too"), ...secretFlags,
        },
      },
      async run(context, flags) {
        const body = {
          taskSequenceId: objectId(flags.taskSequence), purpose: flags.purpose, makeAvailableTo: flags.makeAvailableTo,
          ...(flags.collection && { collectionId: objectId(flags.collection) }), ...(flags.device && { deviceId: flags.device }), ...(flags.comment && { comment: flags.comment }),
          secretsToPassword: flags.secretsToPassword ?? false, debug: flags.debug ?? false, ...times(flags), ...settingsOf(flags), ...agreed(flags),
        };
        const client = await SiteClient.open(context, flags.data);
        const secrets = await readSecrets(context, flags);
        const { id } = await client.call("POST", "/deployments", contract.deploymentSchema, body);
        await sendSecrets(client, "deployment", id, secrets);
        const made = await client.call("GET", `/deployments/${id}`, contract.deploymentSchema);
        print(context, flags.json, made, deploymentText(made));
      },
    }),
    set: command<SiteFlags & SecretFlags & Agreements & SettingsFlags & { purpose?: Purpose; makeAvailableTo?: MakeAvailableTo; enabled?: "yes" | "no"; secretsToPassword?: "yes" | "no"; availableFrom?: string; expires?: string }, [string]>({
      brief: "Change a deployment; effective at a device's next request",
      example: "prestage deployment set ABC00009 --make-available-to MediaAndPxeHidden --expires 2026-12-31T18:00:00+01:00",
      parameters: { flags: { ...siteFlags, purpose: { ...purpose, optional: true }, makeAvailableTo: { ...makeAvailableTo, optional: true }, enabled: { kind: "enum", values: ["yes", "no"], optional: true, brief: "Whether it is offered at all" }, availableFrom, expires, ...settingsFlags, ...agreements, secretsToPassword: { kind: "enum", values: ["yes", "no"], optional: true, brief: "Whether its secrets go to computers let in by the media password alone, too" }, ...secretFlags }, positional: oneId("Deployment") },
      async run(context, flags, id) {
        const body = { ...(flags.purpose && { purpose: flags.purpose }), ...(flags.makeAvailableTo && { makeAvailableTo: flags.makeAvailableTo }), ...(flags.enabled && { enabled: flags.enabled === "yes" }), ...(flags.secretsToPassword && { secretsToPassword: flags.secretsToPassword === "yes" }), ...times(flags), ...settingsOf(flags), ...agreed(flags) };
        const client = await SiteClient.open(context, flags.data);
        await sendSecrets(client, "deployment", objectId(id), await readSecrets(context, flags));
        const changed = await client.call("PATCH", `/deployments/${objectId(id)}`, contract.deploymentSchema, body);
        print(context, flags.json, changed, deploymentText(changed));
      },
    }),
    show: command<SiteFlags, [string]>({
      brief: "Show a deployment",
      example: "prestage deployment show ABC00009",
      parameters: { flags: siteFlags, positional: oneId("Deployment") },
      async run(context, flags, id) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/deployments/${objectId(id)}`, contract.deploymentSchema);
        print(context, flags.json, found, deploymentText(found));
      },
    }),
    runs: command<SiteFlags, [string]>({
      brief: "List the runs of a deployment, newest first: which computers, how they ended, which take longer than they should",
      example: "prestage deployment runs ABC00009",
      parameters: { flags: siteFlags, positional: oneId("Deployment") },
      async run(context, flags, id) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/runs?deploymentId=${objectId(id)}`, z.array(contract.runSchema));
        print(context, flags.json, found, table(["COMPUTER", "STARTED", "ENDED", "OUTCOME"], found.map((run) => [run.deviceName, run.started, run.finished ?? "-", runText(run)])));
      },
    }),
    list: command<SiteFlags>({
      brief: "List the deployments",
      example: "prestage deployment list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/deployments", z.array(contract.deploymentSchema));
        print(context, flags.json, found, table(["ID", "TASK SEQUENCE", "TO", "PURPOSE", "MAKE AVAILABLE TO", "ENABLED", "FROM", "UNTIL", "COMPUTERS"], found.map(deploymentRow)));
      },
    }),
  },
});
