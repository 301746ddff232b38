import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { applyWindowsSettingsStep, shownSurroundings } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { writeAnswers } from "../windows/write-answers.ts";
import { defineStep } from "./step-executor.ts";

const maximumAnswerFileBytes = 4 * 1024 * 1024;

/** Writes the answer file that Windows Setup reads at the first start, on the volume the image was applied to. */
export const step = defineStep(applyWindowsSettingsStep, async (run, settings) => {
  const copy = settings.package === undefined ? undefined : await run.context.content.checkOut(settings.package);
  try {
    const given = copy === undefined ? undefined : await readAnswerFile(join(copy.folder, settings.answerFile ?? ""), copy.content.name, settings.answerFile ?? "");
    const plan = applyWindowsSettingsStep.windows?.(settings, shownSurroundings);
    await writeAnswers(run, typeof plan === "object" ? (plan.answers ?? []) : [], given);
    return {};
  } finally {
    await copy?.release();
  }
});

async function readAnswerFile(path: string, packageName: string, name: string): Promise<string> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isFile() !== true || status.size > maximumAnswerFileBytes) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected an answer file ${JSON.stringify(name)} of at most ${maximumAnswerFileBytes} bytes in the package ${packageName}; found ${status === undefined ? "none" : `${status.size} bytes`}.`, "Correct the step's answerFile, or the package.");
  return readFile(path, "utf8");
}
