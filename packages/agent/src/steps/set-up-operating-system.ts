import { addBootEntry, installedSystemSettings, readAppliedImage, runProgram, writeSettings } from "@prestage/disk";
import { setUpOperatingSystemStep, shownSurroundings, variableValue } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { agentServiceSettings } from "./agent-service.ts";
import { setUpWindows } from "../windows/set-up-windows.ts";
import { hasWindows } from "../windows/write-answers.ts";
import { defineStep } from "./step-executor.ts";

/** Makes of the applied image this computer's own system, and has it go on with the sequence when it starts. */
export const step = defineStep(setUpOperatingSystemStep, async (run, { computerName, users, serialConsole }) => {
  const { dataRoot, disk, signal } = run.context;
  if (await hasWindows(dataRoot)) {
    const why = setUpOperatingSystemStep.windows?.({ computerName, users, serialConsole, network: "dhcp" }, shownSurroundings);
    if (typeof why === "string") throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected settings that mean something on Windows; ${why}.`, "Correct the step in the task sequence and deploy it again.");
    return setUpWindows(run, computerName);
  }
  const name = computerName ?? variableValue(run.variables(), "OSDComputerName") ?? variableValue(run.variables(), "_SMSTSMachineName");
  if (name === undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected a computer name in the step, in OSDComputerName or from the site; found none.", "Set computerName in the step.");
  const changes = installedSystemSettings({
    computerName: name, rootFileSystemUuid: disk.dataFileSystemUuid, rootPartitionGuid: disk.dataGuid, espPartitionGuid: disk.espGuid, serialConsole,
    users: users.map(({ name: user, sshKeys, passwordHash, sudo, groups }) => ({
      name: user, groups: sudo === true ? [...new Set(["sudo", ...groups])] : groups, ...(sshKeys && { authorizedKeys: sshKeys }), ...(passwordHash !== undefined && { passwordHash }),
    })),
    image: await readAppliedImage(dataRoot),
  });
  await writeSettings(dataRoot, [...changes, ...agentServiceSettings()]);
  await runProgram("sync", ["-f", dataRoot], { signal });
  run.output(`this computer is ${name}; ${changes.length} settings written`);
  const number = Number(/(\d+)$/.exec(disk.espPartition)?.[1] ?? "0");
  if (number > 0 && !(await addBootEntry(disk.device, number, "Debian", { signal }))) run.output("no firmware entry could be added; none is needed");
  return {};
});
