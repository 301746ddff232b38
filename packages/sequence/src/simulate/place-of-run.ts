import type { RunEnvironment } from "../events.ts";
import type { LintKnowledge } from "../lint/lint-rule.ts";
import { dataVolume } from "../steps/data-volume.ts";
import type { Platform } from "../steps/index.ts";
import type { DeviceDescription } from "./device-description.ts";

/** Once apply-os-image has set it, the agent has it be true after each start of the computer. */
export const targetDrive = "OSDTargetSystemDrive";

/** What the agent says of where its disk is, in each environment anew. A value left out: only the run knows it, since nothing says what the installed system is. */
export function placeVariables(environment: RunEnvironment, platform: Platform | undefined): Record<string, string | undefined> {
  const root = rootOf(environment, platform);
  const below = (path: string) => (root === undefined ? undefined : root.endsWith("\\") ? `${root}${path.replaceAll("/", "\\")}` : `${root}${path}`);
  return { _SMSTSClientCache: below("prestage/content"), _SMSTSUserStatePath: below("prestage/user-state"), _SMSTSProtectedPaths: below("prestage") };
}

/** The value of OSDTargetSystemDrive there. */
export function systemDrive(environment: RunEnvironment, platform: Platform | undefined): string | undefined {
  if (environment === "environment") return dataVolume;
  return platform === undefined ? undefined : platform === "windows" ? "C:" : "/";
}

/** What the deployed system is: what the sequence's images are, else what is described. */
export function deployedPlatform({ operatingSystem: { name } }: Pick<DeviceDescription, "operatingSystem">, { platform }: Pick<LintKnowledge, "platform">): Platform | undefined {
  return platform ?? (name === undefined ? undefined : /^windows/i.test(name) ? "windows" : "linux");
}

function rootOf(environment: RunEnvironment, platform: Platform | undefined): string | undefined {
  if (environment === "environment") return `${dataVolume}/`;
  return platform === undefined ? undefined : platform === "windows" ? "C:\\" : "/";
}
