import { applyDriverPackage, applyOperatingSystem, checkReadiness, downloadPackageContent, installApplication, installPackage, restart, runCommandLine, runPowerShell, runPowerShellOfMdt, runTaskSequence, setDynamicVariables, setVariable } from "./translators-configmgr.ts";
import { autoApplyDrivers, captureNetworkSettings, captureWindowsSettings, connectNetworkFolder, connectOfMdt, setUpWindows, applyDataImage, applyNetworkSettings, applyWindowsSettings, disableBitLocker, enableBitLocker, joinDomain, partitionDisk } from "./translators-system.ts";
import { driversOfMdt, bitLockerOfMdt, configureOfMdt, installRolesOfMdt, uninstallRolesOfMdt, joinDomainOfMdt, networkOfMdt } from "./translators-mdt-system.ts";
import { captureGroupsOfMdt, captureUserStateOfMdt, policyOfMdt, recoveryOfMdt, restoreGroupsOfMdt, restoreUserStateOfMdt, tattooOfMdt } from "./translators-mdt-state.ts";
import { applyPe, gather, installApplicationOfMdt, installOs, nextPhase, restartOfMdt, validate } from "./translators-mdt.ts";
import { backupOfMdt, captureSystemImage, installSoftwareUpdates, patchesOfMdt, prepareOs, sysprepOfMdt, windowsUpdateOfMdt } from "./translators-capture.ts";
import type { Translator } from "../translation.ts";

/** Kept as a disabled step, and why. */
const none = (reason: string): Translator => () => ({ disabled: reason });
const notNeeded = (how: string): Translator => () => ({ notNeeded: how });
const no = (what: string) => none(`there is no step for it yet: ${what}`);

/**
 * The one table: what a step of each type becomes. A new step type of ours is one line here.
 * Keys: the type without SMS_TaskSequence_ and Action; for MDT's, the name of the script it runs, with what tells two uses apart.
 */
export const stepTranslators: Readonly<Record<string, Translator>> = {
  // Configuration Manager (features.md F218-F238)
  PrestartCheck: checkReadiness,
  SetVariable: setVariable,
  SetDynamicVariables: setDynamicVariables,
  Reboot: restart,
  ApplyOperatingSystem: applyOperatingSystem,
  ApplyDriverPackage: applyDriverPackage,
  DownloadPackageContent: downloadPackageContent,
  InstallApplication: installApplication,
  InstallSoftware: installPackage,
  RunCommandLine: runCommandLine,
  RunPowerShellScript: runPowerShell,
  SubTasksequence: runTaskSequence,
  SubTaskSequence: runTaskSequence,
  PartitionDisk: partitionDisk,
  ConvertDisk: none("Windows calls dynamic disks deprecated, and partition-disk makes none"),
  ApplyDataImage: applyDataImage,
  ApplyWindowsSettings: applyWindowsSettings,
  ApplyNetworkSettings: applyNetworkSettings,
  AutoApply: autoApplyDrivers,
  SetupWindowsAndSMS: setUpWindows,
  UpgradeOperatingSystem: none("it upgrades the system in place; Prestage deploys from staged disks"),
  InstallUpdate: installSoftwareUpdates,
  ConnectNetworkFolder: connectNetworkFolder,
  JoinDomainWorkgroup: joinDomain,
  EnableBitLocker: enableBitLocker,
  DisableBitLocker: disableBitLocker,
  OfflineEnableBitLocker: notNeeded("enable-bitlocker encrypts what is in use alone, which on a disk just staged takes minutes; the boot environment is Linux and cannot begin it"),
  RequestStateStore: none("its store is one that the site keeps, and sites keep no users' files yet: request-state-store with a folder of a file server"),
  ReleaseStateStore: none("its store is one that the site keeps, and sites keep no users' files yet"),
  CaptureUserState: none("its store is one that the site keeps, and sites keep no users' files yet: capture-user-state after request-state-store with a folder of a file server"),
  RestoreUserState: none("its store is one that the site keeps, and sites keep no users' files yet: restore-user-state after request-state-store with a folder of a file server"),
  CaptureNetworkSettings: captureNetworkSettings,
  CaptureWindowsSettings: captureWindowsSettings,
  InstallDeployTools: notNeeded("Sysprep is a part of Windows"),
  PrepareSMSClient: notNeeded("what the agent has on a computer is never in an image that is captured"),
  PrepareOS: prepareOs,
  CaptureSystemImage: captureSystemImage,

  // MDT
  "ZTIGather.wsf": gather,
  "ZTIValidate.wsf": validate,
  "ZTINextPhase.wsf": nextPhase,
  "ZTISetVariable.wsf": setVariable,
  "LTIApply.wsf": installOs,
  "LTIApply.wsf /PE": applyPe,
  "LTIApply.wsf /post": notNeeded("the agent removes what it put there when the sequence ends"),
  "LTICopyScripts.wsf": notNeeded("the agent is in the deployed system"),
  "ZTISCCM.wsf": notNeeded("MDT's own scripts are not used"),
  "MDT restart": restartOfMdt,
  "ZTIApplications.wsf": installApplicationOfMdt,
  "ZTIDiskpart.wsf": partitionDisk,
  "ZTIDrivers.wsf": driversOfMdt,
  "ZTIConfigure.wsf": configureOfMdt,
  "ZTINICConfig.wsf": networkOfMdt,
  "ZTINICConfig.wsf /capture": networkOfMdt,
  "ZTIBIOSCheck.wsf": none("it checks the firmware against a list of MDT's own"),
  "ZTIPatches.wsf": patchesOfMdt,
  "ZTIWindowsUpdate.wsf": windowsUpdateOfMdt,
  "ZTIUserState.wsf": restoreUserStateOfMdt,
  "ZTIUserState.wsf /capture": captureUserStateOfMdt,
  "ZTIAppXmlGen.wsf": notNeeded("MigDocs.xml, which capture-user-state uses, finds documents of every kind without MDT's list"),
  "ZTIGroups.wsf": restoreGroupsOfMdt,
  "ZTIGroups.wsf /capture": captureGroupsOfMdt,
  "ZTIBackup.wsf": backupOfMdt,
  "LTISysprep.wsf": sysprepOfMdt,
  "LTISuspend.wsf": none("it waits for a person, and an unattended computer would wait for ever"),
  "ZTIDomainJoin.wsf": joinDomainOfMdt,
  "ZTIBde.wsf": bitLockerOfMdt,
  "ZTIDisableBDEProtectors.wsf": notNeeded("it frees a disk that is deployed anew from BitLocker; a staged disk has none"),
  "ZTIWinRE.wsf": recoveryOfMdt,
  "ZTITatoo.wsf": tattooOfMdt,
  "ZTIOptIn.wsf": no("opt in to reports to Microsoft"),
  "ZTIApplyGPOPack.wsf": policyOfMdt,
  "ZTIOSRole.wsf": installRolesOfMdt,
  "ZTIOSRole.wsf /uninstall": uninstallRolesOfMdt,
  "ZTILangPacks.wsf": no("language packs"),
  "ZTIConnect.wsf": connectOfMdt,
  "ZTIPowerShell.wsf": runPowerShellOfMdt,
  "ZTIExecuteRunbook.wsf": none("it runs a runbook of Orchestrator"),
  "ZTIConfigureADDS.wsf": no("make a domain controller"),
  "ZTIConfigureDNS.wsf": no("set up a DNS server"),
  "ZTIConfigureDHCP.wsf": no("set up a DHCP server"),
};

const byLowerCase = new Map(Object.entries(stepTranslators).map(([key, translator]) => [key.toLowerCase(), { key, translator }]));
/** MDT's typed steps run a script, and that says what they are. */
const scriptOf = /\b((?:ZTI|LTI)\w+\.wsf)"?\s*(\/\w+)?/i;

/** What a step is in the table, and how it is translated. */
export function translatorOf(type: string, action: string, origin: "configmgr" | "mdt"): { key: string; translator: Translator } {
  const [, script, argument = ""] = scriptOf.exec(action) ?? [];
  const kind = type.replace(/^SMS_TaskSequence_/i, "").replace(/Action$/i, "");
  if (script !== undefined) {
    const found = byLowerCase.get(`${script} ${argument}`.toLowerCase()) ?? byLowerCase.get(script.toLowerCase());
    if (found !== undefined) return found;
    return { key: script, translator: none("it runs a script of MDT's that has no counterpart here") };
  }
  const known = byLowerCase.get(origin === "mdt" && kind === "Reboot" ? "mdt restart" : kind.toLowerCase());
  if (known !== undefined) return known;
  if (type === "" && action !== "") return { key: "RunCommandLine", translator: runCommandLine };
  return { key: type || "(no type)", translator: none(`there is no step for it: ${type.slice(0, 100) || "it has neither a type nor a command"}`) };
}
