import { downloadPackageContentStep } from "@prestage/sequence";
import { defineStep } from "./step-executor.ts";

/** Makes content whole in the local cache, and names the folders in variables. */
export const step = defineStep(downloadPackageContentStep, async (run, { packages, variable }) => {
  const lines: string[] = [];
  for (const [i, id] of packages.entries()) {
    const { content, folder } = await run.context.content.ensure(id);
    if (variable !== undefined) run.setVariable(`${variable}${String(i + 1).padStart(2, "0")}`, folder);
    lines.push(`${content.name} is in ${folder}`);
    run.output(lines.at(-1) ?? "");
  }
  return { outputTail: lines.join("\n").slice(-4000) };
});
