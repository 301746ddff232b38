import type { RegistryKey } from "@prestage/disk";

/** The service's name; service-host.c knows it too. */
export const windowsServiceName = "PrestageAgent";
/** What the media brings of the agent for Windows, below the root. */
export const windowsRuntimeFiles = ["prestage/agent/windows/node.exe", "prestage/agent/windows/prestage-service.exe", "prestage/agent/agent.mjs"] as const;

/** A service in a process of its own, started by the system, whose failure is logged (winsvc.h). */
const ownProcess = 0x10;
const autoStart = 2;
const errorNormal = 1;

/**
 * The service that goes on with the sequence, as a control set's Services key has it (Microsoft, "HKLM\SYSTEM\CurrentControlSet\Services Registry Tree").
 * %SystemDrive%: which letter Windows gives its own volume is known to Windows alone.
 */
export const windowsService: RegistryKey = {
  values: {
    Type: { type: "dword", number: ownProcess },
    Start: { type: "dword", number: autoStart },
    ErrorControl: { type: "dword", number: errorNormal },
    ImagePath: { type: "expand", text: "%SystemDrive%\\prestage\\agent\\windows\\prestage-service.exe" },
    ObjectName: { type: "string", text: "LocalSystem" },
    DisplayName: { type: "string", text: "Prestage" },
    Description: { type: "string", text: "Finishes the deployment of this computer, and then removes itself." },
    FailureActions: { type: "binary", bytes: restartOnFailure() },
  },
};

/**
 * SERVICE_FAILURE_ACTIONSW as the registry keeps it: seconds without a failure after which the count begins anew, two strings that are not there,
 * the number of actions, where they begin; then each as its type (1: start the service again) and a delay in milliseconds.
 */
function restartOnFailure(): Buffer {
  const actions = [5000, 30_000, 60_000];
  const bytes = Buffer.alloc(20 + actions.length * 8);
  for (const [i, number] of [86_400, 0, 0, actions.length, 20].entries()) bytes.writeUInt32LE(number, i * 4);
  for (const [i, delay] of actions.entries()) {
    bytes.writeUInt32LE(1, 20 + i * 8);
    bytes.writeUInt32LE(delay, 24 + i * 8);
  }
  return bytes;
}
