/** A variable that the engine, the agent or a step knows by name. */
export interface KnownVariable {
  name: string;
  /** engine: said by the engine, read-only; asked: set by a step, read by the engine; given: set at the site, on the media or by a step before it is used. */
  kind: "engine" | "asked" | "given";
  meaning: string;
  example: string;
}

/** In the order of the documentation. */
export const knownVariables: readonly KnownVariable[] = [
  { name: "_SMSTSMediaType", kind: "engine", meaning: "What the sequence was started from: OEMMedia, prestaged media.", example: "OEMMedia" },
  { name: "_SMSTSLaunchMode", kind: "engine", meaning: "How the environment was started: HD, from the computer's own disk.", example: "HD" },
  { name: "_SMSTSInWinPE", kind: "engine", meaning: "true in the boot environment, false in the installed system.", example: "true" },
  { name: "_SMSTSBootUEFI", kind: "engine", meaning: "Whether the firmware is UEFI.", example: "true" },
  { name: "_TSSecureBoot", kind: "engine", meaning: "NA, Enabled or Disabled, as the firmware says.", example: "Enabled" },
  { name: "_SMSTSTimezone", kind: "engine", meaning: "The time zone of the system the step runs in, by its name in the IANA database.", example: "Europe/Berlin" },
  { name: "_SMSTSAdvertID", kind: "engine", meaning: "The deployment that runs.", example: "ABC20001" },
  { name: "_SMSTSPackageID", kind: "engine", meaning: "The task sequence that runs.", example: "ABC00006" },
  { name: "_SMSTSPackageName", kind: "engine", meaning: "Its name.", example: "Debian for branch offices" },
  { name: "_SMSTSMachineName", kind: "engine", meaning: "The computer's name at the site.", example: "BRANCH-07" },
  { name: "_SMSTSSiteCode", kind: "engine", meaning: "The site.", example: "ABC" },
  { name: "_SMSTSCurrentActionName", kind: "engine", meaning: "The step that runs.", example: "Apply the system" },
  { name: "_SMSTSLastActionName", kind: "engine", meaning: "The step that ended last; one that was skipped changes nothing.", example: "Set up" },
  { name: "_SMSTSLastActionRetCode", kind: "engine", meaning: "Its exit code; 1 for a failure without one.", example: "0" },
  { name: "_SMSTSLastActionSucceeded", kind: "engine", meaning: "Whether it succeeded.", example: "true" },
  { name: "SMSTSRebootRequested", kind: "asked", meaning: "HD or WinPE: restart into the installed system or the boot environment when the step has ended. The engine clears it.", example: "HD" },
  { name: "SMSTSRetryRequested", kind: "asked", meaning: "true: run the same step again after that restart. The engine clears it; after 20 restarts the step has failed.", example: "true" },
  { name: "SMSTSPostAction", kind: "asked", meaning: "A command for the very end, which nobody waits for; it is run when everything is reported and cleaned up.", example: "systemctl poweroff" },
  { name: "SMSTSPreferredAdvertID", kind: "given", meaning: "The deployment to run without asking; the only way to a hidden one.", example: "ABC20001" },
  { name: "SMSTSUDAUsers", kind: "given", meaning: "Users of this computer, domain\\user with commas between.", example: "CORP\\ann,CORP\\bo" },
  { name: "SMSTSAssignUsersMode", kind: "given", meaning: "Auto, Pending or Disabled; makes the media's mode stricter, never looser.", example: "Pending" },
  { name: "OSDComputerName", kind: "given", meaning: "Name of the computer where the step names none.", example: "BRANCH-07" },
  { name: "OSDAdapterCount", kind: "given", meaning: "Number of network adapters an apply-network-settings step without `adapters` sets up, by the array variables that it names.", example: "1" },
  { name: "OSDAdapter0IPAddressList", kind: "given", meaning: "Addresses of the first of them, commas between; OSDAdapter1IPAddressList of the second, and so on.", example: "10.17.0.20" },
  { name: "OSDDNSSuffixSearchOrder", kind: "given", meaning: "Domains in which names are looked up, for all adapters.", example: "example.org,example.net" },
  { name: "OSDWipeDestinationPartition", kind: "given", meaning: "false: an apply-data-image step that does not say otherwise lays its image over what is there.", example: "false" },
  { name: "OSDJoinDomainName", kind: "given", meaning: "The domain a join-directory step joins that names none.", example: "ad.example.org" },
  { name: "OSDJoinDomainOUName", kind: "given", meaning: "Where the computer account is made.", example: "OU=Branches,DC=ad,DC=example,DC=org" },
  { name: "OSDJoinAccount", kind: "given", meaning: "Who joins; the password is a secret of the site.", example: "joiner" },
  { name: "SMSTSConnectNetworkFolderPath", kind: "given", meaning: "The folder a connect-network-folder step mounts that names none.", example: "\\\\files.example.org\\drawings" },
  { name: "SMSTSConnectNetworkFolderAccount", kind: "given", meaning: "The account it is mounted with.", example: "EXAMPLE\\reader" },
  { name: "WSUSServer", kind: "given", meaning: "The update server a Windows asks in an install-updates step that names none.", example: "http://wsus.example.org:8530" },
  { name: "OSDStateStorePath", kind: "asked", meaning: "Where users' files are captured to and restored from; set by request-state-store, no more after release-state-store.", example: "/prestage/user-state" },
];
