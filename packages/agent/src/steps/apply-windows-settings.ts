import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { applyWindowsSettingsStep, expandVariables, shownSurroundings } from "@prestage/sequence";
import type { Variables } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { writeAnswers } from "../windows/write-answers.ts";
import { defineStep } from "./step-executor.ts";

const maximumAnswerFileBytes = 4 * 1024 * 1024;

/** Writes the answer file that Windows Setup reads at the first start, on the volume the image was applied to. */
export const step = defineStep(applyWindowsSettingsStep, async (run, settings) => {
  const copy = settings.package === undefined ? undefined : await run.context.content.checkOut(settings.package);
  try {
    const given = copy === undefined ? undefined : expandVariables(await readAnswerFile(join(copy.folder, settings.answerFile ?? ""), copy.content.name, settings.answerFile ?? ""), forXml(run.variables()));
    const plan = applyWindowsSettingsStep.windows?.(settings, shownSurroundings);
    await writeAnswers(run, typeof plan === "object" ? (plan.answers ?? []) : [], given);
    return {};
  } finally {
    await copy?.release();
  }
});

/** Values as they stand in XML: what a variable holds is text there, and never an element (features.md F205, F228). */
export function forXml(variables: Variables): Variables {
  const marks: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };
  // oxlint-disable-next-line no-control-regex -- control characters are what no XML may hold
  return new Map([...variables].map(([key, one]) => [key, { ...one, value: one.value.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").replace(/[&<>"']/g, (mark) => marks[mark] ?? mark) }]));
}

async function readAnswerFile(path: string, packageName: string, name: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isFile() !== true || status.size > maximumAnswerFileBytes) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected an answer file ${JSON.stringify(name)} of at most ${maximumAnswerFileBytes} bytes in the package ${packageName}; found ${status === undefined ? "none" : `${status.size} bytes`}.`, "Correct the step's answerFile, or the package.");
  return readFile(path, "utf8");
}
