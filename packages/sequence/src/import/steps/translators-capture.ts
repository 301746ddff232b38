import type { XmlElement } from "../../read-xml.ts";
import type { Condition } from "../../schema.ts";
import { behindImage } from "../behind-image.ts";
import { redact } from "../redact.ts";
import { isTrue } from "../source-sequence.ts";
import type { JsonSettings, TranslatedStep, TranslationContext, Translator } from "../translation.ts";

/** Whether a condition asks for this value of a variable. */
function asks(element: XmlElement | undefined, variable: string, value: string): boolean {
  if (element === undefined) return false;
  if (element.name !== "expression") return element.children.some((child) => asks(child, variable, value));
  const texts = element.children.map((child) => child.text.trim().toUpperCase());
  return texts.includes(variable.toUpperCase()) && texts.includes("EQUALS") && texts.includes(value.toUpperCase());
}

const around = (context: TranslationContext, variable: string, value: string): boolean => [...context.groups, context.node].some((node) => asks(node.condition, variable, value));

/** LTISysprep: with DoCapture=PREPARE it copies files that no Windows since Vista needs. */
export const sysprepOfMdt: Translator = (context) => {
  context.ignore(/./);
  if (around(context, "DoCapture", "PREPARE")) return { notNeeded: "Sysprep is a part of Windows, and nothing has to be copied for it" };
  return { steps: [{ type: "prepare-capture" }], notes: [], windowsCommand: true };
};

/** Prepare Windows for Capture. */
export const prepareOs: Translator = (context) => {
  const keepsActivation = isTrue(context.take("KeepActivation"));
  if (isTrue(context.take("ShutdownPreparedOs"))) return { disabled: "it shuts the computer down, and the sequence with it" };
  context.ignore(/^BuildStorageDriverList$/i);
  return { steps: [{ type: "prepare-capture" }], notes: keepsActivation ? ["the activation is not kept (KeepActivation): Windows 8 and newer count it by themselves"] : [], windowsCommand: true };
};

const hasUser: Condition = { variable: "UserID", exists: true };
const hasNoUser: Condition = { variable: "UserID", notExists: true };
/** Where the rules say it: a share and a folder in it, or one path. */
const byShare: readonly Condition[] = [{ variable: "BackupShare", exists: true }, { none: [{ variable: "ComputerBackupLocation", like: "\\\\*" }] }];
const byPath: readonly Condition[] = [{ variable: "ComputerBackupLocation", like: "\\\\*" }];

/** ZTIBackup: an image of the reference computer (DoCapture=YES), else a backup of one that is replaced. */
export const backupOfMdt: Translator = (context) => {
  context.ignore(/./);
  const image = around(context, "DoCapture", "YES");
  const connect = (path: string, when: readonly Condition[], account: boolean): TranslatedStep => ({
    type: "connect-network-folder", name: `Connect to ${path.replaceAll("%", "")}${account ? "" : " as a guest"}`,
    with: { path, variable: "BackupFolder", readOnly: false, ...(account && { account: String.raw`%UserDomain%\%UserID%`, password: { secret: "USER_PASSWORD" } }) }, when: { all: [...when, account ? hasUser : hasNoUser] },
  });
  const set = (name: string, value: string, when: Condition): TranslatedStep => ({ type: "set-variable", name, with: { name, value }, when });
  const capture: TranslatedStep = { type: "capture-os-image", name: image ? "Capture the image" : "Back up the computer", with: { to: "%BackupTo%", file: "%BackupFile%", name: image ? "%_SMSTSPackageName%" : "%OSDComputerName%", ...(!image && { everything: true }), append: true } };
  const steps = [
    ...[true, false].flatMap((account) => [connect("%BackupShare%", byShare, account), connect("%ComputerBackupLocation%", byPath, account)]),
    set("BackupFile", image ? "%_SMSTSPackageID%.wim" : "%OSDComputerName%.wim", { variable: "BackupFile", notExists: true }),
    set("BackupTo", "%BackupFolder%", { variable: "BackupFolder", exists: true }),
    set("BackupTo", "%BackupFolder%/%BackupDir%", { all: [...byShare, { variable: "BackupDir", exists: true }] }),
    capture,
  ];
  // A backup is made where the rules ask for one; an image that was asked for and goes nowhere is a failure.
  const wanted: Condition = { all: [{ variable: "ComputerBackupLocation", exists: true }, { none: [{ variable: "ComputerBackupLocation", equals: "NONE" }] }] };
  const notes = ["it goes to BackupShare and BackupDir, or where ComputerBackupLocation names a path; a place on the computer's own disk (AUTO without a share) is refused where the disk has the NTFS that is captured", "the account UserID has its password at the site: prestage secret set USER_PASSWORD"];
  return { steps: image ? steps : steps.map((step) => ({ ...step, when: step.when === undefined ? wanted : { all: [wanted, step.when] } })), notes };
};

/** Capture Operating System Image: \\server\share\folder\file.wim. */
export const captureSystemImage: Translator = (context) => {
  const [destination, account] = [context.take("CaptureDestination"), context.take("CaptureUsername")];
  const [description, creator, version] = [context.take("ImageDescription"), context.take("ImageCreator"), context.take("ImageVersion")];
  context.ignore(/^CapturePassword$/i);
  const [, folder, file] = /^(\\\\[^\\]+\\.+)\\([^\\]+)$/.exec(destination) ?? [];
  if (folder === undefined || file === undefined) return { disabled: `it captures to ${redact(destination).text.slice(0, 100) || "nowhere"}, which is no file of a share: name the folder in a capture-os-image step` };
  if (redact(account).found || redact(destination).found) return { disabled: "its account looks like a password and is left out" };
  const more: JsonSettings = { ...(description !== "" && { description }), ...(creator !== "" && { creator }), ...(version !== "" && { version }) };
  return {
    steps: [
      { type: "connect-network-folder", name: "Connect to the share", with: { path: folder, variable: "CaptureFolder", readOnly: false, ...(account !== "" && { account, password: { secret: "CAPTURE_PASSWORD" } }) } },
      { type: "capture-os-image", name: "Capture", with: { to: "%CaptureFolder%", file, name: description.slice(0, 100) || file.replace(/\.wim$/i, ""), ...more } },
    ],
    notes: account === "" ? [] : ["the account's password is kept at the site: prestage secret set CAPTURE_PASSWORD"],
  };
};

/** Install Software Updates: those that are deployed to the computer over there. */
export const installSoftwareUpdates: Translator = (context) => {
  context.ignore(/^(Target|SMSInstallUpdateTarget|UseCache|RetryCount|SMSTSSoftwareUpdateScanUseCache|SMSTSSoftwareUpdateScanTimeout)$/i);
  return { steps: [{ type: "install-updates" }], notes: ["every update the computer's own update server has for it, or the one that WSUSServer names: approvals are made there, not by a deployment of updates"], windowsCommand: true };
};

/** ZTIWindowsUpdate: again after each restart, until there are none. */
export const windowsUpdateOfMdt: Translator = (context) => {
  context.ignore(/./);
  return { steps: [{ type: "install-updates" }], notes: ["from the server that WSUSServer names, else from where the computer is set to ask; updates that WUMU_ExcludeKB and WUMU_ExcludeID name are to be declined there"], windowsCommand: true };
};

/** ZTIPatches: packages of the share, laid onto the Windows that was applied, which adds them at its first start. */
export const patchesOfMdt: Translator = (context) => {
  const profile = context.take("PackageSelectionProfile") || "All Packages";
  context.ignore(/./);
  if (/^nothing$/i.test(profile)) return { notNeeded: "its selection profile is Nothing" };
  return behindImage(context, /\bZTIPatches\.wsf/i, { steps: [{ type: "install-updates", with: { package: context.reference("package", profile) } }], notes: ["make a package of the updates (.msu, .cab) that the selection profile names; Windows adds them at its first start; language packs are not among them"] });
};
