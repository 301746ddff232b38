import type { RunAccount } from "../steps/settings.ts";
import { quotedArgument, windowsCommandLine } from "./command-line.ts";
import { cmdlet, powerShellFile, powerShellScript, powerShellText } from "./powershell.ts";
import type { WindowsCommand, WindowsPlan } from "./windows-plan.ts";

/** One at a time: steps follow each other. */
const taskName = "Prestage step";
const passwordName = "PRESTAGE_PASSWORD";
/** LastTaskResult of one that has not run yet, and what this ends with where the task was ended (Task Scheduler: SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_TERMINATED). */
const [hasNotRun, terminated] = [267011, 267014];
/** Seconds a task may take to begin. */
const beginsWithin = 60;
const system = "*S-1-5-18:(OI)(CI)F";
const administrators = "*S-1-5-32-544:(OI)(CI)F";

export interface AccountRun {
  /** The step's own folder. */
  work: string;
  /** Where the program runs; left out: in the account's part of that folder. */
  workingFolder?: string | undefined;
  /** Folders it reads besides. */
  reads: readonly string[];
  /** Files for it, in its part of the folder. */
  files?: readonly { name: string; content: string }[];
  /** A program that lies where it may not look: copied beside those. */
  copies?: readonly string[];
}

/** The part of a step's folder that an account may write to. */
export function accountFolder(work: string): string {
  return `${work}\\account`;
}

/**
 * A program as another account: a service cannot start one itself (CreateProcessWithLogonW is refused to LocalSystem), the Task Scheduler can. The password reaches
 * it out of the environment. What the agent runs itself lies where the account cannot write; what the account runs, prints and ends with, in a folder for it.
 */
export function asAccount(command: WindowsCommand, { name, password }: RunAccount, { work, workingFolder, reads, files = [], copies = [] }: AccountRun): WindowsPlan | string {
  if (password === undefined) return "an account there needs its password";
  const own = accountFolder(work);
  const [output, errors, exitCode] = ["output.txt", "errors.txt", "exit.txt"].map((file) => `${own}\\${file}`);
  const byName = { TaskName: taskName };
  const unregister = cmdlet("Unregister-ScheduledTask", { ...byName, Confirm: false });
  const known = cmdlet("Get-ScheduledTask", { ...byName, ErrorAction: "SilentlyContinue" });
  const runner = powerShellFile(`${own}\\run.ps1`, [], "");
  const run = [
    `$process = ${cmdlet("Start-Process", { FilePath: command.program, ArgumentList: command.arguments.length === 0 ? undefined : { raw: command.arguments.map((one) => powerShellText(command.verbatim === true ? one : quotedArgument(one))).join(", ") }, WorkingDirectory: workingFolder ?? own, NoNewWindow: true, Wait: true, PassThru: true, RedirectStandardOutput: output, RedirectStandardError: errors })}`,
    cmdlet("Set-Content", { Path: exitCode, Value: { raw: "$process.ExitCode" } }),
  ];
  const start = [
    "try {",
    `if (${known}) { ${unregister} }`,
    ...copies.map((path) => cmdlet("Copy-Item", { Path: path, Destination: own })),
    `$action = ${cmdlet("New-ScheduledTaskAction", { Execute: runner.program, Argument: windowsCommandLine(runner).slice(runner.program.length + 1) })}`,
    `$settings = ${cmdlet("New-ScheduledTaskSettingsSet", { AllowStartIfOnBatteries: true, DontStopIfGoingOnBatteries: true, ExecutionTimeLimit: { raw: `(${cmdlet("New-TimeSpan", { Seconds: 0 })})` } })}`,
    `${cmdlet("Register-ScheduledTask", { ...byName, Action: { raw: "$action" }, Settings: { raw: "$settings" }, User: name, Password: { raw: `$env:${passwordName}` }, RunLevel: "Highest" })} | ${cmdlet("Out-Null")}`,
    cmdlet("Start-ScheduledTask", byName),
    `foreach ($second in 1..${beginsWithin}) { if ((${cmdlet("Get-ScheduledTaskInfo", byName)}).LastTaskResult -ne ${hasNotRun}) { break }; ${cmdlet("Start-Sleep", { Seconds: 1 })} }`,
    `while ((${cmdlet("Get-ScheduledTask", byName)}).State -eq 'Running') { ${cmdlet("Start-Sleep", { Seconds: 1 })} }`,
    `foreach ($line in ${cmdlet("Get-Content", { Path: output, ErrorAction: "SilentlyContinue" })}) { ${cmdlet("Write-Output", { InputObject: { raw: "$line" } })} }`,
    `foreach ($line in ${cmdlet("Get-Content", { Path: errors, ErrorAction: "SilentlyContinue" })}) { $host.UI.WriteErrorLine($line) }`,
    `if (${cmdlet("Test-Path", { Path: exitCode })}) { $code = [int](${cmdlet("Get-Content", { Path: exitCode, TotalCount: 1 })}); exit $code }`,
    `$host.UI.WriteErrorLine('The task did not run to its end; the Task Scheduler says:')`,
    `$host.UI.WriteErrorLine((${cmdlet("Get-ScheduledTaskInfo", byName)}).LastTaskResult)`,
    `} catch { $host.UI.WriteErrorLine($_) }`,
    // No code a step would call a success: the program was not asked.
    `exit ${terminated}`,
  ];
  const remove = [`if (${known}) { ${cmdlet("Stop-ScheduledTask", { ...byName, ErrorAction: "SilentlyContinue" })}; ${unregister} }`];
  return {
    files: [...files.map((file) => ({ ...file, name: `account/${file.name}` })), { name: "account/run.ps1", content: `\uFEFF${powerShellScript(run)}` }, { name: "start.ps1", content: `\uFEFF${powerShellScript(start)}` }, { name: "remove.ps1", content: `\uFEFF${powerShellScript(remove)}` }],
    commands: [
      rights("closing the step's folder", work, ["/inheritance:r", "/grant:r", system, administrators]),
      rights("opening the account's folder to it", own, ["/grant", `${name}:(OI)(CI)M`]),
      ...reads.map((folder) => rights("opening the package's copy to it", folder, ["/grant", `${name}:(OI)(CI)RX`])),
      { ...powerShellFile(`${work}\\start.ps1`, [], command.what), secrets: { [passwordName]: password }, ...(command.successCodes && { successCodes: command.successCodes }), ...(command.restartCodes && { restartCodes: command.restartCodes }) },
    ],
    always: [powerShellFile(`${work}\\remove.ps1`, [], "removing the task")],
    ownSession: true,
  };
}

function rights(what: string, path: string, given: readonly string[]): WindowsCommand {
  return { what, program: "icacls.exe", arguments: [path, ...given, "/q"] };
}

/** A working folder as the step says it: a path of its own, or one below the package's folder. */
export function windowsFolder(base: string | undefined, folder: string | undefined): string | undefined {
  if (folder === undefined) return base;
  const path = folder.replaceAll("/", "\\");
  return /^([A-Za-z]:\\|\\\\)/.test(path) || base === undefined ? path : `${base}\\${path}`;
}
