import type { StepRun } from "./step-executor.ts";

/** Characters of output a variable gets (features.md F234). */
const mostOutput = 1000;

/** Keeps the beginning of what a program prints, its messages left out, to put it into a variable when it has succeeded. */
export function keptOutput(run: StepRun): { onLine: (line: string, error: boolean) => void; into: (variable: string | undefined) => void } {
  const printed: string[] = [];
  let length = 0;
  return {
    onLine: (line, error) => {
      if (!error && length < mostOutput) printed.push(line);
      if (!error) length += line.length + 1;
      run.output(line);
    },
    into: (variable) => {
      if (variable !== undefined) run.setVariable(variable, run.secrets.redact(printed.join("\n")).slice(0, mostOutput).trimEnd());
    },
  };
}
