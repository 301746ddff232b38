import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript } from "../windows/powershell.ts";
import type { PowerShellValue } from "../windows/powershell.ts";
import { flagSchema } from "./settings.ts";
import { noStore, storeSetting, windowsStore } from "./state-store-setting.ts";
import { defineStepType } from "./step-definition.ts";

const groupName = z.string().regex(/^[^\p{Cc}\\/:*?"<>|,;=+[\]@]{1,256}$/u, "a group's name");
const groups = z.array(groupName).max(1000).optional().describe("These only; left out: all");
const raw = (text: string): PowerShellValue => ({ raw: text });
const quiet = (call: string): string => `${call} | ${cmdlet("Out-Null")}`;

/** Which users are in which local groups (MDT's Capture Groups). */
export const captureLocalGroupsStep = defineStepType({
  type: "capture-local-groups",
  title: "Capture local groups",
  reference: ["MDT Capture Groups"],
  summary: "Keeps in OSDStateStorePath which users are in which local groups: on Linux local users with numbers from 1000 to 59999, on Windows local users and those of a directory. In the boot environment it is the Linux on the data volume.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  environmentsOnWindows: ["installed"],
  settings: z.strictObject({ store: storeSetting, groups }),
  variables: { store: "OSDStateStorePath" },
  again: "The list is written beside, and takes the former one's place.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE"],
  windows: ({ store, groups: chosen }, { work }) => {
    const folder = windowsStore(store);
    if (folder === undefined) return noStore;
    const place = `${folder}\\local-groups`;
    const members = cmdlet("Get-LocalGroupMember", { Name: raw("$group.Name"), ErrorAction: "Continue" });
    const file = `(${cmdlet("Join-Path", { Path: place, ChildPath: raw("$group.Name") })})`;
    const kept = `${members} | ${cmdlet("Select-Object", { Property: raw("'Name', 'SID', 'PrincipalSource'") })} | ${cmdlet("Export-Csv", { Path: raw(file), NoTypeInformation: true, Encoding: "UTF8" })}`;
    const all = chosen === undefined ? [cmdlet("Get-LocalGroup")] : chosen.map((name) => cmdlet("Get-LocalGroup", { Name: name, ErrorAction: "Continue" }));
    return {
      files: [{ name: "local-groups.ps1", content: powerShellScript([quiet(cmdlet("New-Item", { Path: place, ItemType: "Directory", Force: true })), ...all.map((some) => `foreach ($group in @(${some})) { ${kept} }`)]) }],
      commands: [powerShellFile(`${work}\\local-groups.ps1`, [], "keeping who is in which local group")],
    };
  },
  example: `- name: Who is in which group
  type: capture-local-groups
  with: { groups: [sudo, docker] }`,
});

/** Puts users back into local groups (MDT's Restore Groups). */
export const restoreLocalGroupsStep = defineStepType({
  type: "restore-local-groups",
  title: "Restore local groups",
  reference: ["MDT Restore Groups"],
  summary: "Puts users into the local groups they were in, as capture-local-groups has kept it. Who is no user here is left out, and said; nobody is taken out of a group.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ store: storeSetting, groups, createGroups: flagSchema.default(true).describe("Make groups that are not there") }),
  variables: { store: "OSDStateStorePath" },
  again: "Who is in the group already stays in it.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED", "PRESTAGE_DISK_PROGRAM_FAILED"],
  windows: ({ store, groups: chosen, createGroups }, { work }) => {
    const folder = windowsStore(store);
    if (folder === undefined) return noStore;
    const place = `${folder}\\local-groups`;
    const of = raw("$file.Name");
    const make = `if (-not (${cmdlet("Get-LocalGroup", { Name: of, ErrorAction: "SilentlyContinue" })})) { ${quiet(cmdlet("New-LocalGroup", { Name: of }))} }`;
    // An account of the old computer is known by its name, one of a directory by its number.
    const local = cmdlet("Add-LocalGroupMember", { Group: of, Member: raw(`(${cmdlet("Split-Path", { Path: raw("$member.Name"), Leaf: true })})`), ErrorAction: "Continue" });
    const other = cmdlet("Add-LocalGroupMember", { Group: of, Member: raw("$member.SID"), ErrorAction: "Continue" });
    const each = `foreach ($member in @(${cmdlet("Import-Csv", { Path: raw("$file.FullName"), Encoding: "UTF8" })})) { if ($member.PrincipalSource -eq 'Local') { ${local} } else { ${other} } }`;
    const found = chosen === undefined ? [cmdlet("Get-ChildItem", { Path: place, File: true })] : chosen.map((name) => cmdlet("Get-ChildItem", { Path: place, Filter: name, File: true }));
    return {
      files: [{ name: "local-groups.ps1", content: powerShellScript(found.map((some) => `foreach ($file in @(${some})) { ${createGroups ? `${make}; ` : ""}${each} }`)) }],
      commands: [powerShellFile(`${work}\\local-groups.ps1`, [], "putting users back into local groups")],
    };
  },
  example: `- name: Back into their groups
  type: restore-local-groups`,
});
