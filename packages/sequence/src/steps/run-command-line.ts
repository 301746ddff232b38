import { z } from "zod";
import { commandShell } from "../windows/command-line.ts";
import { asAccount, windowsFolder } from "../windows/run-as-account.ts";
import { accountSchema, commandSchema, outputVariableSchema, referenceSchema, restartCodesSchema, successCodesSchema, timeoutSchema } from "./settings.ts";
import { maySetUnread, nameIn, namesInCommand } from "./named-variables.ts";
import { defineStepType } from "./step-definition.ts";

/** Run Command Line (features.md F234, F196). */
export const runCommandLineStep = defineStepType({
  type: "run-command-line",
  title: "Run command line",
  reference: ["Run Command Line"],
  summary: "Runs a command line: by `sh -c`, in an installed Windows by `cmd.exe /c`. Its folder is the package's, where one is named. What it prints may go into a variable.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z.strictObject({
    command: commandSchema.describe("The command line; `%NAME%` is a variable"),
    package: referenceSchema.optional().describe("Its folder is the working directory"),
    workingFolder: z.string().min(1).max(1024).optional().describe("The working directory instead: a path, or one below the package's folder"),
    outputVariable: outputVariableSchema,
    successCodes: successCodesSchema,
    restartCodes: restartCodesSchema,
    timeoutSeconds: timeoutSchema,
    account: accountSchema,
  }),
  setsNamed: (settings) => [...nameIn(settings, "outputVariable"), ...namesInCommand(settings, "command")],
  setsOthers: maySetUnread,
  again: "The command is run again: write it so that this does no harm.",
  errors: ["PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED", "PRESTAGE_AGENT_ACCOUNT_UNKNOWN", "PRESTAGE_AGENT_SECRET_UNAVAILABLE"],
  windows: ({ command, successCodes, restartCodes, account, package: id, workingFolder }, { work, folderOf }) => {
    const shell = { ...commandShell(command, "the command"), successCodes, restartCodes };
    if (account === undefined) return { commands: [shell] };
    const folder = id === undefined ? undefined : folderOf(id);
    return asAccount(shell, account, { work, workingFolder: windowsFolder(folder, workingFolder), reads: folder === undefined ? [] : [folder] });
  },
  example: `- name: Time zone
  type: run-command-line
  with: { command: "timedatectl set-timezone %OSDTimeZone%", successCodes: [0] }`,
});
