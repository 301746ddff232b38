import { z } from "zod";
import { powerShellFile } from "../windows/powershell.ts";
import { addWindowsUpdate } from "../windows/programs.ts";
import { restartRequired } from "../windows/windows-plan.ts";
import { useUpdateServer, windowsUpdateScript } from "../windows/update-script.ts";
import { flagSchema, integerSchema, referenceSchema, timeoutSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** Install Software Updates (features.md F237), and MDT's updates before the first start. */
export const installUpdatesStep = defineStepType({
  type: "install-updates",
  title: "Install software updates",
  reference: ["Install Software Updates", "MDT Windows Update", "MDT Apply Patches"],
  summary:
    "Installs updates of the system: all, those of security alone, or those that are named; from where the system gets its updates, or from a package without any network. Linux: by apt-get, dnf or zypper; nothing that is installed is removed, and with apt-get nothing is written to the EFI system partition as long as the deployment lasts. Windows: by the Windows Update Agent, again after each restart it asks for until it finds none; from a package, files .msu and .cab, in the order of their names. In the boot environment a package is laid onto the Windows that was applied, which installs it at its first start. Where updates ask for a restart it happens after the step, which then has the exit code 3010.",
  environments: ["environment", "installed"],
  environmentsOnLinux: ["installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      updates: z.enum(["all", "security"]).default("all").describe("Which: all, or those of security"),
      names: z.array(z.string().regex(/^([a-z0-9][a-z0-9+._-]{0,127}|[Kk][Bb]\d{6,9})$/, "a package of the system, such as openssl, or for Windows an article, such as KB5030219")).min(1).max(200).optional().describe("These alone, where they are installed and an update is there: packages of Linux, or for Windows articles such as KB5030219"),
      package: referenceSchema.optional().describe("A package of files .deb, .rpm, .msu or .cab to take them from, without any network"),
      server: z.string().max(500).regex(/^https?:\/\/[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/, "a server's address, such as http://wsus.example.org:8530").optional().describe("For Windows: the update server (WSUS) this computer is to ask from now on"),
      restart: flagSchema.default(true).describe("false: no restart, though updates ask for one"),
      scanTimeoutSeconds: integerSchema.pipe(z.int().min(1).max(86_400)).default(3600).describe("Seconds until the repositories have to have answered apt-get, dnf or zypper; Windows bounds its search itself, and timeoutSeconds the whole"),
      timeoutSeconds: timeoutSchema,
    })
    .refine((value) => value.package === undefined || value.names === undefined, "a package holds what is wanted: no names beside it"),
  variables: { server: "WSUSServer", scanTimeoutSeconds: "SMSTSSoftwareUpdateScanTimeout" },
  again: "What is installed already is not installed again; a package manager that was cut short is finished first.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_AGENT_NOT_WINDOWS"],
  windows: ({ updates, names, package: id, server, restart }, { work, filesIn }) => {
    const codes = restart ? { restartCodes: [restartRequired] } : { successCodes: [restartRequired] };
    if (id !== undefined) return { commands: filesIn(id).filter((path) => /\.(msu|cab)$/i.test(path)).map((path) => addWindowsUpdate(path, codes)) };
    if (names?.some((name) => !/^kb\d/i.test(name)) === true) return "updates of Windows are named by their articles, such as KB5030219";
    return {
      files: [{ name: "install-updates.ps1", content: windowsUpdateScript({ updates, articles: names?.map((name) => name.slice(2)) }) }],
      commands: [...(server === undefined ? [] : useUpdateServer(server)), { ...powerShellFile(`${work}\\install-updates.ps1`, [], "installing the updates"), ...codes }],
      ...(restart && { againAfterRestart: true as const }),
    };
  },
  example: `- name: Updates
  type: install-updates
  with: { updates: security }`,
});
