import { mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "@prestage/content";
import { answerFile } from "@prestage/sequence";
import type { AnswerComponent } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import type { StepRun } from "../steps/step-executor.ts";

/** Where Windows Setup looks for answers before anywhere else that a deployment can write to. */
const place = "Windows/Panther";
const name = "unattend.xml";

/**
 * Adds to the answer file of the Windows on the data volume; what earlier steps put there stays where nothing else is said. `given` is a file of
 * somebody's own, over which that is laid.
 * @throws AgentError PRESTAGE_AGENT_NOT_WINDOWS; SequenceError PRESTAGE_SEQUENCE_ANSWER_FILE
 */
export async function writeAnswers(run: StepRun, components: readonly AnswerComponent[], given?: string): Promise<void> {
  const { dataRoot } = run.context;
  await requireWindows(dataRoot);
  const folder = join(dataRoot, place);
  await mkdir(folder, { recursive: true });
  const before = await readFile(join(folder, name), "utf8").catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  });
  const text = given === undefined ? answerFile(components, "x64", before) : answerFile(components, "x64", given, before);
  await writeDurably(join(folder, name), Buffer.from(text, "utf8"));
  for (const { pass, component, settings } of components) run.output(`answer file, ${pass}, ${component}: ${Object.keys(settings).join(", ")}`);
}

/** @throws AgentError PRESTAGE_AGENT_NOT_WINDOWS */
export async function requireWindows(dataRoot: string): Promise<void> {
  if (await hasWindows(dataRoot)) return;
  throw new AgentError("PRESTAGE_AGENT_NOT_WINDOWS", "Expected a Windows on the data volume, with a folder Windows\\System32; found none.", "Put the step after apply-os-image, and see that the image is one of Windows.");
}

/** Whether the volume holds a Windows. */
export async function hasWindows(dataRoot: string): Promise<boolean> {
  return stat(join(dataRoot, "Windows/System32")).then((status) => status.isDirectory(), () => false);
}
