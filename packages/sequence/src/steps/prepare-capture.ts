import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript, powerShellText } from "../windows/powershell.ts";
import { flagSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Where Windows says what state its installation is in, and what that is after sysprep (Windows Setup State Information). */
const stateKey = String.raw`HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State`;
const prepared = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE";

/** Prepare Windows for Capture (features.md F235). */
export const prepareCaptureStep = defineStepType({
  type: "prepare-capture",
  title: "Prepare for capture",
  reference: ["Prepare Windows for Capture", "Prepare Client for Capture", "MDT Execute Sysprep"],
  summary:
    "Prepares the installed system of a reference computer to become an image; capture-os-image follows, after a restart into the boot environment. Windows: by Sysprep, which takes out what belongs to this computer alone. Linux: interrupted installations are finished, the membership of a directory is given up, and downloaded packages go. What the running system needs and no image may hold - machine id, ssh host keys, leases, logs, random seed, the deployment itself - stays until the capture leaves it out.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    virtualMachine: flagSchema.default(false).describe("For Windows in a virtual machine, whose image is for the same kind of virtual machine: devices stay known (/mode:vm)"),
    leaveDirectory: flagSchema.default(true).describe("For Linux: false refuses a computer that belongs to a directory instead of forgetting its account"),
  }),
  again: "A system that is prepared already is found to be so.",
  errors: ["PRESTAGE_AGENT_NOT_READY_FOR_CAPTURE", "PRESTAGE_DISK_PROGRAM_FAILED"],
  windows: ({ virtualMachine }, { work, systemRoot }) => {
    const state = cmdlet("Get-ItemPropertyValue", { Path: stateKey, Name: "ImageState" });
    const options = ["/quiet", "/generalize", "/oobe", "/quit", ...(virtualMachine ? ["/mode:vm"] : [])];
    const lines = [
      `if ((${state}) -eq ${powerShellText(prepared)}) { exit 0 }`,
      `$sysprep = ${cmdlet("Start-Process", { FilePath: `${systemRoot}\\System32\\Sysprep\\sysprep.exe`, ArgumentList: { raw: options.map(powerShellText).join(", ") }, Wait: true, PassThru: true })}`,
      // Its exit code alone says nothing: it may be 0 where nothing was done.
      `if (($sysprep.ExitCode -eq 0) -and ((${state}) -eq ${powerShellText(prepared)})) { exit 0 }`,
      cmdlet("Write-Output", { InputObject: `Sysprep says why in ${systemRoot}\\System32\\Sysprep\\Panther\\setuperr.log.` }),
      "exit 1",
    ];
    return { files: [{ name: "prepare.ps1", content: powerShellScript(lines) }], commands: [powerShellFile(`${work}\\prepare.ps1`, [], "Sysprep")] };
  },
  example: `- name: Prepare for capture
  type: prepare-capture`,
});
