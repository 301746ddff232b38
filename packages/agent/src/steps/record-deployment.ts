import { writeSettings } from "@prestage/disk";
import { recordDeploymentStep, recordOf } from "@prestage/sequence";
import { defineStep } from "./step-executor.ts";

const path = "etc/prestage-deployment";

/** Writes the record as lines that a shell and os-release's readers understand. */
export const step = defineStep(recordDeploymentStep, async (run, settings) => {
  const lines = Object.entries({ ...recordOf(settings), Time: new Date().toISOString() }).map(([name, text]) => `${variableName(name)}=${quoted(text)}\n`);
  await writeSettings(run.context.dataRoot, [{ kind: "file", path, mode: 0o644, content: lines.join("") }]);
  return { outputTail: `/${path} has ${lines.length} values` };
});

/** TaskSequenceName: PRESTAGE_TASK_SEQUENCE_NAME. */
function variableName(name: string): string {
  return `PRESTAGE_${name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "_").toUpperCase()}`;
}

/** Between double quotes, what a shell would expand is escaped (os-release(5)). */
function quoted(text: string): string {
  return `"${text.replace(/["\\$`]/g, "\\$&")}"`;
}
