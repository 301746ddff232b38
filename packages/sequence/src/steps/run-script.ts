import { z } from "zod";
import { accountSchema, commandSchema, outputVariableSchema, referenceSchema, restartCodesSchema, successCodesSchema, timeoutSchema } from "./settings.ts";
import { powerShellFile } from "../windows/powershell.ts";
import { accountFolder, asAccount, windowsFolder } from "../windows/run-as-account.ts";
import { maySetUnread, nameIn, namesInCommand } from "./named-variables.ts";
import { defineStepType } from "./step-definition.ts";

export const scriptLanguages = ["sh", "javascript", "powershell"] as const;

/** Run PowerShell Script (features.md F234), and its like for Linux. */
export const runScriptStep = defineStepType({
  type: "run-script",
  title: "Run script",
  reference: ["Run PowerShell Script"],
  summary: "Runs a script, written in the sequence or lying in a package: by `sh`, by the agent's own Node.js, or by PowerShell where it is installed. What it prints may go into a variable.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      language: z.enum(scriptLanguages).default("sh"),
      script: commandSchema.optional().describe("Its text; `%NAME%` is a variable"),
      file: z.string().min(1).max(1024).regex(/^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\\]+$/, "a path below the package's folder").optional().describe("A file of the package instead"),
      package: referenceSchema.optional().describe("Its folder is the working directory"),
      workingFolder: z.string().min(1).max(1024).optional().describe("The working directory instead: a path, or one below the package's folder"),
      parameters: z.array(z.string().max(8192)).max(100).default([]).describe("Arguments"),
      outputVariable: outputVariableSchema,
      successCodes: successCodesSchema,
      restartCodes: restartCodesSchema,
      timeoutSeconds: timeoutSchema,
      account: accountSchema,
    })
    .refine((value) => (value.script === undefined) !== (value.file === undefined), "either script or file")
    .refine((value) => value.file === undefined || value.package !== undefined, "a file lies in a package"),
  setsNamed: (settings) => [...nameIn(settings, "outputVariable"), ...namesInCommand(settings, "script")],
  setsOthers: maySetUnread,
  again: "The script is run again: write it so that this does no harm.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED", "PRESTAGE_AGENT_ACCOUNT_UNKNOWN", "PRESTAGE_AGENT_SECRET_UNAVAILABLE"],
  windows: ({ language, script, file, package: id, parameters, successCodes, restartCodes, account, workingFolder }, { work, node, folderOf }) => {
    if (language === "sh") return "there is no sh on Windows: write it in PowerShell or JavaScript";
    const name = language === "powershell" ? "script.ps1" : "script.mjs";
    const own = account === undefined ? work : accountFolder(work);
    const path = script === undefined ? `${folderOf(id ?? "")}\\${(file ?? "").replaceAll("/", "\\")}` : `${own}\\${name}`;
    const program = account === undefined ? node : `${own}\\${node.split("\\").at(-1) ?? ""}`;
    const command = { ...(language === "powershell" ? powerShellFile(path, parameters, "the script") : { what: "the script", program, arguments: [path, ...parameters] }), successCodes, restartCodes };
    // Windows PowerShell reads a file without a mark in the computer's own code page.
    const files = script === undefined ? [] : [{ name, content: language === "powershell" ? `\uFEFF${script}` : script }];
    if (account === undefined) return { files, commands: [command] };
    const folder = id === undefined ? undefined : folderOf(id);
    return asAccount(command, account, { work, workingFolder: windowsFolder(folder, workingFolder), reads: folder === undefined ? [] : [folder], files, copies: language === "javascript" ? [node] : [] });
  },
  example: `- name: Which branch
  type: run-script
  with: { script: "hostname | cut -d- -f1", outputVariable: Branch }`,
});
