import { z } from "zod";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const userName = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, "a user's name");

/** Request State Store (features.md F257, F258, F262). */
export const requestStateStoreStep = defineStepType({
  type: "request-state-store",
  title: "Request state store",
  summary: "Finds the place for users' files and says it in OSDStateStorePath: `local` is beside the deployment on the computer's own disk, where a new system leaves it alone; or a folder, such as one that connect-network-folder has mounted, which is refused while it is not. What `local` still holds when the sequence ends is moved to /var/lib/prestage/user-state, which root alone reads. A store at the site, `site`, fails as long as the site has none.",
  environments: ["environment", "installed"],
  settings: z.strictObject({
    action: z.enum(["capture", "restore"]).describe("What it is for; a store to restore from must hold something"),
    store: z.union([z.enum(["local", "site"]), z.string().max(1000).regex(/^\/(?!$)(?!.*(^|\/)\.\.(\/|$))[^\p{Cc}]+$/u, "local, site or an absolute path")]).default("site").describe("local, site, or a folder of this computer alone"),
  }),
  again: "The same place is found again.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED"],
  example: `- name: Where to
  type: request-state-store
  with: { action: capture, store: local }`,
});

/** Capture User State (features.md F257, F264). */
export const captureUserStateStep = defineStepType({
  type: "capture-user-state",
  title: "Capture user state",
  summary: "Copies the homes of a Linux's local users, those with numbers from 1000 to 59999, into one WIM under OSDStateStorePath, an image each, with a list of them and the WIM's SHA-256. In the boot environment it is the system on the data volume. `wimtools` is installed before.",
  environments: ["environment", "installed"],
  settings: z.strictObject({
    users: z.array(userName).max(1000).optional().describe("These only; left out: all"),
    exclude: z.array(z.string().min(1).max(500).regex(/^[^\p{Cc}]+$/u, "one line")).max(200).default(["/.cache", "/.local/share/Trash"]).describe("What stays behind, as a path in the home that begins with / or a name; * and ? stand for anything"),
  }),
  again: "What was captured is written beside, and takes its place when it is whole and read back.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Users' files
  type: capture-user-state
  with: { exclude: [/.cache, "*.iso"] }`,
});

/** Restore User State (features.md F258). */
export const restoreUserStateStep = defineStepType({
  type: "restore-user-state",
  title: "Restore user state",
  summary: "Puts captured homes back, once the WIM was found to be whole. Everything in a home becomes its user's own; what the new system has there already stays, in captured folders too, unless a file of the same name was captured. Devices, sockets and FIFOs are left out. `wimtools` is installed before.",
  environments: ["installed"],
  settings: z.strictObject({ createUsers: flagSchema.default(true).describe("Make users that are not there, without a password") }),
  again: "A home is put together beside and takes the place of the old one at once; one that was done is done again with the same outcome.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED", "PRESTAGE_DISK_PROGRAM_FAILED"],
  example: `- name: Users' files
  type: restore-user-state`,
});

/** Release State Store (features.md F257, F258). */
export const releaseStateStoreStep = defineStepType({
  type: "release-state-store",
  title: "Release state store",
  summary: "Ends the use of the store: OSDStateStorePath is no more. It must come after a capture or restore that succeeded. What a `local` store keeps is in /var/lib/prestage/user-state when the sequence has ended; an older one there gets a number behind its name.",
  environments: ["installed"],
  settings: z.strictObject({ remove: flagSchema.default(false).describe("Delete what was captured: after a restore; the store must be there") }),
  again: "What is deleted already is no error.",
  errors: ["PRESTAGE_AGENT_NO_STATE_STORE", "PRESTAGE_AGENT_STATE_STORE_DAMAGED"],
  example: `- name: Done with it
  type: release-state-store
  with: { remove: true }`,
});
