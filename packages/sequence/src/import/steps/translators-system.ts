import { redact } from "../redact.ts";
import { isTrue } from "../source-sequence.ts";
import { one } from "../translation.ts";
import type { JsonSettings, TranslatedStep, TranslationContext, Translator } from "../translation.ts";

/** The disk that the deployment goes to was partitioned by `prestage stage`; another one is a step's work, in Windows, which counts disks as the source does. */
export const partitionDisk: Translator = (context) => {
  const disk = context.take("DiskIndex") || context.take("OSDDiskIndex") || "0";
  const style = context.take("PartitionStyle") || context.take("DiskType");
  const partitions = partitionsOf(context);
  context.ignore(/./);
  const names = partitions.map((one) => one.volume).filter((name) => name !== "");
  if (disk === "0") return { notNeeded: `\`prestage stage\` has partitioned the disk, with one volume for system and data${names.length === 0 ? "" : `; the partitions there were ${names.join(", ")}`}` };
  if (!/^(\d{1,5}|%[A-Za-z]\w{0,200}%)$/.test(disk)) return { disabled: `its disk is ${disk.slice(0, 40)}: name it in a partition-disk step` };
  if (/^mbr$/i.test(style)) return { disabled: "it writes an MBR; partition-disk writes a GPT alone" };
  const settings = partitions.map(({ volume, type, size, unit, fileSystem, quick, letter }, i): JsonSettings | undefined => {
    const kind = { primary: "windows", "": "windows", efi: "efi", msr: "msr", recovery: "recovery" }[type.toLowerCase()];
    const system = { ntfs: "ntfs", fat32: "fat32", "": undefined, raw: "none" }[fileSystem.toLowerCase()];
    const amount = Number(size);
    const sized = /^%|^percent/i.test(unit) ? { sizePercent: amount } : { sizeMiB: Math.round(amount * (/^gb/i.test(unit) ? 1024 : 1)) };
    const known = fileSystem === "" || system !== undefined;
    if (kind === undefined || !known || !Number.isFinite(amount) || amount <= 0 || ("sizePercent" in sized && (!Number.isInteger(amount) || amount > 100))) return undefined;
    const name = volume.replace(/[^A-Za-z0-9 _-]/g, "").slice(0, 36) || `Partition ${i + 1}`;
    return { name, ...sized, type: kind, ...(system !== undefined && kind !== "msr" && { fileSystem: system }), ...(/^false$/i.test(quick) && { quickFormat: false }), ...(/^[A-Za-z]\w{0,200}$/.test(letter) && kind === "windows" && { variable: letter }) };
  });
  if (settings.length === 0 || settings.length > 16 || settings.some((one) => one === undefined)) return { disabled: `it partitions the disk ${disk} in a way that partition-disk has not: name the partitions in such a step` };
  return { steps: [{ type: "partition-disk", with: { disk, partitions: settings.filter((one) => one !== undefined) } }], notes: [`disk ${disk} as Windows counts them`], windowsCommand: true, inInstalled: true };
};

interface SourcePartition { volume: string; type: string; size: string; unit: string; fileSystem: string; quick: string; letter: string }

/** Partitions0Type, Partitions0Size and so on; both products write them alike. */
function partitionsOf(context: TranslationContext): SourcePartition[] {
  const count = Math.max(0, ...context.node.settings.map((one) => /Partitions(\d{1,2})(Type|Size|VolumeName|FileSystem)$/i.exec(one.property)?.[1]).filter((number) => number !== undefined).map((number) => Number(number) + 1));
  return Array.from({ length: count }, (_, i) => {
    const text = (name: string) => redact(context.take(`Partitions${i}${name}`) || context.take(`OSDPartitions${i}${name}`) || context.take(`OSDDiskPartitions${i}${name}`)).text.slice(0, 256);
    return { volume: text("VolumeName").slice(0, 40), type: text("Type"), size: text("Size"), unit: text("SizeUnits"), fileSystem: text("FileSystem"), quick: text("QuickFormat"), letter: text("VolumeLetterVariable") };
  });
}

/** Apply Data Image, onto a partition that is named. */
export const applyDataImage: Translator = (context) => {
  const image = context.take("ImagePackageID");
  const [disk, partition] = [context.take("DestinationDisk"), context.take("DestinationPartition")];
  const variable = context.take("DestinationVariable");
  const named = /^[A-Za-z]\w{0,200}$/.test(variable) && partition === "";
  if (image === "" || (!named && !/^[1-9]\d?$/.test(partition))) return { disabled: `its destination is ${variable || context.take("DestinationLogicalDrive") || "the next free partition"}: name disk and partition in an apply-data-image step` };
  if (disk !== "" && disk !== "0") return { disabled: `its destination is the disk ${disk.slice(0, 20)}, which is named by its device here` };
  const [index, wipe] = [context.take("ImageIndex"), context.take("WipeDestinationPartition")];
  return one("apply-data-image", { osImage: context.reference("os-image", image), partition: named ? `%${variable}%` : Number(partition), ...(/^[1-9]\d{0,3}$/.test(index) && { index: Number(index) }), ...(wipe !== "" && !isTrue(wipe) && { wipe: false }) }, named ? `%${variable}% is to hold a partition's device or number, as partition-disk sets it` : undefined);
};

const windowsSettings: readonly (readonly [setting: string, property: string])[] = [
  ["computerName", "ComputerName"], ["registeredOwner", "RegisteredUserName"], ["registeredOrganization", "RegisteredOrgName"], ["productKey", "ProductKey"], ["timeZone", "TimeZone"],
  ["inputLocale", "InputLocale"], ["systemLocale", "SystemLocale"], ["uiLanguage", "UILanguage"], ["uiLanguageFallback", "UILanguageFallback"], ["userLocale", "UserLocale"],
];

/** Apply Windows Settings. */
export const applyWindowsSettings: Translator = (context) => {
  const settings: JsonSettings = Object.fromEntries(windowsSettings.flatMap(([setting, property]) => {
    const value = context.take(property);
    return value === "" ? [] : [[setting, value] as const];
  }));
  const random = context.take("RandomAdminPassword");
  context.ignore(/^(ServerLicense.*|AdministratorPassword|LocalAdminPassword)$/i);
  if (random !== "" && !isTrue(random)) return { disabled: "it sets the password of the local Administrator, which no export holds: apply-windows-settings leaves that account disabled; set a password in the installed system, by run-script with a secret" };
  return one("apply-windows-settings", settings, "the built-in Administrator stays disabled");
};

/** Apply Network Settings: adapters; a domain is joined later, by a step that has its password from the site. */
export const applyNetworkSettings: Translator = (context) => {
  const [type, adapters, workgroup] = [context.take("NetworkJoinType"), Number(context.take("NumAdapters") || "0"), context.take("WorkgroupName")];
  if (type === "0") return { disabled: "it joins a domain by a password that would stand in the answer file: use join-directory in the installed system" };
  context.ignore(/^(DomainUsername|EnableTCPIPFiltering)$/i);
  const left = context.node.settings.filter((one) => /^Adapter\d+(WINS|Enable(WINS|LMHOSTS|TCPIP|Dynamic|Full)|Tcpip|Protocol|TCPFilter|UDPFilter)/i.test(one.property) && !/^(|false|0)$/i.test(one.value)).map((one) => one.property);
  const leftNote = left.length === 0 ? undefined : `not carried over: ${left.join(", ")}`;
  if (adapters === 0) return { notNeeded: `every adapter has its address by DHCP${workgroup === "" || /^workgroup$/i.test(workgroup) ? "" : `; the workgroup ${workgroup.slice(0, 30)} is not set`}` };
  const settings = Array.from({ length: Math.min(16, adapters) }, (_, i) => adapterOf(context, i));
  return settings.some((found) => found === undefined) ? { disabled: "an adapter's addresses and masks do not fit together" } : one("apply-network-settings", { adapters: settings.filter((found) => found !== undefined) }, workgroup === "" ? undefined : `the workgroup ${workgroup.slice(0, 30)} is not set`, leftNote);
};

function adapterOf(context: TranslationContext, i: number): JsonSettings | undefined {
  const text = (name: string) => context.take(`Adapter${i}${name}`);
  const list = (name: string) => text(name).split(",").map((part) => part.trim()).filter((part) => part !== "");
  const [hosts, masks] = [list("IPAddressList"), list("SubnetMask")];
  const prefixes = masks.map((mask) => /^1*0*$/.exec(mask.split(".").map((part) => Number(part).toString(2).padStart(8, "0")).join(""))?.[0].replaceAll("0", "").length);
  context.ignore(new RegExp(`^Adapter${i}(Index|Name|Enable.*|TCPIP.*|Full.*|Gateways.*|WINS.*)$`, "i"));
  if (hosts.length !== masks.length || prefixes.some((prefix) => prefix === undefined)) return undefined;
  const mac = text("MACAddress");
  return {
    ...(mac !== "" && { mac }), ...(isTrue(text("EnableDHCP")) && { dhcp: true }), addresses: hosts.map((host, n) => `${host}/${prefixes[n] ?? 0}`), gateways: list("Gateways"), dnsServers: list("DNSServerList"),
    ...(text("DNSSuffix") !== "" && { searchDomains: [text("DNSSuffix")] }),
  };
}

/** Join Domain or Workgroup: the account's password is no part of an export, and is kept at the site. */
export const joinDomain: Translator = (context) => {
  const [type, domain, place, account] = [context.take("Type"), context.take("DomainName"), context.take("DomainOUName"), context.take("DomainUsername")];
  context.ignore(/^(SkipReboot|DomainPassword|WorkgroupName)$/i);
  if (type === "1" || domain === "") return joinWorkgroup(context.take("WorkgroupName"));
  return join(domain, place, account);
};

function joinWorkgroup(workgroup: string): ReturnType<Translator> {
  if (!/^%[A-Za-z]\w*%$|^[^\p{Cc}"/\\[\]:;|=,+*?<>.%\s][^\p{Cc}"/\\[\]:;|=,+*?<>.%]{0,14}$/u.test(workgroup)) return { disabled: "it joins a workgroup whose name is none" };
  return one("join-workgroup", { workgroup });
}

/** Capture Network Settings. */
export const captureNetworkSettings: Translator = (context) => {
  const [adapters, membership] = [context.take("MigrateAdapterSettings"), context.take("MigrateNetworkMembership")];
  return one("capture-network-settings", { ...(adapters !== "" && !isTrue(adapters) && { adapters: false }), ...(isTrue(membership) && { membership: true }) });
};

/** Capture Windows Settings. */
export const captureWindowsSettings: Translator = (context) => {
  const [name, registration, zone] = ["MigrateComputerName", "MigrateRegistrationInfo", "MigrateTimeZone"].map((property) => isTrue(context.take(property)));
  return one("capture-system-settings", { computerName: name === true, registration: registration === true, timeZone: zone === true, language: false });
};

export function join(domain: string, place: string, account: string): ReturnType<Translator> {
  if (redact(account).found) return { disabled: "its account looks like a password and is left out" };
  const full = /^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$|%/.test(domain);
  if (!full) return { disabled: `it joins ${domain.slice(0, 60)}, a domain's short name: join-directory needs the full one` };
  return one("join-directory", { domain, ...(place !== "" && { organizationalUnit: place }), ...(account !== "" && { account }), password: { secret: "JOIN_PASSWORD" } }, "the account's password is kept at the site: prestage secret set JOIN_PASSWORD");
}

/** Enable BitLocker. */
export const enableBitLocker: Translator = (context) => {
  const [mode, recovery, drive] = [context.take("Mode") || "TPM", context.take("CreateRecoveryPassword") || "AD", context.take("Drive")];
  context.ignore(/^(WaitForEncryption|EncryptFullDisk|SkipWhenTPMInvalid)$/i);
  return bitLocker(mode, recovery, drive, isTrue(context.take("EncryptFullDisk")), isTrue(context.take("WaitForEncryption")));
};

/** `mode` and `recovery` as both products write them. */
export function bitLocker(mode: string, recovery: string, drive: string, full: boolean, waits: boolean): ReturnType<Translator> {
  const pin = /^TPMPIN$|^TPMANDPIN$/i.test(mode.replaceAll(/[\s+_-]/g, ""));
  if (!pin && !/^TPM$/i.test(mode)) return { disabled: `its key is on a stick (${mode.slice(0, 30)}); enable-bitlocker knows the TPM, with and without a PIN` };
  return one("enable-bitlocker", { ...(/^[A-Za-z]:$/.test(drive) && { drive }), ...(pin && { protector: "tpmAndPin", pin: { secret: "BITLOCKER_PIN" } }), recoveryTo: /^AD$/i.test(recovery) ? "active-directory" : "nowhere", ...(full && { usedSpaceOnly: false }) },
    pin ? "the PIN is kept at the site: prestage secret set BITLOCKER_PIN" : undefined, waits ? "the sequence does not wait until everything is encrypted" : undefined);
}

/** Disable BitLocker: in both products it is suspended. */
export const disableBitLocker: Translator = (context) => {
  const [count, drive] = [context.take("RebootCount"), context.take("Drive")];
  return one("disable-bitlocker", { ...(/^[A-Za-z]:$/.test(drive) && { drive }), ...(/^(\d|1[0-5])$/.test(count) && { restarts: Number(count) }) });
};

/** Auto Apply Drivers chooses from the site's catalogue of drivers; here from driver packages that are named. */
export const autoApplyDrivers: Translator = (context) => {
  const best = context.take("BestMatch");
  context.ignore(/./);
  return one("auto-apply-drivers", { driverPackages: [context.reference("driver-package", "Drivers of the catalogue")], ...(best !== "" && !isTrue(best) && { choose: "all" }) }, "import the drivers as driver packages and name them: there is no catalogue of single drivers");
};

/** Connect to Network Folder: what used its drive letter uses the variable. */
export const connectNetworkFolder: Translator = (context) => {
  const [path, account, letter] = [context.take("Path"), context.take("Username"), context.take("DriveLetter")];
  context.ignore(/^Password$/i);
  if (path === "" || redact(path).found) return { disabled: "no folder is named" };
  const variable = `Folder${letter.replace(/[^A-Za-z]/g, "").toUpperCase()}`;
  return one("connect-network-folder", { path, variable, readOnly: false, ...(account !== "" && { account, password: { secret: "FOLDER_PASSWORD" } }) }, `%${variable}% stands for the drive ${letter || "letter"}`, account === "" ? undefined : "the account's password is kept at the site: prestage secret set FOLDER_PASSWORD");
};

/** Setup Windows and ConfigMgr: Windows Setup runs at the first start, and the agent goes on after it. */
export const setUpWindows: Translator = (context) => {
  context.ignore(/^(ClientInstallProperties|ClientPackageID|ClientPackageName|SMSClient.*|_SMSClient.*|DisableClientUpgrade)$/i);
  return one("restart", { to: "installed" }, "Windows Setup reads its answer file at this start; the agent goes on afterwards, and no client of Configuration Manager is installed");
};

/** MDT's Connect to UNC path. */
export const connectOfMdt: Translator = (context) => {
  const [, path = ""] = /\/uncpath:("[^"]+"|\S+)/i.exec(context.node.action) ?? [];
  context.ignore(/./);
  const share = path.replaceAll('"', "");
  if (!/^(\\\\|%)/.test(share) || redact(share).found) return { disabled: "no folder is named" };
  const of = (account: boolean): TranslatedStep => ({ type: "connect-network-folder", name: account ? "Connect" : "Connect as a guest", with: { path: share, variable: "NetworkFolder", readOnly: false, ...(account && { account: String.raw`%UserDomain%\%UserID%`, password: { secret: "USER_PASSWORD" } }) }, when: account ? { variable: "UserID", exists: true } : { variable: "UserID", notExists: true } });
  return { steps: [of(true), of(false)], notes: ["%NetworkFolder% is where it is", "the account UserID has its password at the site: prestage secret set USER_PASSWORD"] };
};
