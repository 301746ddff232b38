import { behindImage } from "../behind-image.ts";
import type { TranslatedStep, Translation, Translator } from "../translation.ts";
import { isInStateCapture } from "./translators-mdt.ts";
import { bitLocker, join } from "./translators-system.ts";

/** What rules and wizard of MDT call it, and the variable our step reads. */
const windowsVariables: readonly (readonly [mdt: string, ours: string])[] = [
  ["FullName", "OSDRegisteredUserName"], ["OrgName", "OSDRegisteredOrgName"], ["ProductKey", "OSDProductKey"], ["TimeZoneName", "OSDTimeZone"], ["KeyboardLocale", "OSDInputLocale"], ["UserLocale", "OSDUserLocale"], ["UILanguage", "OSDUILanguage"],
];

/** ZTIConfigure: puts what rules and wizard said into the answer file. */
export const configureOfMdt: Translator = (context) => {
  const steps: TranslatedStep[] = windowsVariables.map(([mdt, ours]) => ({ type: "set-variable", name: `${ours} from ${mdt}`, with: { name: ours, value: `%${mdt}%` }, when: { variable: mdt, exists: true } }));
  context.ignore(/./);
  return behindImage(context, /\bZTIConfigure\.wsf/i, { steps: [...steps, { type: "apply-windows-settings", name: "Apply Windows settings" }], notes: ["an Unattend.xml of the sequence's own: import its folder as a package and name it in apply-windows-settings (answerFile, package); the built-in Administrator stays disabled, whatever AdminPassword says"] });
};

/** ZTINICConfig: addresses that the rules say, by the variables that the reference has for them. */
export const networkOfMdt: Translator = (context) => {
  context.ignore(/./);
  if (isInStateCapture(context.groups) || /\/capture"?\s*$/i.test(context.node.action)) return { steps: [{ type: "capture-network-settings" }], notes: [] };
  return { steps: [{ type: "apply-network-settings", when: { variable: "OSDAdapterCount", greater: 0 } }], notes: ["addresses by the variables OSDAdapterCount, OSDAdapter0IPAddressList and so on; without them each adapter has DHCP"] };
};

/** ZTIDomainJoin ("Recover from domain"): joins where the answer file could not. */
export const joinDomainOfMdt: Translator = (context) => {
  context.ignore(/./);
  const joined = join("%JoinDomain%", "", "%DomainAdminDomain%\\%DomainAdmin%");
  const [step] = "steps" in joined ? joined.steps : [];
  if (step === undefined) return joined;
  const place = (exists: boolean): TranslatedStep => ({ ...step, name: exists ? "Join, in its organizational unit" : "Join", with: { ...step.with, ...(exists && { organizationalUnit: "%MachineObjectOU%" }) }, when: { all: [{ variable: "JoinDomain", exists: true }, exists ? { variable: "MachineObjectOU", exists: true } : { variable: "MachineObjectOU", notExists: true }] } });
  return { steps: [place(true), place(false)], notes: ["it is the step that joins: no password stands in the answer file", "the account's password is kept at the site: prestage secret set JOIN_PASSWORD"] };
};

/** ZTIBde: only where rules or step say what opens the drive. */
export const bitLockerOfMdt: Translator = (context) => {
  const [mode, recovery, drive, waits] = [context.take("BdeInstall"), context.take("BdeRecoveryPassword"), context.take("BdeTargetDriveLetter"), context.take("WaitForEncryption")];
  context.ignore(/^Bde/i);
  if (mode !== "") return later(bitLocker(mode, recovery || "AD", drive, false, /^true$/i.test(waits)));
  const made = bitLocker("TPM", recovery || "AD", drive, false, false);
  const [step] = "steps" in made ? made.steps : [];
  return step === undefined ? made : { steps: [{ ...step, when: { variable: "BDEInstall", equals: "TPM" } }], notes: ["where the rules say BDEInstall=TPM; other ways to open the drive are not known here"], inInstalled: true };
};

/** Before its first start Windows cannot be encrypted from Linux; on a disk just staged what is in use is little then as well. */
function later(made: Translation): Translation {
  return "steps" in made ? { ...made, inInstalled: true } : made;
}

/** ZTIDrivers: those of the share that fit. A selection profile is a choice of folders; each driver group is a driver package here. */
export const driversOfMdt: Translator = (context) => {
  const profile = context.take("DriverSelectionProfile") || "All Drivers";
  context.ignore(/./);
  if (/^nothing$/i.test(profile)) return { notNeeded: "its selection profile is Nothing" };
  const groups = [...(context.share.driverGroups ?? [])];
  const names = groups.length > 0 && /^(all drivers|everything)$/i.test(profile) ? groups : [profile];
  return behindImage(context, /\bZTIDrivers\.wsf/i, { steps: [{ type: "auto-apply-drivers", with: { driverPackages: names.map((name) => context.reference("driver-package", name)) } }], notes: ["Windows takes the best driver for each device, from every driver package for its model"] });
};

/** ZTIOSRole and ZTIOSRole /uninstall: roles, role services and features by name. */
const features = (remove: boolean): Translator => (context) => {
  const names = ["OSRoles", "OSRoleServices", "OSFeatures"].flatMap((property) => context.take(property).split(",")).map((name) => name.trim()).filter((name) => name !== "");
  context.ignore(/^OSRoleIndex$/i);
  if (names.length === 0) return { disabled: "no role or feature is named" };
  const odd = names.find((name) => !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name));
  if (odd !== undefined) return { disabled: `${odd.slice(0, 60)} is no feature's name` };
  return { steps: [{ type: "install-features", with: { features: names, ...(remove && { remove: true }) } }], notes: remove ? [] : ["what is not in the image comes from Windows Update, or from a package with sources\\sxs (package)"], inInstalled: true };
};
export const installRolesOfMdt = features(false);
export const uninstallRolesOfMdt = features(true);
