import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript, powerShellText } from "../windows/powershell.ts";
import { restartRequired } from "../windows/windows-plan.ts";
import { flagSchema, referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Roles and features of Windows (MDT's Install Roles and Features). */
export const installFeaturesStep = defineStepType({
  type: "install-features",
  title: "Install roles and features",
  reference: ["MDT Install Roles and Features"],
  summary: "Turns roles, role services and features of Windows on, or off: on a server by their names there (`Get-WindowsFeature`), on a client by those of optional features (`Get-WindowsOptionalFeature -Online`). The computer restarts after the step where Windows asks for it.",
  environments: ["installed"],
  platforms: ["windows"],
  settings: z.strictObject({
    features: z.array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, "a feature's name")).min(1).max(200).describe("Their names"),
    remove: flagSchema.default(false).describe("true: they are turned off"),
    package: referenceSchema.optional().describe("A package with their files, such as the folder sources\\sxs of the installation medium; left out: Windows' own, or Windows Update"),
  }),
  again: "What is on already stays on.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED"],
  windows: ({ features, remove, package: files }, { work, folderOf }) => {
    const Source = files === undefined || remove ? undefined : folderOf(files);
    const server = cmdlet(remove ? "Uninstall-WindowsFeature" : "Install-WindowsFeature", { Name: { raw: features.map(powerShellText).join(", ") }, Source });
    const client = features.map((FeatureName) => cmdlet(remove ? "Disable-WindowsOptionalFeature" : "Enable-WindowsOptionalFeature", { Online: true, FeatureName, ...(!remove && { All: true }), NoRestart: true, Source, LimitAccess: Source === undefined ? undefined : true }));
    const lines = [
      `if (${cmdlet("Get-Command", { Name: "Install-WindowsFeature", ErrorAction: "SilentlyContinue" })}) { $done = ${server}; if ($done.RestartNeeded -eq 'Yes') { exit ${restartRequired} } } else {`,
      "$restart = $false",
      ...client.map((one) => `$done = ${one}; if ($done.RestartNeeded -eq $true) { $restart = $true }`),
      `if ($restart -eq $true) { exit ${restartRequired} } }`,
    ];
    return { files: [{ name: "features.ps1", content: powerShellScript(lines) }], commands: [{ ...powerShellFile(`${work}\\features.ps1`, [], remove ? "turning features off" : "turning features on"), restartCodes: [restartRequired] }] };
  },
  example: `- name: .NET Framework 3.5
  type: install-features
  with: { features: [NetFx3], package: ABC00016 }`,
});
