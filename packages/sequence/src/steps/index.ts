import { runTaskSequenceStep } from "./run-task-sequence.ts";
import { setDynamicVariablesStep } from "./set-dynamic-variables.ts";
import { runScriptStep } from "./run-script.ts";
import { downloadPackageContentStep } from "./download-package-content.ts";
import { checkReadinessStep } from "./check-readiness.ts";
import { applyDriverPackageStep } from "./apply-driver-package.ts";
import { applyOsImageStep } from "./apply-os-image.ts";
import { installApplicationStep } from "./install-application.ts";
import { installPackageStep } from "./install-package.ts";
import { partitionDiskStep } from "./partition-disk.ts";
import { captureNetworkSettingsStep, captureSystemSettingsStep } from "./capture-settings.ts";
import { joinWorkgroupStep } from "./join-workgroup.ts";
import type { PartitionSettings } from "./partition-settings.ts";
import { restartStep } from "./restart.ts";
import { runCommandLineStep } from "./run-command-line.ts";
import { setUpOperatingSystemStep } from "./set-up-operating-system.ts";
import { setVariableStep } from "./set-variable.ts";
import { applyLinuxSettingsStep, keyboardLayout, localeName, zoneName } from "./apply-linux-settings.ts";
import { applyWindowsSettingsStep } from "./apply-windows-settings.ts";
import { disableBitLockerStep, enableBitLockerStep } from "./enable-bitlocker.ts";
import { applyNetworkSettingsStep } from "./apply-network-settings.ts";
import { applyDataImageStep } from "./apply-data-image.ts";
import { joinDirectoryStep } from "./join-directory.ts";
import { encryptDiskStep } from "./encrypt-disk.ts";
import { connectNetworkFolderStep } from "./connect-network-folder.ts";
import { requestStateStoreStep, captureUserStateStep, restoreUserStateStep, releaseStateStoreStep } from "./user-state.ts";
import { captureLocalGroupsStep, restoreLocalGroupsStep } from "./local-groups.ts";
import { setUpRecoveryEnvironmentStep } from "./set-up-recovery-environment.ts";
import { recordDeploymentStep, recordOf, recordedValues } from "./record-deployment.ts";
import { installFeaturesStep } from "./install-features.ts";
import { applyLocalPolicyStep } from "./apply-local-policy.ts";
import { autoApplyDriversStep } from "./auto-apply-drivers.ts";
import { captureOsImageStep } from "./capture-os-image.ts";
import { prepareCaptureStep } from "./prepare-capture.ts";
import { installUpdatesStep } from "./install-updates.ts";
import type { StepDefinition } from "./step-definition.ts";

/** Every step type, in the order in which a deployment usually has them. */
export const stepTypes: readonly StepDefinition[] = [checkReadinessStep, setDynamicVariablesStep, captureNetworkSettingsStep, captureSystemSettingsStep, partitionDiskStep, downloadPackageContentStep, applyOsImageStep, applyWindowsSettingsStep, setUpOperatingSystemStep, applyLinuxSettingsStep, applyNetworkSettingsStep, applyDataImageStep, restartStep, joinDirectoryStep, joinWorkgroupStep, encryptDiskStep, connectNetworkFolderStep, requestStateStoreStep, captureUserStateStep, restoreUserStateStep, captureLocalGroupsStep, restoreLocalGroupsStep, releaseStateStoreStep, applyDriverPackageStep, autoApplyDriversStep, installUpdatesStep, installApplicationStep, installPackageStep, runCommandLineStep, runScriptStep, enableBitLockerStep, disableBitLockerStep, installFeaturesStep, setUpRecoveryEnvironmentStep, applyLocalPolicyStep, recordDeploymentStep, prepareCaptureStep, captureOsImageStep, setVariableStep, runTaskSequenceStep];

export function stepTypeOf(type: string): StepDefinition | undefined {
  return stepTypes.find((one) => one.type === type);
}

export { scriptLanguages } from "./run-script.ts";
export { applyLinuxSettingsStep, keyboardLayout, localeName, zoneName };
export { applyWindowsSettingsStep, disableBitLockerStep, enableBitLockerStep };
export { checkReadinessStep, runTaskSequenceStep, downloadPackageContentStep, runScriptStep, setDynamicVariablesStep };
export { applyDriverPackageStep, applyOsImageStep, installApplicationStep, installPackageStep, partitionDiskStep, restartStep, runCommandLineStep, setUpOperatingSystemStep, setVariableStep };
export { applyNetworkSettingsStep };
export { applyDataImageStep };
export { joinDirectoryStep };
export { encryptDiskStep };
export { connectNetworkFolderStep };
export { requestStateStoreStep, captureUserStateStep, restoreUserStateStep, releaseStateStoreStep };
export { captureLocalGroupsStep, restoreLocalGroupsStep };
export { applyLocalPolicyStep, installFeaturesStep, recordDeploymentStep, recordOf, recordedValues, setUpRecoveryEnvironmentStep };
export { autoApplyDriversStep };
export { installUpdatesStep, prepareCaptureStep, captureOsImageStep };
export { defineStepType } from "./step-definition.ts";
export type { Platform, StepDefinition } from "./step-definition.ts";
export type { PartitionSettings };
export { captureNetworkSettingsStep, captureSystemSettingsStep };
