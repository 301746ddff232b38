import { readFile } from "node:fs/promises";
import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { z } from "zod";
import { command, flag, one, optionalText, siteFlags, text, texts, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";
import { objectId } from "./import.ts";
import { variables } from "./variables.ts";

const oneId = (brief: string) => one(brief, "ID");

export const sequenceRoutes = buildRouteMap({
  docs: { brief: "Task sequences: add, list, show" },
  routes: {
    add: command<SiteFlags & { update?: string }, [string]>({
      brief: "Add a task sequence from a YAML file, or a revision of one",
      example: "prestage sequence add deploy-debian.yaml",
      parameters: { flags: { ...siteFlags, update: optionalText("Add a revision to this sequence", "ID") }, positional: one("Task sequence", "FILE") },
      async run(context, flags, file) {
        const body = { yaml: await readFile(file, "utf8"), ...(flags.update && { update: objectId(flags.update) }) };
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

const makeAvailableTo = { kind: "enum", values: ["Clients", "ClientsMediaAndPxe", "MediaAndPxe", "MediaAndPxeHidden"], brief: "Make available to" } as const;
const purpose = { kind: "enum", values: ["available", "required"], brief: "available: asks; required: runs" } as const;
type MakeAvailableTo = contract.MakeAvailableTo;
type Purpose = "available" | "required";

function deploymentText(d: contract.Deployment): string {
  return table(["ID", "TASK SEQUENCE", "TO", "PURPOSE", "MAKE AVAILABLE TO", "ENABLED"], [deploymentRow(d)]);
}
function deploymentRow(d: contract.Deployment): string[] {
  return [d.id, `${d.taskSequenceName} (${d.taskSequenceId})`, d.collectionId ?? d.deviceId ?? "", d.purpose, d.makeAvailableTo, d.enabled ? "yes" : "no"];
}

export const deploymentRoutes = buildRouteMap({
  docs: { brief: "Deployments: create, set, show, list" },
  routes: {
    create: command<SiteFlags & { taskSequence: string; collection?: string; device?: string; purpose: Purpose; makeAvailableTo: MakeAvailableTo; comment?: string }>({
      brief: "Deploy a task sequence to a collection or a device",
      example: "prestage deployment create --task-sequence ABC00007 --collection ABC00001 --purpose required --make-available-to MediaAndPxe",
      parameters: {
        flags: {
          ...siteFlags, taskSequence: text("Task sequence", "ID"), collection: optionalText("Collection it goes to", "ID"), device: optionalText("Device it goes to", "GUID"),
          purpose: { ...purpose, default: "available" }, makeAvailableTo: { ...makeAvailableTo, default: "ClientsMediaAndPxe" }, comment: optionalText("Shown beside the choice at the computer", "TEXT"),
        },
      },
      async run(context, flags) {
        const body = {
          taskSequenceId: objectId(flags.taskSequence), purpose: flags.purpose, makeAvailableTo: flags.makeAvailableTo,
          ...(flags.collection && { collectionId: objectId(flags.collection) }), ...(flags.device && { deviceId: flags.device }), ...(flags.comment && { comment: flags.comment }),
        };
        const made = await (await SiteClient.open(context, flags.data)).call("POST", "/deployments", contract.deploymentSchema, body);
        print(context, flags.json, made, deploymentText(made));
      },
    }),
    set: command<SiteFlags & { purpose?: Purpose; makeAvailableTo?: MakeAvailableTo; enabled?: "yes" | "no" }, [string]>({
      brief: "Change a deployment; effective at a device's next request",
      example: "prestage deployment set ABC00009 --make-available-to MediaAndPxeHidden",
      parameters: { flags: { ...siteFlags, purpose: { ...purpose, optional: true }, makeAvailableTo: { ...makeAvailableTo, optional: true }, enabled: { kind: "enum", values: ["yes", "no"], optional: true, brief: "Whether it is offered at all" } }, positional: oneId("Deployment") },
      async run(context, flags, id) {
        const body = { ...(flags.purpose && { purpose: flags.purpose }), ...(flags.makeAvailableTo && { makeAvailableTo: flags.makeAvailableTo }), ...(flags.enabled && { enabled: flags.enabled === "yes" }) };
        const changed = await (await SiteClient.open(context, flags.data)).call("PATCH", `/deployments/${objectId(id)}`, contract.deploymentSchema, body);
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
    list: command<SiteFlags>({
      brief: "List the deployments",
      example: "prestage deployment list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/deployments", z.array(contract.deploymentSchema));
        print(context, flags.json, found, table(["ID", "TASK SEQUENCE", "TO", "PURPOSE", "MAKE AVAILABLE TO", "ENABLED"], found.map(deploymentRow)));
      },
    }),
  },
});

export const collectionRoutes = buildRouteMap({
  docs: { brief: "Collections: create, list" },
  routes: {
    create: command<SiteFlags & { name: string; member?: readonly string[]; variable?: readonly string[] }>({
      brief: "Make a collection of devices",
      example: "prestage collection create --name Kiosks --member GUID --variable OSDComputerName=KIOSK",
      parameters: { flags: { ...siteFlags, name: text("Name", "NAME"), member: texts("A device in it; may be repeated", "GUID"), variable: texts("A variable of its devices; may be repeated", "NAME=VALUE") } },
      async run(context, flags) {
        const body = { name: flags.name, members: flags.member ?? [], variables: variables(flags.variable) };
        const made = await (await SiteClient.open(context, flags.data)).call("POST", "/collections", z.object({ id: z.string() }), body);
        print(context, flags.json, made, made.id);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the collections",
      example: "prestage collection list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/collections", z.array(contract.collectionSchema));
        print(context, flags.json, found, table(["ID", "NAME", "MEMBERS"], found.map((c) => [c.id, c.name, c.builtIn === null ? String(c.members.length) : "by itself"])));
      },
    }),
  },
});

function deviceTable(devices: readonly contract.Device[]): string {
  return table(
    ["ID", "NAME", "STATE", "CODE", "LAST SEEN", "LAST STATUS"],
    devices.map((d) => [d.id, d.name, d.state, d.approvalCode ?? "-", d.lastSeen ?? "-", d.lastStatus === null ? "-" : `${d.lastStatus.kind}${d.lastStatus.step ? ` (${d.lastStatus.step.name})` : ""}`]),
  );
}

export const deviceRoutes = buildRouteMap({
  docs: { brief: "Devices: add, set, show, list" },
  routes: {
    add: command<SiteFlags & { name: string; smbiosUuid?: string; serialNumber?: string; macAddress?: string; replaces?: string; variable?: readonly string[] }>({
      brief: "Make a record for a computer that is expected",
      example: "prestage device add --name PC-17 --serial-number 5CG1234567",
      parameters: {
        flags: {
          ...siteFlags, name: text("Computer name", "NAME"), smbiosUuid: optionalText("Its SMBIOS UUID", "UUID"), serialNumber: optionalText("Its serial number", "SERIAL"), macAddress: optionalText("A MAC address of it", "MAC"),
          replaces: optionalText("The device whose place it takes", "GUID"), variable: texts("A variable of this device; may be repeated", "NAME=VALUE"),
        },
      },
      async run(context, flags) {
        const body = {
          name: flags.name, variables: variables(flags.variable), ...(flags.smbiosUuid && { smbiosUuid: flags.smbiosUuid }), ...(flags.serialNumber && { serialNumber: flags.serialNumber }),
          ...(flags.macAddress && { macAddress: flags.macAddress.toLowerCase() }), ...(flags.replaces && { replaces: flags.replaces }),
        };
        const made = await (await SiteClient.open(context, flags.data)).call("POST", "/devices", contract.deviceSchema, body);
        print(context, flags.json, made, deviceTable([made]));
      },
    }),
    set: command<SiteFlags & { name?: string; replaces?: string; variable?: readonly string[] }, [string]>({
      brief: "Change a device's name, the device it replaces, or its variables",
      example: "prestage device set GUID --variable OSDComputerName=PC-17",
      parameters: { flags: { ...siteFlags, name: optionalText("Computer name", "NAME"), replaces: optionalText("The device whose place it takes", "GUID"), variable: texts("A variable of this device; may be repeated", "NAME=VALUE") }, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const body = { ...(flags.name && { name: flags.name }), ...(flags.replaces && { replaces: flags.replaces }), ...(flags.variable && { variables: variables(flags.variable) }) };
        const changed = await (await SiteClient.open(context, flags.data)).call("PATCH", `/devices/${id}`, contract.deviceSchema, body);
        print(context, flags.json, changed, deviceTable([changed]));
      },
    }),
    show: command<SiteFlags, [string]>({
      brief: "Show a device",
      example: "prestage device show GUID",
      parameters: { flags: siteFlags, positional: one("Device", "GUID") },
      async run(context, flags, id) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", `/devices/${id}`, contract.deviceSchema);
        print(context, flags.json, found, `${deviceTable([found])}\n\n${JSON.stringify(found.attributes, null, 2)}`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the devices",
      example: "prestage device list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/devices", z.array(contract.deviceSchema));
        print(context, flags.json, found, deviceTable(found));
      },
    }),
  },
});

function decide(decision: "approve" | "refuse", brief: string) {
  return command<SiteFlags & { name?: string }, [string]>({
    brief,
    example: `prestage approval ${decision} K7QX2M`,
    parameters: { flags: { ...siteFlags, name: optionalText("Give the computer this name", "NAME") }, positional: one("The six characters on the computer's screen", "CODE") },
    async run(context, flags, code) {
      const body = { decision, ...(flags.name && { name: flags.name }) };
      const device = await (await SiteClient.open(context, flags.data)).call("POST", `/approvals/${code.toUpperCase()}`, contract.deviceSchema, body);
      print(context, flags.json, device, deviceTable([device]));
    },
  });
}

export const approvalRoutes = buildRouteMap({
  docs: { brief: "Computers waiting for approval: list, approve, refuse" },
  routes: {
    list: command<SiteFlags>({
      brief: "List the computers that wait",
      example: "prestage approval list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/approvals", z.array(contract.deviceSchema));
        print(context, flags.json, found, deviceTable(found));
      },
    }),
    approve: decide("approve", "Let the computer that shows this code in"),
    refuse: decide("refuse", "Turn the computer that shows this code away"),
  },
});

export const distributionPointRoutes = buildRouteMap({
  docs: { brief: "Distribution points: set, remove, list" },
  routes: {
    set: command<SiteFlags & { order: number }, [string]>({
      brief: "Name a distribution point and its place in the order",
      example: "prestage distribution-point set https://dp2.example.com --order 2",
      parameters: { flags: { ...siteFlags, order: { kind: "parsed", parse: wholeNumber, brief: "Lower is tried first", placeholder: "N", default: "1" } }, positional: one("Its URL; content lies below URL/content/", "URL") },
      async run(context, flags, url) {
        await (await SiteClient.open(context, flags.data)).call("PUT", "/distribution-points", z.undefined(), { url, order: flags.order });
        print(context, flags.json, { url, order: flags.order }, `${url} has place ${flags.order}`);
      },
    }),
    remove: command<SiteFlags, [string]>({
      brief: "Stop naming a distribution point",
      example: "prestage distribution-point remove https://dp2.example.com",
      parameters: { flags: siteFlags, positional: one("Its URL", "URL") },
      async run(context, flags, url) {
        await (await SiteClient.open(context, flags.data)).call("DELETE", `/distribution-points?url=${encodeURIComponent(url)}`, z.undefined());
        print(context, flags.json, { removed: url }, `${url} is named no more`);
      },
    }),
    list: command<SiteFlags>({
      brief: "List the distribution points",
      example: "prestage distribution-point list",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const found = await (await SiteClient.open(context, flags.data)).call("GET", "/distribution-points", z.array(contract.distributionPointSchema));
        print(context, flags.json, found, found.length === 0 ? "(the site itself)" : table(["ORDER", "URL"], found.map((p) => [String(p.order), p.url])));
      },
    }),
  },
});

export const statusRoutes = buildRouteMap({
  docs: { brief: "Status messages: list" },
  routes: {
    list: command<SiteFlags & { device?: string; all?: boolean }>({
      brief: "List what devices reported, in order",
      example: "prestage status list --device GUID",
      parameters: { flags: { ...siteFlags, device: optionalText("Only this device", "GUID"), all: flag("Progress messages too") } },
      async run(context, flags) {
        const client = await SiteClient.open(context, flags.data);
        const records: contract.StatusRecord[] = [];
        for (;;) {
          const page = await client.call("GET", `/status?after=${records.at(-1)?.position ?? 0}&limit=1000${flags.device ? `&deviceId=${flags.device}` : ""}`, z.array(contract.statusRecordSchema));
          if (page.length === 0) break;
          records.push(...page);
        }
        const shown = records.filter((record) => flags.all === true || record.message.kind !== "content-fetch-progress");
        const words = (m: contract.StatusMessage) => [m.step?.name, m.outcome, m.content && `${m.content.name}: ${m.content.state}`, m.error && `${m.error.code}: ${m.error.message}`, m.text].filter(Boolean).join(", ");
        print(context, flags.json, shown, table(["TIME", "KIND", "WHERE", "WHAT"], shown.map(({ message: m }) => [m.time, m.kind, m.environment, words(m)])));
      },
    }),
  },
});
