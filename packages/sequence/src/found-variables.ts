import type { KnownVariable } from "./known-variable.ts";

const answer = "1 where it was asked for and is met, 0 where it is not; not set where nobody asked";

/** What a step finds out and says in read-only variables. */
export const foundVariables: readonly KnownVariable[] = [
  { name: "_SMSTSMake", kind: "found", meaning: "Manufacturer of the computer.", example: "LENOVO" },
  { name: "_SMSTSModel", kind: "found", meaning: "Its model.", example: "ThinkCentre M75q" },
  { name: "_SMSTSSerialNumber", kind: "found", meaning: "Its serial number.", example: "PC17" },
  { name: "_SMSTSAssetTag", kind: "found", meaning: "Its asset tag.", example: "A-2207" },
  { name: "_SMSTSUUID", kind: "found", meaning: "Its SMBIOS UUID.", example: "4C4C4544-0000-1000-8000-000000000000" },
  { name: "_SMSTSMacAddresses", kind: "found", meaning: "MAC addresses of its network adapters, commas between.", example: "52:54:00:12:34:56" },
  { name: "_SMSTSIPAddresses", kind: "found", meaning: "IP addresses it has, commas between.", example: "10.17.0.20" },
  { name: "_SMSTSDefaultGateways", kind: "found", meaning: "Gateways of its default routes, commas between.", example: "10.17.0.1" },
  { name: "_TS_CRMEMORY", kind: "found", meaning: `Memory: ${answer}.`, example: "1" },
  { name: "_TS_CRSPEED", kind: "found", meaning: "Speed of the processor, in the same way.", example: "1" },
  { name: "_TS_CRDISK", kind: "found", meaning: "Size of the disk, and free space.", example: "1" },
  { name: "_TS_CROSTYPE", kind: "found", meaning: "The operating system that is there.", example: "1" },
  { name: "_TS_CRMINOSVER", kind: "found", meaning: "Its least version.", example: "1" },
  { name: "_TS_CRMAXOSVER", kind: "found", meaning: "Its highest version.", example: "0" },
  { name: "_TS_CROSLANGUAGE", kind: "found", meaning: "Its language.", example: "1" },
  { name: "_TS_CRCLIENTMINVER", kind: "found", meaning: "Version of the agent.", example: "1" },
  { name: "_TS_CRARCH", kind: "found", meaning: "Architecture of the processor.", example: "1" },
  { name: "_TS_CRUEFI", kind: "found", meaning: "UEFI, and Secure Boot.", example: "1" },
  { name: "_TS_CRTPMENABLED", kind: "found", meaning: "A TPM 2.0. The reference's two, of which one says that it is activated, are one here: such a TPM is always.", example: "1" },
  { name: "_TS_CRACPOWER", kind: "found", meaning: "Mains power.", example: "1" },
  { name: "_TS_CRNETWORK", kind: "found", meaning: "A network with a link.", example: "1" },
  { name: "_TS_CRWIRED", kind: "found", meaning: "A wired one.", example: "1" },
  { name: "_TSAppInstallStatus", kind: "found", meaning: "How the last install-application step ended: Success; Warning, a requirement was not met; Error, one failed; Undefined, there was none to install.", example: "Success" },
  { name: "_PrestageCapturedImage", kind: "found", meaning: "Path of the .wim that was captured.", example: "/mnt/share/branch.wim" },
];
