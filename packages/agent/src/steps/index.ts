import { step as setDynamicVariables } from "./set-dynamic-variables.ts";
import { step as runScript } from "./run-script.ts";
import { step as downloadPackageContent } from "./download-package-content.ts";
import { step as checkReadiness } from "./check-readiness.ts";
import { step as applyDriverPackage } from "./apply-driver-package.ts";
import { step as applyOsImage } from "./apply-os-image.ts";
import { step as installApplication } from "./install-application.ts";
import { step as installPackage } from "./install-package.ts";
import { step as partitionDisk } from "./partition-disk.ts";
import { step as restart } from "./restart.ts";
import { step as runCommandLine } from "./run-command-line.ts";
import { step as setUpOperatingSystem } from "./set-up-operating-system.ts";
import { step as setVariable } from "./set-variable.ts";
import { step as applyNetworkSettings } from "./apply-network-settings.ts";
import type { StepExecutor } from "./step-executor.ts";

const all = [checkReadiness, setDynamicVariables, partitionDisk, downloadPackageContent, applyOsImage, setUpOperatingSystem, applyNetworkSettings, restart, applyDriverPackage, installApplication, installPackage, runCommandLine, runScript, setVariable];

/** Every step this agent can run, by type. */
export const stepExecutors: ReadonlyMap<string, StepExecutor> = new Map(all.map((step) => [step.type, step]));
