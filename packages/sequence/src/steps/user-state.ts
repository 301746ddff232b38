import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript } from "../windows/powershell.ts";
import { loadUserState, scanUserState } from "../windows/user-state-tool.ts";
import { flagSchema, referenceSchema } from "./settings.ts";
import { isAbsoluteFolder, localOnWindows, noStore, storeSetting, windowsStore } from "./state-store-setting.ts";
import { defineStepType } from "./step-definition.ts";

const userName = z.string().regex(/^([^\p{Cc}\\/:*?"<>|,;=+[\]@]{1,64}\\)?[^\p{Cc}\\/:*?"<>|,;=+[\]@]{1,64}$/u, "a user's name; on Windows also DOMAIN\\user");
const toolSetting = referenceSchema.optional().describe("Windows: the package of the User State Migration Tool, its folder amd64 at the top");
const rulesSetting = z.array(z.string().max(200).regex(/^[^\p{Cc}\\/:*?"<>|]+\.xml$/iu, "a file's name that ends in .xml")).max(20).default(["MigDocs.xml", "MigApp.xml"]).describe("Windows: the tool's rules, files beside it");
const noTool = "on Windows a package with the User State Migration Tool is named";

/** Request State Store (features.md F257, F258, F262). */
export const requestStateStoreStep = defineStepType({
  type: "request-state-store",
  title: "Request state store",
  reference: ["Request State Store"],
  summary: "Finds the place for users' files and says it in OSDStateStorePath: `local` is beside the deployment on the computer's own disk, where a new system leaves it alone; or a folder, such as one that connect-network-folder has mounted, which is refused while it is not. What `local` still holds when the sequence ends is moved to /var/lib/prestage/user-state, which root alone reads. A store at the site, `site`, fails as long as the site has none.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  environmentsOnWindows: ["installed"],
  settings: z.strictObject({
    action: z.enum(["capture", "restore"]).describe("What it is for; a store to restore from must hold something"),
    store: z.union([z.enum(["local", "site"]), z.string().max(1000).refine((text) => isAbsoluteFolder(text), "local, site or an absolute path")]).default("site").describe("local, site, or a folder of this computer alone"),
  }),
  sets: { OSDStateStorePath: "the folder of the store" },
  again: "The same place is found again.",
  windows: ({ action, store }, { work }) => {
    const folder = windowsStore(store === "local" ? localOnWindows : store);
    if (folder === undefined) return store === "site" ? "the site has no state store yet" : "on Windows the store is a folder such as D:\\Users or \\\\server\\share\\folder";
    const find = action === "capture" ? `${cmdlet("New-Item", { Path: folder, ItemType: "Directory", Force: true })} | ${cmdlet("Out-Null")}` : `if (-not (${cmdlet("Test-Path", { Path: folder, PathType: "Container" })})) { exit 2 }`;
    return { files: [{ name: "state-store.ps1", content: powerShellScript([find]) }], commands: [powerShellFile(`${work}\\state-store.ps1`, [], action === "capture" ? "making the store" : "finding the store")], variables: [{ name: "OSDStateStorePath", value: folder }] };
  },
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED"],
  example: `- name: Where to
  type: request-state-store
  with: { action: capture, store: local }`,
});

/** Capture User State (features.md F257, F264). */
export const captureUserStateStep = defineStepType({
  type: "capture-user-state",
  title: "Capture user state",
  reference: ["Capture User State", "MDT Capture User State"],
  summary: "Copies the homes of a Linux's local users, those with numbers from 1000 to 59999, into one WIM under OSDStateStorePath, an image each, with a list of them and the WIM's SHA-256. In the boot environment it is the system on the data volume. `wimtools` is installed before. On Windows the User State Migration Tool does it, while Windows runs.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  environmentsOnWindows: ["installed"],
  settings: z.strictObject({
    store: storeSetting,
    users: z.array(userName).max(1000).optional().describe("These only; left out: all"),
    exclude: z.array(z.string().min(1).max(500).regex(/^[^\p{Cc}]+$/u, "one line")).max(200).default(["/.cache", "/.local/share/Trash"]).describe("Linux: what stays behind, as a path in the home that begins with / or a name; * and ? stand for anything. On Windows the rules say it"),
    package: toolSetting,
    rules: rulesSetting,
    continueOnErrors: flagSchema.default(false).describe("Windows: files that cannot be read are left out, and the step succeeds"),
    shadowCopy: flagSchema.default(false).describe("Windows: what is open is read from a shadow copy"),
  }),
  variables: { store: "OSDStateStorePath" },
  again: "What was captured is written beside, and takes its place when it is whole and read back. On Windows the tool begins anew.",
  windows: ({ store, users, package: tool, rules, continueOnErrors, shadowCopy }, { folderOf }) => {
    const folder = windowsStore(store);
    if (tool === undefined || folder === undefined) return tool === undefined ? noTool : noStore;
    return { commands: [scanUserState(folderOf(tool), { store: folder, rules, users, continueOnErrors, shadowCopy })] };
  },
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Users' files
  type: capture-user-state
  with: { exclude: [/.cache, "*.iso"] }
- name: Users' files, Windows
  type: capture-user-state
  with: { package: ABC00014, continueOnErrors: true }`,
});

/** Restore User State (features.md F258). */
export const restoreUserStateStep = defineStepType({
  type: "restore-user-state",
  title: "Restore user state",
  reference: ["Restore User State", "MDT Restore User State"],
  summary: "Puts captured homes back, once the WIM was found to be whole. Everything in a home becomes its user's own; what the new system has there already stays, in captured folders too, unless a file of the same name was captured. Devices, sockets and FIFOs are left out. `wimtools` is installed before. On Windows the User State Migration Tool does it.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    store: storeSetting,
    createUsers: flagSchema.default(true).describe("Make users that are not there, without a password; on Windows local accounts, which stay disabled"),
    package: toolSetting,
    rules: rulesSetting,
    continueOnErrors: flagSchema.default(false).describe("Windows: files that cannot be written are left out, and the step succeeds"),
  }),
  variables: { store: "OSDStateStorePath" },
  again: "A home is put together beside and takes the place of the old one at once; one that was done is done again with the same outcome. On Windows the tool begins anew.",
  windows: ({ store, createUsers, package: tool, rules, continueOnErrors }, { folderOf }) => {
    const folder = windowsStore(store);
    if (tool === undefined || folder === undefined) return tool === undefined ? noTool : noStore;
    return { commands: [loadUserState(folderOf(tool), { store: folder, rules, createUsers, continueOnErrors })] };
  },
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Users' files
  type: restore-user-state`,
});

/** Release State Store (features.md F257, F258). */
export const releaseStateStoreStep = defineStepType({
  type: "release-state-store",
  title: "Release state store",
  reference: ["Release State Store"],
  summary: "Ends the use of the store: OSDStateStorePath is no more. It must come after a capture or restore that succeeded. What a `local` store keeps is in /var/lib/prestage/user-state when the sequence has ended; an older one there gets a number behind its name.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({ remove: flagSchema.default(false).describe("Delete what was captured: after a restore; the store must be there"), store: storeSetting }),
  variables: { store: "OSDStateStorePath" },
  setsWith: () => ["OSDStateStorePath"],
  setsTo: () => [{ name: "OSDStateStorePath", value: "" }],
  again: "What is deleted already is no error.",
  windows: ({ remove, store }, { work }) => {
    const folder = windowsStore(store);
    if (remove && folder === undefined) return noStore;
    // What the tool wrote, and the groups beside it: a folder that somebody else made stays.
    const remains = remove && folder !== undefined ? ["USMT", "local-groups"].map((name) => `if (${cmdlet("Test-Path", { Path: `${folder}\\${name}` })}) { ${cmdlet("Remove-Item", { Path: `${folder}\\${name}`, Recurse: true, Force: true })} }`) : [];
    return { ...(remains.length > 0 && { files: [{ name: "release.ps1", content: powerShellScript(remains) }], commands: [powerShellFile(`${work}\\release.ps1`, [], "deleting what was captured")] }), variables: [{ name: "OSDStateStorePath", value: "" }] };
  },
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED"],
  example: `- name: Done with it
  type: release-state-store
  with: { remove: true }`,
});
