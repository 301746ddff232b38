import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript, powerShellText } from "../windows/powershell.ts";
import { flagSchema, secretSetting } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const drive = z.string().regex(/^[A-Za-z]:$/, "a drive such as C:");
const methods = { aes128: "Aes128", aes256: "Aes256", xtsAes128: "XtsAes128", xtsAes256: "XtsAes256" } as const;

/** Enable BitLocker (features.md F235, F236, F238). */
export const enableBitLockerStep = defineStepType({
  type: "enable-bitlocker",
  title: "Enable BitLocker",
  reference: ["Enable BitLocker", "MDT Enable BitLocker"],
  summary: "Encrypts a drive of Windows with BitLocker, once its recovery password is kept in the directory. Where the drive is encrypted already its protection is resumed. Nothing is skipped and nothing is chosen in place of what was asked for: a computer without a TPM fails the step, and so does a Windows without the cipher, where the reference goes on with its messages 11912 and 11911. For computers without one: `when: { hardware: tpm, exists: true }`. The site keeps no recovery passwords.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({
    drive: drive.default("C:").describe("The drive"),
    protector: z.enum(["tpm", "tpmAndPin"]).default("tpm").describe("What opens it at start"),
    pin: secretSetting.optional().describe("The PIN, for tpmAndPin"),
    recoveryTo: z.enum(["active-directory", "entra-id", "nowhere"]).default("active-directory").describe("Where the recovery password is kept; the step fails where that fails"),
    method: z.enum(["aes128", "aes256", "xtsAes128", "xtsAes256"]).default("xtsAes256").describe("The cipher"),
    usedSpaceOnly: flagSchema.default(true).describe("true: only what is in use is encrypted; enough for a disk that never held anything else"),
    skipHardwareTest: flagSchema.default(true).describe("true: it begins at once; false: after a test at the next start"),
  }).refine((value) => (value.protector === "tpmAndPin") === (value.pin !== undefined), "a pin is given for tpmAndPin, and only then"),
  again: "What is there already - recovery password, protector, encryption - is found and left.",
  windows: ({ drive: mountPoint, protector, pin, recoveryTo, method, usedSpaceOnly, skipHardwareTest }, { work }) => {
    const at = { MountPoint: mountPoint };
    const recoveryOf = cmdlet("Get-BitLockerVolume", at);
    const lines = [
      `$volume = ${recoveryOf}`,
      `$recovery = @($volume.KeyProtector | ${cmdlet("Where-Object", { Property: "KeyProtectorType", EQ: true, Value: "RecoveryPassword" })})`,
      // What it prints is the password: a warning, and the volume with it.
      `if ($recovery.Count -eq 0) { ${cmdlet("Add-BitLockerKeyProtector", { ...at, RecoveryPasswordProtector: true, WarningAction: "SilentlyContinue" })} | ${cmdlet("Out-Null")} }`,
      `$recovery = @((${recoveryOf}).KeyProtector | ${cmdlet("Where-Object", { Property: "KeyProtectorType", EQ: true, Value: "RecoveryPassword" })})`,
      ...(recoveryTo === "nowhere" ? [] : [`${cmdlet(recoveryTo === "entra-id" ? "BackupToAAD-BitLockerKeyProtector" : "Backup-BitLockerKeyProtector", { ...at, KeyProtectorId: { raw: "$recovery[0].KeyProtectorId" } })} | ${cmdlet("Out-Null")}`]),
      ...(protector === "tpmAndPin" ? [`$pin = ${cmdlet("ConvertTo-SecureString", { String: { raw: `$env:${pinName}` }, AsPlainText: true, Force: true })}`] : []),
      `if ($volume.VolumeStatus -eq ${powerShellText("FullyDecrypted")}) { ${cmdlet("Enable-BitLocker", {
        ...at, EncryptionMethod: methods[method], UsedSpaceOnly: usedSpaceOnly ? true : undefined, SkipHardwareTest: skipHardwareTest ? true : undefined,
        ...(protector === "tpmAndPin" ? { TpmAndPinProtector: true, Pin: { raw: "$pin" } } : { TpmProtector: true }),
      })} | ${cmdlet("Out-Null")} } else { ${cmdlet("Resume-BitLocker", at)} | ${cmdlet("Out-Null")} }`,
    ];
    return { files: [{ name: "enable-bitlocker.ps1", content: powerShellScript(lines) }], commands: [{ ...powerShellFile(`${work}\\enable-bitlocker.ps1`, [], "turning BitLocker on"), ...(pin && { secrets: { [pinName]: pin } }) }] };
  },
  example: `- name: BitLocker
  type: enable-bitlocker
  with: { drive: "C:", protector: tpm, recoveryTo: active-directory }`,
});

const pinName = "PRESTAGE_PIN";

/** Disable BitLocker: as in the reference, protection is suspended, nothing is decrypted (F235). */
export const disableBitLockerStep = defineStepType({
  type: "disable-bitlocker",
  title: "Disable BitLocker",
  reference: ["Disable BitLocker"],
  summary: "Suspends the protection of a drive that BitLocker encrypts, for a number of starts. Nothing is decrypted.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({
    drive: drive.default("C:").describe("The drive"),
    restarts: z.union([z.int(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.int().min(0).max(15)).default(1).describe("How many starts it stays suspended; 0: until it is resumed"),
  }),
  again: "It is suspended already, and is so anew.",
  windows: ({ drive: on, restarts }) => ({ commands: [{ what: "suspending BitLocker", program: "manage-bde.exe", arguments: ["-protectors", "-disable", on, "-rebootcount", String(restarts)] }] }),
  example: `- name: Suspend BitLocker
  type: disable-bitlocker
  with: { drive: "C:", restarts: 1 }`,
});
