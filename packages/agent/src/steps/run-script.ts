import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runScriptStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";

const names = { sh: "script.sh", javascript: "script.mjs", powershell: "script.ps1" };

/** Runs a script of the sequence or of a package, by the program its language names. */
export const step = defineStep(runScriptStep, async (run, { language, script, file, package: id, parameters, outputVariable, successCodes, restartCodes, timeoutSeconds }) => {
  const { content, environment, dataRoot } = run.context;
  const work = join(dataRoot, "prestage/work");
  await mkdir(work, { recursive: true, mode: 0o700 });
  const copy = id === undefined ? undefined : await content.checkOut(id);
  let folder = "";
  try {
    folder = await mkdtemp(join(work, "script-"));
    const path = script === undefined ? join(copy?.folder ?? folder, file ?? "") : join(folder, names[language]);
    if (script !== undefined) await writeFile(path, script, { mode: 0o600 });
    if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected the file ${JSON.stringify(file ?? "")} in the package ${copy?.content.name ?? ""}; found none.`, "Correct the step's file.");
    const command = [...program(language), path, ...parameters].map(quoted).join(" ");
    const line = language === "powershell" ? `command -v pwsh > /dev/null || { echo "PowerShell is not installed here"; exit 127; }; exec ${command}` : `exec ${command}`;
    const { restartAsked, ...outcome } = await runStepCommand(run, line, { cwd: copy?.folder ?? "/", what: "the script", successCodes, restartCodes, timeoutSeconds, outputVariable });
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    if (folder !== "") await rm(folder, { recursive: true, force: true });
    await copy?.release();
  }
});

function program(language: keyof typeof names): string[] {
  if (language === "sh") return ["sh"];
  // The agent brings its own.
  return language === "javascript" ? [process.execPath] : ["pwsh", "-NoProfile", "-NonInteractive", "-File"];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
