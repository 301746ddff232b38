import { checkSettable } from "../../variables.ts";
import { withoutVersion } from "../export/exported-object.ts";
import { hiveUse, loadedHives } from "./offline-hives.ts";
import { isInWindowsPe } from "./translators-mdt.ts";
import { noticeOf } from "./restart-notice.ts";
import { isSecretName, redact } from "../redact.ts";
import { isTrue } from "../source-sequence.ts";
import { fromShare, scriptOfPowerShell, scriptsIn } from "../share/share-paths.ts";
import { translateDynamicRules } from "../share/translate-dynamic-rules.ts";
import { one } from "../translation.ts";
import type { JsonSettings, Translation, TranslationContext, Translator } from "../translation.ts";

/** Set Task Sequence Variable. */
export const setVariable: Translator = (context) => {
  const [name, value] = [context.take("VariableName"), context.take("VariableValue")];
  context.ignore(/^DoNotShowVariableValue$/i);
  if (isTrue(context.take("DoNotShowVariableValue"))) return { disabled: `the value of ${name} is hidden and not in an export: keep it at the site (prestage secret) and name it under \`secrets\`` };
  return setVariableTo(name, value);
};

export function setVariableTo(name: string, value: string): Translation {
  if (/^_SMSTSOrgName$/i.test(name)) return { notNeeded: "the screens name the site's own organization" };
  if (value !== "" && (isSecretName(name) || redact(value).found)) return { disabled: `the value of ${name} looks like a password and is left out: keep it at the site (prestage secret) and name it under \`secrets\`` };
  if (/^#.*#$/s.test(value)) return { disabled: "the value is an expression of VBScript" };
  try {
    checkSettable(name, value);
  } catch (cause) {
    return { disabled: cause instanceof Error ? cause.message : String(cause) };
  }
  return one("set-variable", { name, value });
}

/** Restart Computer. */
export const restart: Translator = (context) => {
  const target = context.take("Target") || /\/target:(\w+)/i.exec(context.node.action)?.[1] || "HD";
  const [message, seconds] = [context.take("Message"), context.take("MessageTimeout")];
  const to = /^winpe$/i.test(target) ? "environment" : "installed";
  return one("restart", { to, ...noticeOf(message, seconds) });
};

/** Check Readiness (features.md F218). */
export const checkReadiness: Translator = (context) => {
  const asked = (property: string) => isTrue(context.take(property));
  const number = (property: string) => (/^\d{1,9}$/.test(context.take(property)) ? Number(context.take(property)) : 0);
  const present = ["CheckOSType", "CheckMinOSVersion", "CheckMaxOSVersion", "CheckCMClientMinVersion", "CheckOSLanguageID"].filter(asked);
  context.ignore(/^(OSType|M(in|ax)OSVersion|CMClientMinVersion|OSLanguageID)$/i);
  const settings: JsonSettings = {
    memoryMiB: asked("CheckMemory") ? number("Memory") : 0, processorMHz: asked("CheckProcessorSpeed") ? number("ProcessorSpeed") : 0,
    ...(asked("CheckFreeDiskSpace") && { diskMiB: number("FreeDiskSpace") }), ...(asked("CheckOSArchitecture") && context.take("OSArchitecture") === "64" && { architecture: "x64" }),
    ...(asked("CheckDeviceUEFI") && { uefi: true }), ...(asked("CheckPowerState") && { acPower: true }),
    ...(asked("CheckNetworkConnected") && { network: true }), ...(asked("CheckNetworkWired") && { wiredNetwork: true }), ...((asked("CheckTPMEnabled") || asked("CheckTPMActivated")) && { tpm: true }),
  };
  return one("check-readiness", settings, asked("CheckFreeDiskSpace") ? "the size of the largest disk is checked in place of the free space" : undefined,
    present.length > 0 ? `${present.map((name) => name.replace(/^Check/, "")).join(", ")} concern a system that is replaced, not a new computer` : undefined);
};

/** Apply Operating System Image. */
export const applyOperatingSystem: Translator = (context) => {
  const [wim, setup] = [context.take("ImagePackageID"), context.take("InstallPackageID")];
  const image = wim || setup;
  if (image === "") return { disabled: "no image is named" };
  if (context.take("ConfigFileName") !== "" || context.take("ConfigFilePackage") !== "") return { disabled: `its answer file ${context.take("ConfigFileName")} cannot be put in yet` };
  context.ignore(/^RunFromNet$/i, /^Destination/i);
  const index = context.take(wim === "" ? "InstallEditionIndex" : "ImageIndex");
  if (wim === "" && !/^[1-9]\d{0,3}$/.test(index)) return { disabled: "it installs from setup files and does not say which edition; Prestage applies images: name one and its index" };
  if (wim === "") context.ignore(/^ImageIndex$/i);
  else context.ignore(/^InstallEditionIndex$/i);
  if (!/^[1-9]\d{0,3}$/.test(index || "1")) return { disabled: `its image index ${index.slice(0, 40)} is no number` };
  return one("apply-os-image", { osImage: context.reference("os-image", image), index: Number(index || "1") }, "it goes onto the staged disk's data volume, whatever the destination over there", wim === "" ? "the edition is applied from the install.wim of its setup files; nothing of the setup itself is run" : undefined);
};

export const applyDriverPackage: Translator = (context) => {
  const id = context.take("DriverPackageID");
  context.ignore(/^(UnsignedDriver|Recurse)$/i);
  return id === "" ? { disabled: "no driver package is named" } : one("apply-driver-package", { driverPackage: context.reference("driver-package", id) });
};

export const downloadPackageContent: Translator = (context) => {
  const packages = context.take("DownloadPackages").split(",").map((id) => id.trim()).filter((id) => id !== "");
  if (packages.length === 0) return { disabled: "no package is named" };
  const [variable, place] = [context.take("DestinationVariable"), context.take("DestinationLocationType")];
  context.ignore(/^(NumPackages|PackageInfo.*|ContinueDownloadOnError)$/i);
  if (/custom/i.test(place)) return { disabled: `it downloads to ${redact(context.take("DestinationCustomPath")).text}; here content lies in the local cache alone` };
  context.ignore(/^DestinationCustomPath$/i);
  return one("download-package-content", { packages: packages.map((id) => context.reference("package", id)), ...(variable !== "" && { variable }) });
};

export const installApplication: Translator = (context) => {
  const [base, goesOn] = [context.take("BaseVariableName"), isTrue(context.take("ContinueOnInstallError"))];
  const common: JsonSettings = { ...(goesOn && { continueOnInstallError: true }), ...retriesOf(context) };
  if (base !== "") {
    context.ignore(/^(ApplicationName|AppInfo.*|NumApps|ClearCache)$/i);
    return { steps: [{ type: "install-application", with: { baseVariable: base, ...common } }], notes: [`the variables ${base}01 and so on are to hold ids of applications, such as ABC00004, in place of names`], windowsCommand: true };
  }
  const ids = (/\/app:(\S+)/i.exec(context.node.action)?.[1] ?? context.take("ApplicationName")).split(",").map((id) => withoutVersion(id.trim())).filter((id) => id !== "");
  if (ids.length === 0) return { disabled: "no application is named" };
  context.ignore(/^(ApplicationName|AppInfo.*|NumApps|ClearCache)$/i);
  return { steps: [{ type: "install-application", with: { applications: ids.map((id) => context.reference("application", id)), ...common } }], notes: [], windowsCommand: true };
};

/** How often one that fails is tried again (OSDAppInstallRetries). */
function retriesOf(context: TranslationContext): JsonSettings {
  const count = Number(context.take("RetryCount"));
  return Number.isInteger(count) && count > 0 && count <= 100 ? { retries: count } : {};
}

export const installPackage: Translator = (context) => {
  const [base, goesOn] = [context.take("BaseVariableName"), isTrue(context.take("ContinueOnInstallError"))];
  if (base !== "") {
    context.ignore(/^PackageName$/i);
    return { steps: [{ type: "install-package", with: { baseVariable: base, ...(goesOn && { continueOnInstallError: true }) } }], notes: [`the packages that the variables ${base}001 and so on name have other ids here`], windowsCommand: true };
  }
  const [id, program] = [context.take("PackageID"), context.take("ProgramName")];
  context.ignore(/^PackageName$/i);
  if (id === "" || program === "") return { disabled: "no package or no program is named" };
  const known = context.share.programs?.get(id.toLowerCase())?.get(program.toLowerCase());
  if (known?.left !== undefined) return { disabled: `the program ${redact(program).text} is not imported: ${known.left}` };
  const restarts = known?.restart === true;
  return { steps: [{ type: "install-package", with: { package: context.reference("package", id), program, ...(restarts && { restartCodes: [0, 3010] }) } }], notes: restarts ? ["it restarts the computer, for the program asks for that"] : [], windowsCommand: true };
};

/** Run Command Line. */
export const runCommandLine: Translator = (context) => {
  const command = context.take("CommandLine") || context.node.action.replace(/^smsswd\.exe\s+\/run:\S*\s*/i, "");
  const id = context.take("PackageID") || /^smsswd\.exe\s+\/run:(\S+)/i.exec(context.node.action)?.[1] || "";
  context.ignore(/^(SuccessCodes|DisableWow64Redirection|LoadProfile|PackageName|UserName|SMSTSRunCommandLineUserName)$/i);
  if (/^(cmd(\.exe)? \/c )?reg(\.exe)? unload "?HKLM\\\$DEST\$/i.test(command.trim())) return { notNeeded: "it lets go of a part of the registry that MDT's offline capture of users' files had loaded" };
  const hive = hiveUse(command, loadedHives(context.sequence.nodes));
  if (hive !== undefined && "nothing" in hive) return { notNeeded: "the registry is written while Windows runs, after its first start, and no part of it has to be loaded for that" };
  if (/^cmd(\.exe)? \/c (mkdir|md) "?(%[A-Za-z]+%|[A-Za-z]:)\\_SMSTaskSequence"?$/i.test(command.trim())) return { notNeeded: "it makes the folder of MDT's own engine" };
  if (/^(cmd(\.exe)? \/c )?(wpeinit(\.exe)?|wpeutil(\.exe)? (disablefirewall|initializenetwork|waitfornetwork))$/i.test(command.trim())) return { notNeeded: "the boot environment sets its network up itself, and has no firewall" };
  if (/^powercfg(\.exe)?\s/i.test(command.trim()) && isInWindowsPe(context)) return { notNeeded: "it sets how Windows PE uses the processor; the boot environment is Linux" };
  const why = unsuitable(context, command);
  if (why !== undefined) return { disabled: why };
  if (hive !== undefined && id === "") return { steps: [{ type: "run-command-line", with: { command: hive.command, ...codes(context) } }], notes: ["the registry of the running Windows, in place of a part of it that Windows PE has loaded"], windowsCommand: true, inInstalled: true };
  const [folder, output] = [context.take("WorkingDirectory") || context.node.startIn, context.take("OutputVariableName")];
  const as = runAs(context);
  if (isTrue(context.take("RunAsUser")) && as.notes.length === 0) return { disabled: "it runs as another account, and names none" };
  const shared = packageOfShare(context, command, folder);
  if (shared !== undefined) return "disabled" in shared || id !== "" ? { disabled: "disabled" in shared ? shared.disabled : "it needs files of a package and of the deployment share: make one package of them" } : { steps: [{ type: "run-command-line", with: { ...shared.settings, ...(output !== "" && { outputVariable: output }), ...as.settings, ...codes(context) } }], notes: [...shared.notes, ...as.notes], windowsCommand: true };
  return { steps: [{ type: "run-command-line", with: { command, ...(folder !== "" && { workingFolder: folder }), ...(output !== "" && { outputVariable: output }), ...(id !== "" && { package: context.reference("package", id) }), ...as.settings, ...codes(context) } }], notes: as.notes, windowsCommand: true };
};

/** Run PowerShell Script: its text is base64 of UTF-16LE, or a file of a package. */
export const runPowerShell: Translator = (context) => {
  const [encoded, id, file] = [context.take("SourceScript"), context.take("PackageID"), context.take("ScriptName")];
  const script = encoded === "" ? "" : new TextDecoder("utf-16le").decode(Buffer.from(encoded, "base64"));
  const [parameters, output] = [context.take("Parameters"), context.take("OutputVariableName")];
  context.ignore(/^(SuccessCodes|UserName|PackageName|ExecutionPolicy)$/i);
  const why = unsuitable(context, `${script}\n${parameters}`);
  if (why !== undefined) return { disabled: why };
  const folder = context.take("WorkingDirectory") || context.node.startIn;
  if (redact(folder).found) return { disabled: "its folder looks like a password and is left out" };
  if (script.trim() === "" && (id === "" || file === "")) return { disabled: "no script is named" };
  const as = runAs(context);
  if (isTrue(context.take("RunAsUser")) && as.notes.length === 0) return { disabled: "it runs as another account, and names none" };
  const source: JsonSettings = script.trim() === "" ? { file: file.replaceAll("\\", "/"), package: context.reference("package", id) } : { script };
  const words = (parameters.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/s, "$2"));
  return { steps: [{ type: "run-script", with: { language: "powershell", ...source, ...(folder !== "" && { workingFolder: folder }), ...(words.length > 0 && { parameters: words }), ...(output !== "" && { outputVariable: output }), ...as.settings, ...codes(context) } }], notes: as.notes, windowsCommand: true };
};

/** Why a command line cannot be run as it stands. */
function unsuitable(context: TranslationContext, command: string): string | undefined {
  if (command.trim() === "") return "there is no command";
  if (redact(command).found) return "a password stands in the command, and is left out: keep it at the site (prestage secret) and name it under `secrets`";
  const account = accountOf(context);
  if (account !== undefined && redact(account).found) return "its account looks like a password and is left out";
  const place = /%(RESOURCEDRIVE|_SMSTSMDataPath)%/i.exec(command)?.[1];
  return place === undefined ? undefined : `it needs %${place}%, a folder of the deployment share, which no computer reaches: make a package of it`;
}

/** The account a step runs as; ConfigMgr and MDT name the setting in several ways. */
function accountOf(context: TranslationContext): string | undefined {
  if (!isTrue(context.take("RunAsUser"))) return undefined;
  const account = ["UserName", "SMSTSRunCommandLineUserName", "SMSTSRunPowerShellUserName"].map((name) => context.take(name)).find((name) => name !== "");
  return account === undefined || !/^[^\p{Cc}"/:*?<>|-][^\p{Cc}"/:*?<>|]{0,255}$/u.test(account) ? undefined : account;
}

/** Its setting here, and what is to be done for it. */
function runAs(context: TranslationContext): { settings: JsonSettings; notes: string[] } {
  const account = accountOf(context);
  context.ignore(/^(SMSTSRunCommandLineUser(Name|Password)|SMSTSRunPowerShellUser(Name|Password)|UserPassword|UserName|LoadProfile)$/i);
  if (account === undefined) return { settings: {}, notes: [] };
  return { settings: { account: { name: account, password: { secret: "RUN_PASSWORD" } } }, notes: ["the account's password is kept at the site: prestage secret set RUN_PASSWORD; the account needs the right to log on as a batch job"] };
}

/** Where a command or its folder names files of the deployment share: the same in a package of theirs. */
function packageOfShare(context: TranslationContext, command: string, folder: string): { settings: JsonSettings; notes: string[] } | { disabled: string } | undefined {
  const [inCommand, inFolder] = [fromShare(command), fromShare(folder)];
  if (inCommand === undefined && inFolder === undefined) return undefined;
  for (const one of [inCommand, inFolder]) if (one !== undefined && "refused" in one) return { disabled: one.refused };
  if (inCommand !== undefined && folder !== "") return { disabled: `it runs in the folder ${redact(folder).text.slice(0, 100)} and needs files of the deployment share: make a package of them` };
  const found = inCommand ?? inFolder;
  if (found === undefined || "refused" in found) return undefined;
  const asks = scriptsIn(command).filter((path) => context.share.askMdt?.has(path.toLowerCase()) === true);
  if (asks.length > 0) return { disabled: `${asks.join(", ")} asks MDT's own objects (Microsoft.SMS.TSEnvironment, ZTIUtility), which are not there: have it use prestage-variable` };
  const place = inFolder === undefined ? "" : found.text.replaceAll("\\", "/").replace(/^\.\/?/, "").replace(/\/+$/, "");
  return {
    settings: { command: inCommand === undefined ? command : found.text, package: context.folderOfShare(found.folder), ...(place !== "" && { workingFolder: place }) },
    notes: [`the share's folder ${found.folder} is imported as a package`, ...(context.share.askMdt === undefined && scriptsIn(command).length > 0 ? ["a script that asks Microsoft.SMS.TSEnvironment is to use prestage-variable"] : [])],
  };
}

/** Run PowerShell Script of MDT: a file of the share's Scripts, unless its path says otherwise. */
export const runPowerShellOfMdt: Translator = (context) => {
  const [name, parameters] = [context.take("ScriptName") || context.take("PSScriptName"), context.take("Parameters") || context.take("PSParameters")];
  context.ignore(/^(PackageID|PowerShellVersion|ExecutionPolicy)$/i);
  const made = fromShare(scriptOfPowerShell(name));
  if (name.trim() === "") return { disabled: "no script is named" };
  if (made === undefined || "refused" in made) return { disabled: made?.refused ?? `its script is ${redact(name).text.slice(0, 200)}, which is not in the deployment share` };
  const why = unsuitable(context, parameters);
  if (why !== undefined && parameters !== "") return { disabled: why };
  if (fromShare(parameters) !== undefined) return { disabled: "its parameters name files of the deployment share, which no computer reaches: make a package of them" };
  const file = made.text.replace(/^"\.[\\/]+|"$/g, "").replaceAll("\\", "/");
  if (context.share.askMdt?.has(`${made.folder}/${file}`.toLowerCase()) === true) return { disabled: `${made.folder}/${file} asks MDT's own objects (Microsoft.SMS.TSEnvironment, TSEnv:), which are not there: have it use prestage-variable` };
  const words = (parameters.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/s, "$2"));
  return { steps: [{ type: "run-script", with: { language: "powershell", file, package: context.folderOfShare(made.folder), ...(words.length > 0 && { parameters: words }), ...codes(context) } }], notes: [`the share's folder ${made.folder} is imported as a package`, ...(context.share.askMdt === undefined ? ["a script that asks TSEnv: or Microsoft.SMS.TSEnvironment is to use prestage-variable"] : [])], windowsCommand: true };
};

function codes(context: TranslationContext): JsonSettings {
  const success = context.node.successCodes.filter((code) => code !== 3010 && code >= 0);
  const restartsToo = context.node.successCodes.includes(3010);
  return { ...((success.length > 1 || (success.length === 1 && success[0] !== 0)) && { successCodes: success }), ...(context.node.successCodes.length > 0 && !restartsToo && { restartCodes: [] }) };
}

export const setDynamicVariables: Translator = (context) => {
  const rules = translateDynamicRules(context.take("Rules"));
  return "refused" in rules ? { disabled: rules.refused } : one("set-dynamic-variables", { rules: rules.rules }, ...rules.notes);
};

/** Run Task Sequence: a child. */
export const runTaskSequence: Translator = (context) => {
  const id = context.take("TsPackageID") || context.take("TaskSequencePackageId") || context.take("SubTaskSequenceID");
  context.ignore(/^(TsName|TaskSequenceName|SubTaskSequenceGUID)$/i);
  return id === "" ? { disabled: "no task sequence is named" } : one("run-task-sequence", { taskSequence: context.reference("task-sequence", id) });
};
