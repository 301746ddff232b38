import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { runScriptStep } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { openAccountPlace } from "./account-place.ts";
import { runStepCommand } from "./run-step-command.ts";
import { defineStep } from "./step-executor.ts";

const names = { sh: "script.sh", javascript: "script.mjs", powershell: "script.ps1" };

/** Runs a script of the sequence or of a package, by the program its language names. */
export const step = defineStep(runScriptStep, async (run, { language, script, file, package: id, workingFolder, parameters, outputVariable, successCodes, restartCodes, timeoutSeconds, account }) => {
  const { content, environment, dataRoot } = run.context;
  const work = join(dataRoot, "prestage/work");
  await mkdir(work, { recursive: true, mode: 0o700 });
  const as = account === undefined ? undefined : await openAccountPlace(run, account.name);
  let copy: Awaited<ReturnType<typeof content.checkOut>> | undefined;
  let own = "";
  try {
    copy = id === undefined ? undefined : await content.checkOut(id);
    own = await mkdtemp(join(work, "script-"));
    const folder = copy === undefined ? undefined : ((await as?.lendFolder(copy.folder)) ?? copy.folder);
    const path = script === undefined ? join(folder ?? own, file ?? "") : ((await as?.lendText(names[language], script)) ?? join(own, names[language]));
    if (script !== undefined && as === undefined) await writeFile(path, script, { mode: 0o600 });
    if (!(await stat(path).then((status) => status.isFile(), () => false))) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected the file ${JSON.stringify(file ?? "")} in the package ${copy?.content.name ?? ""}; found none.`, "Correct the step's file.");
    const node = language === "javascript" ? await as?.lendProgram(process.execPath, "node") : undefined;
    const command = [...program(language, node ?? process.execPath), path, ...parameters].map(quoted).join(" ");
    const line = language === "powershell" ? `command -v pwsh > /dev/null || { echo "PowerShell is not installed here"; exit 127; }; exec ${command}` : `exec ${command}`;
    const { restartAsked, ...outcome } = await runStepCommand(run, line, { cwd: resolve(folder ?? "/", workingFolder ?? "."), what: "the script", successCodes, restartCodes, timeoutSeconds, outputVariable, as });
    return { ...outcome, ...(restartAsked && { restart: environment === "boot" ? "environment" : "installed" }) };
  } finally {
    if (own !== "") await rm(own, { recursive: true, force: true });
    await copy?.release();
    await as?.remove();
  }
});

function program(language: keyof typeof names, node: string): string[] {
  if (language === "sh") return ["sh"];
  // The agent brings its own.
  return language === "javascript" ? [node] : ["pwsh", "-NoProfile", "-NonInteractive", "-File"];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
