import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runScriptStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { keptOutput } from "./kept-output.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";

const names = { sh: "script.sh", javascript: "script.mjs", powershell: "script.ps1" };

/** Runs a script of the sequence or of a package, by the program its language names. */
export const step = defineStep(runScriptStep, async (run, { language, script, file, package: id, parameters, outputVariable, successCodes, restartCodes, timeoutSeconds }) => {
  const { content, signal, environment, dataRoot } = run.context;
  const copy = id === undefined ? undefined : await content.checkOut(id);
  const work = join(dataRoot, "prestage/work");
  await mkdir(work, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(work, "script-"));
  try {
    const path = script === undefined ? join(copy?.folder ?? folder, file ?? "") : join(folder, names[language]);
    if (script !== undefined) await writeFile(path, script, { mode: 0o600 });
    if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected the file ${JSON.stringify(file ?? "")} in the package ${copy?.content.name ?? ""}; found none.`, "Correct the step's file.");
    const output = keptOutput(run);
    const command = [...program(language), path, ...parameters].map(quoted).join(" ");
    const result = await runShell(language === "powershell" ? `command -v pwsh > /dev/null || { echo "PowerShell is not installed here"; exit 127; }; exec ${command}` : `exec ${command}`, { cwd: copy?.folder ?? "/", signal, timeoutSeconds, secrets: run.secrets, onLine: output.onLine });
    const { restartAsked, ...outcome } = shellStepResult(result, "the script", successCodes, restartCodes);
    if (outcome.failure === undefined) output.into(outputVariable);
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    await rm(folder, { recursive: true, force: true });
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
