import type { Condition } from "../../schema.ts";
import type { TranslatedStep, TranslationContext, Translator } from "../translation.ts";

/** Where MDT keeps users' files of a computer that is replaced: a share and a folder in it. */
const store = String.raw`%UDShare%\%UDDir%`;
const hasStore: readonly Condition[] = [{ variable: "UDShare", exists: true }, { variable: "UDDir", exists: true }];
const notNone: Condition = { none: [{ variable: "UserDataLocation", equals: "NONE" }] };

/** The share by the account that MDT's rules name, else by none. */
function connect(): TranslatedStep[] {
  const of = (name: string, account: boolean): TranslatedStep => ({
    type: "connect-network-folder", name, with: { path: "%UDShare%", variable: "UserDataShare", readOnly: false, ...(account && { account: String.raw`%UserDomain%\%UserID%`, password: { secret: "USER_PASSWORD" } }) },
    when: { all: [...hasStore, notNone, account ? { variable: "UserID", exists: true } : { variable: "UserID", notExists: true }] },
  });
  return [of("Connect to the share", true), of("Connect to the share as a guest", false)];
}

const notes = ["users' files lie in UDShare and UDDir; a store on the computer's own disk (UserDataLocation AUTO without a share) is no matter of a staged disk", "the account UserID has its password at the site: prestage secret set USER_PASSWORD"];
const rules = ["MigApp.xml", "MigDocs.xml"];
const tool = (context: TranslationContext): string => context.reference("package", "User State Migration Tool");

/** ZTIUserState /capture. */
export const captureUserStateOfMdt: Translator = (context) => {
  context.ignore(/./);
  const capture: TranslatedStep = { type: "capture-user-state", name: "Capture user state", with: { store, package: tool(context), rules, continueOnErrors: true }, when: { all: [...hasStore, notNone] } };
  return { steps: [...connect(), capture], notes, windowsCommand: true };
};

/** ZTIUserState /restore. */
export const restoreUserStateOfMdt: Translator = (context) => {
  context.ignore(/./);
  const restore: TranslatedStep = { type: "restore-user-state", name: "Restore user state", with: { store, package: tool(context), rules, continueOnErrors: true }, when: { all: [...hasStore, notNone] } };
  return { steps: [...connect(), restore], notes: [...notes, "local users are made without a password and stay disabled"], windowsCommand: true };
};

/** ZTIGroups: MDT keeps the groups with the users' files. */
const wantsGroups: readonly Condition[] = [...hasStore, { variable: "CaptureGroups", exists: true }, { none: [{ variable: "CaptureGroups", equals: "NO" }] }];
const groups = (type: string): Translator => (context) => {
  context.ignore(/./);
  return { steps: [{ type, name: "Local groups", with: { store }, when: { all: [...wantsGroups] } }], notes: ["every local group with its members, in the folder of the users' files; CaptureGroups=NO leaves them out"], windowsCommand: true };
};
export const captureGroupsOfMdt = groups("capture-local-groups");
export const restoreGroupsOfMdt = groups("restore-local-groups");

/** ZTIWinRE: nothing, unless the rules say PrepareWinRE=YES. */
export const recoveryOfMdt: Translator = (context) => {
  context.ignore(/./);
  return { steps: [{ type: "set-up-recovery-environment", name: "Windows Recovery", when: { variable: "PrepareWinRE", equals: "YES" } }], notes: ["where the rules say PrepareWinRE=YES; it is Windows' own recovery environment, not MDT's boot image: one of your own goes into a package with Winre.wim"], inInstalled: true };
};

/** ZTITatoo. */
export const tattooOfMdt: Translator = (context) => {
  context.ignore(/./);
  return { steps: [{ type: "record-deployment" }], notes: [String.raw`the record is HKLM\SOFTWARE\Prestage\Deployment, with names of its own; MDT's key and its WMI class are not written`], inInstalled: true };
};

/** ZTIApplyGPOPack: MDT's own packs end with Windows 8.1, so newer systems have one where the rules name it. */
export const policyOfMdt: Translator = (context) => {
  context.ignore(/./);
  return { steps: [{ type: "apply-local-policy", name: "Local policy", with: { package: context.reference("package", "Local policy") }, when: { variable: "GPOPackPath", exists: true } }], notes: ["where GPOPackPath is set: make a package of that folder with LGPO.exe beside it; MDT's own packs are for Windows 8.1 and older"], inInstalled: true };
};
