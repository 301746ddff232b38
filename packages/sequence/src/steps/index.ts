import { applyDriverPackageStep } from "./apply-driver-package.ts";
import { applyOsImageStep } from "./apply-os-image.ts";
import { installApplicationStep } from "./install-application.ts";
import { installPackageStep } from "./install-package.ts";
import { partitionDiskStep } from "./partition-disk.ts";
import { restartStep } from "./restart.ts";
import { runCommandLineStep } from "./run-command-line.ts";
import { setUpOperatingSystemStep } from "./set-up-operating-system.ts";
import { setVariableStep } from "./set-variable.ts";
import type { StepDefinition } from "./step-definition.ts";

/** Every step type, in the order in which a deployment usually has them. */
export const stepTypes: readonly StepDefinition[] = [partitionDiskStep, applyOsImageStep, setUpOperatingSystemStep, restartStep, applyDriverPackageStep, installApplicationStep, installPackageStep, runCommandLineStep, setVariableStep];

export function stepTypeOf(type: string): StepDefinition | undefined {
  return stepTypes.find((one) => one.type === type);
}

export { applyDriverPackageStep, applyOsImageStep, installApplicationStep, installPackageStep, partitionDiskStep, restartStep, runCommandLineStep, setUpOperatingSystemStep, setVariableStep };
export type { Platform, StepDefinition } from "./step-definition.ts";
