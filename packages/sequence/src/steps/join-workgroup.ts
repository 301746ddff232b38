import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript, powerShellText } from "../windows/powershell.ts";
import { restartRequired } from "../windows/windows-plan.ts";
import { defineStepType } from "./step-definition.ts";

/** Join Domain or Workgroup (features.md F235): a workgroup; join-directory joins domains. */
export const joinWorkgroupStep = defineStepType({
  type: "join-workgroup",
  title: "Join workgroup",
  reference: ["Join Domain or Workgroup"],
  summary: "Makes an installed Windows a member of a workgroup, by Add-Computer, and a restart. One that belongs to a domain stays there, and the step fails: it would take an account of that domain to leave it. On Linux a workgroup means nothing but a line of smb.conf.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({ workgroup: z.string().regex(/^[^\p{Cc}"/\\[\]:;|=,+*?<>.\s][^\p{Cc}"/\\[\]:;|=,+*?<>.]{0,14}$/u, "at most 15 characters that a workgroup's name may have").describe("Its name") }),
  variables: { workgroup: "OSDWorkgroupName" },
  again: "A computer that is in the workgroup stays so.",
  windows: ({ workgroup }, { work }) => {
    const lines = [
      `$computer = ${cmdlet("Get-CimInstance", { ClassName: "Win32_ComputerSystem" })}`,
      "if ($computer.PartOfDomain) { $host.UI.WriteErrorLine('This computer belongs to a domain; it stays there.'); exit 1 }",
      `if ($computer.Workgroup -eq ${powerShellText(workgroup)}) { exit 0 }`,
      cmdlet("Add-Computer", { WorkgroupName: workgroup, Force: true }),
      `exit ${restartRequired}`,
    ];
    return { files: [{ name: "workgroup.ps1", content: `\uFEFF${powerShellScript(lines)}` }], commands: [{ ...powerShellFile(`${work}\\workgroup.ps1`, [], "joining the workgroup"), restartCodes: [restartRequired] }] };
  },
  example: `- name: Workgroup
  type: join-workgroup
  with: { workgroup: BRANCHES }`,
});
