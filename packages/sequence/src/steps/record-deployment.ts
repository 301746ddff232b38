import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript } from "../windows/powershell.ts";
import { defineStepType } from "./step-definition.ts";

const value = (what: string) => z.string().max(1000).regex(/^[^\p{Cc}]*$/u, "one line").optional().describe(what);

/** What is kept, by the name it has in the registry; on Linux PRESTAGE_ and the name in capitals. */
export const recordedValues = { taskSequence: "TaskSequence", taskSequenceName: "TaskSequenceName", deployment: "Deployment", site: "Site" } as const;
const key = String.raw`HKLM:\SOFTWARE\Prestage\Deployment`;

/** Writes on the computer what deployed it (MDT's Tattoo). */
export const recordDeploymentStep = defineStepType({
  type: "record-deployment",
  title: "Record the deployment",
  reference: ["MDT Tattoo"],
  summary: "Writes on the computer what it was deployed by, for inventories and scripts: /etc/prestage-deployment on Linux, lines of NAME=\"VALUE\" as in os-release; HKLM\\SOFTWARE\\Prestage\\Deployment on Windows. Its time is there as well.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    taskSequence: value("The task sequence's id"), taskSequenceName: value("Its name"), deployment: value("The deployment's id"), site: value("The site's code"),
    more: z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,62}$/, "letters and digits"), z.string().max(1000).regex(/^[^\p{Cc}]*$/u, "one line")).default({}).describe("More values by name, such as an image's version"),
  }),
  variables: { taskSequence: "_SMSTSPackageID", taskSequenceName: "_SMSTSPackageName", deployment: "_SMSTSAdvertID", site: "_SMSTSSiteCode" },
  again: "The record is written anew.",
  windows: (settings, { work }) => {
    const set = (Name: string, Value: string | { raw: string }) => `${cmdlet("New-ItemProperty", { Path: key, Name, Value, PropertyType: "String", Force: true })} | ${cmdlet("Out-Null")}`;
    const lines = [`if (-not (${cmdlet("Test-Path", { Path: key })})) { ${cmdlet("New-Item", { Path: key, Force: true })} | ${cmdlet("Out-Null")} }`, ...Object.entries(recordOf(settings)).map(([name, text]) => set(name, text)), set("Time", { raw: `(${cmdlet("Get-Date", { Format: "o" })})` })];
    return { files: [{ name: "record.ps1", content: powerShellScript(lines) }], commands: [powerShellFile(`${work}\\record.ps1`, [], "writing the record")] };
  },
  example: `- name: Record
  type: record-deployment
  with: { more: { ImageVersion: "2026.11" } }`,
});

/** The record's values by name, without those that are not known. */
export function recordOf({ more, ...settings }: { more: Readonly<Record<string, string>> } & { [name in keyof typeof recordedValues]?: string | undefined }): Record<string, string> {
  const own = (Object.keys(recordedValues) as (keyof typeof recordedValues)[]).flatMap((name) => (settings[name] === undefined ? [] : [[recordedValues[name], settings[name]] as const]));
  return { ...Object.fromEntries(own), ...more };
}
