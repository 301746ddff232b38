import { stepTypes } from "@prestage/sequence";
import type { Platform, StepDefinition } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { windowsExecutor } from "../windows/windows-executor.ts";
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
import { step as applyDataImage } from "./apply-data-image.ts";
import { step as applyLinuxSettings } from "./apply-linux-settings.ts";
import { step as applyWindowsSettings } from "./apply-windows-settings.ts";
import { defineStep } from "./step-executor.ts";
import { step as joinDirectory } from "./join-directory.ts";
import { step as encryptDisk } from "./encrypt-disk.ts";
import { step as connectNetworkFolder } from "./connect-network-folder.ts";
import { step as requestStateStore } from "./user-state/request-state-store.ts";
import { step as captureUserState } from "./user-state/capture-user-state.ts";
import { step as restoreUserState } from "./user-state/restore-user-state.ts";
import { step as releaseStateStore } from "./user-state/release-state-store.ts";
import { step as captureLocalGroups } from "./user-state/capture-local-groups.ts";
import { step as restoreLocalGroups } from "./user-state/restore-local-groups.ts";
import { step as recordDeployment } from "./record-deployment.ts";
import { step as autoApplyDrivers } from "./auto-apply-drivers.ts";
import { step as installUpdates } from "./install-updates.ts";
import { step as prepareCapture } from "./capture/prepare-capture.ts";
import { step as captureOsImage } from "./capture/capture-os-image.ts";
import { step as captureNetworkSettings } from "./capture-settings/capture-network-settings.ts";
import { step as captureSystemSettings } from "./capture-settings/capture-system-settings.ts";
import type { StepExecutor } from "./step-executor.ts";

const all = [checkReadiness, setDynamicVariables, captureNetworkSettings, captureSystemSettings, partitionDisk, downloadPackageContent, applyOsImage, applyWindowsSettings, setUpOperatingSystem, applyLinuxSettings, applyNetworkSettings, applyDataImage, restart, joinDirectory, encryptDisk, connectNetworkFolder, requestStateStore, captureUserState, restoreUserState, captureLocalGroups, restoreLocalGroups, releaseStateStore, applyDriverPackage, autoApplyDrivers, installUpdates, prepareCapture, captureOsImage, installApplication, installPackage, runCommandLine, runScript, recordDeployment, setVariable];

/** Every step the agent can run in a system, by type; of those that mean nothing there the executor says so. */
export function executorsFor(platform: Platform): ReadonlyMap<string, StepExecutor> {
  const executors = new Map<string, StepExecutor>(all.map((step) => [step.type, step]));
  for (const definition of stepTypes) {
    if (definition.mergedAtSite) continue;
    if (platform === "windows" && definition.windows !== undefined) executors.set(definition.type, windowsExecutor(definition));
    else if (!executors.has(definition.type)) executors.set(definition.type, notHere(definition));
  }
  return executors;
}

/** A step for another platform, which lint tells before any computer does. */
function notHere(definition: StepDefinition): StepExecutor {
  return defineStep(definition, async () => {
    throw new AgentError("PRESTAGE_AGENT_STEP_ENVIRONMENT", `Expected a step for this system; ${definition.type} is for ${definition.platforms.join(" and ")}.`, "Remove the step, or give it a condition on the operating system.");
  });
}

export const stepExecutors = executorsFor(process.platform === "win32" ? "windows" : "linux");
