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
  { name: "OSDTargetSystemDrive", kind: "asked", meaning: "Where the volume of the deployed system is; set by apply-os-image, and by the agent to / or C: once the sequence goes on there.", example: "/mnt/data" },
  { name: "TSProgressInfoLevel", kind: "given", meaning: "What the steps screen counts: 1 steps, 2 steps and percent, 3 percent alone.", example: "2" },
  { name: "TSDisableProgressUI", kind: "given", meaning: "true: the steps screen shows no step, only that this computer is being set up. May be set and unset between steps.", example: "true" },
  { name: "SMSTSErrorDialogTimeout", kind: "given", meaning: "Seconds a failed sequence's error stands in the boot environment before the computer restarts by itself, 900 where nothing is set; 0: until a key is pressed. Not while a support shell is open, and not on unattended media, which has 60 seconds.", example: "0" },
  { name: "SMSTSRebootMessage", kind: "given", meaning: "What stands on the screen before a restart that a step asks for, for 60 seconds where SMSTSRebootDelay says nothing else.", example: "The new system starts now." },
  { name: "SMSTSRebootDelay", kind: "given", meaning: "Seconds a restart is announced before, a day at most; a key ends the wait. 0: not at all, as where neither of the two is set.", example: "30" },
  { name: "SMSTSRebootDelayNext", kind: "given", meaning: "The same from the second restart on.", example: "5" },
  { name: "SMSRebootMessage", kind: "given", meaning: "The message of a restart step that has none.", example: "The new system starts now." },
  { name: "SMSRebootTimeout", kind: "given", meaning: "Seconds it stands where that step says nothing.", example: "10" },
  { name: "SMSTSLanguageFolder", kind: "given", meaning: "Language of the screens, by a locale's number or name: 0409 and en-US are English, 040c and fr-FR French. Another one changes nothing. On the media it counts from the start.", example: "040c" },
  { name: "SMSTSDisableStatusRetry", kind: "given", meaning: "true: once a status message could not be sent (three tries) none is tried before the next start of the agent, and nothing waits for one; what was not delivered at the end is lost.", example: "true" },
  { name: "SMSTSMPListRequestTimeout", kind: "given", meaning: "Milliseconds a management point may take to say where content lies, 1,000 to 600,000; 60,000 where nothing is set.", example: "10000" },
  { name: "SMSTSWaitForSecondReboot", kind: "given", meaning: "Seconds, 7,200 at most, the sequence waits after a restart that install-updates asked for: updates that restart the computer once more do not meet the next step.", example: "600" },
  { name: "SMSTSSoftwareUpdateScanTimeout", kind: "given", meaning: "Seconds the repositories may take to answer an install-updates step; 3,600 where nothing is set.", example: "1800" },
  { name: "OSDDoNotLogCommand", kind: "given", meaning: "true: the values put into the command lines of run-command-line, run-script and install-package are not logged. Secrets never are.", example: "true" },
  { name: "OSDAppInstallRetries", kind: "given", meaning: "How often install-application tries an application again that failed; 0 where nothing is set.", example: "2" },
  { name: "OSDAppInstallRetryTimeout", kind: "given", meaning: "Milliseconds before it does; 30,000 where nothing is set.", example: "10000" },
  { name: "TSErrorOnWarning", kind: "given", meaning: "true: an application whose requirement this computer does not meet fails install-application.", example: "true" },
  { name: "OSDStateStorePath", kind: "asked", meaning: "Where users' files are captured to and restored from; set by request-state-store, no more after release-state-store.", example: "/prestage/user-state" },
];
