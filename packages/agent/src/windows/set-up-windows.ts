import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { addBootEntry, changeHive, currentControlSet, layWindowsBootFiles, readPartitionTable, runProgram, windowsPath } from "@prestage/disk";
import { variableValue } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import type { StepResult, StepRun } from "../steps/step-executor.ts";
import { windowsRuntimeFiles, windowsService, windowsServiceName } from "./windows-service.ts";
import { requireWindows, writeAnswers } from "./write-answers.ts";

/** A computer's name in Windows (Shell-Setup, ComputerName): at most 15 characters; an asterisk has Windows make one up. */
const windowsName = /^(\*|(?!\d+$)[^\s"/\\[\]:;|=,+*?<>.]{1,15})$/;

/**
 * Makes of the applied Windows this computer's own, and has it go on with the sequence: a name where no step has given one, the service in its
 * registry, boot files and boot configuration on the EFI system partition. In this order: what Windows starts from comes last.
 * @throws AgentError PRESTAGE_AGENT_NOT_WINDOWS, PRESTAGE_AGENT_NO_WINDOWS_RUNTIME, PRESTAGE_AGENT_STEP_INVALID; DiskError
 */
export async function setUpWindows(run: StepRun, computerName: string | undefined): Promise<StepResult> {
  const { dataRoot, espRoot, disk, makeEspWritable, signal } = run.context;
  await requireWindows(dataRoot);
  await requireRuntime(dataRoot);
  await nameComputer(run, computerName);
  await registerService(run);
  await runProgram("sync", ["-f", dataRoot], { signal });
  await makeEspWritable();
  const { guid: diskGuid } = await readPartitionTable(disk.device, { signal });
  const laid = await layWindowsBootFiles({
    volumeRoot: dataRoot, espRoot, diskGuid, espGuid: disk.espGuid, volumeGuid: disk.dataGuid, signal,
    onProgress: ({ files, total }) => run.progress({ label: "Writing the boot files", done: files, total, unit: "files" }),
  });
  run.output(`${laid.files} boot files, ${laid.bytes} bytes; ${laid.written} had to be written`);
  const number = Number(/(\d+)$/.exec(disk.espPartition)?.[1] ?? "0");
  if (number > 0 && !(await addBootEntry(disk.device, number, "Windows Boot Manager", { signal }))) run.output("no firmware entry could be added; none is needed");
  return {};
}

async function requireRuntime(dataRoot: string): Promise<void> {
  for (const path of windowsRuntimeFiles) {
    const status = await stat(join(dataRoot, path)).catch(() => undefined);
    if (status?.isFile() !== true) throw new AgentError("PRESTAGE_AGENT_NO_WINDOWS_RUNTIME", `Expected /${path} of the media, with which Windows goes on with the sequence; found none.`, "Build the boot image again with --windows, and the media with it.");
  }
}

/** The name apply-windows-settings has given stays: the answer file is the one place for it. */
async function nameComputer(run: StepRun, given: string | undefined): Promise<void> {
  const before = await readFile(join(run.context.dataRoot, "Windows/Panther/unattend.xml"), "utf8").catch(() => "");
  const named = /<ComputerName>\s*([^<]*?)\s*<\/ComputerName>/.exec(before)?.[1];
  const fromSite = variableValue(run.variables(), "_SMSTSMachineName");
  const name = given ?? (named === undefined || named === "" ? fromSite : undefined);
  if (name === undefined) return;
  if (!windowsName.test(name)) {
    const why = `Expected a computer name that Windows takes, at most 15 characters without spaces and dots, not digits alone; found ${JSON.stringify(name)}.`;
    if (given !== undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", why, "Set computerName in the step, or OSDComputerName.");
    return run.output(`${why} Windows makes one up; set OSDComputerName to choose.`);
  }
  await writeAnswers(run, [{ pass: "specialize", component: "Microsoft-Windows-Shell-Setup", settings: { ComputerName: name } }]);
  run.output(`this computer is ${name}`);
}

async function registerService(run: StepRun): Promise<void> {
  const hive = await windowsPath(run.context.dataRoot, "Windows/System32/config/SYSTEM");
  if (hive === undefined) throw new AgentError("PRESTAGE_AGENT_NOT_WINDOWS", "Expected Windows\\System32\\config\\SYSTEM on the data volume; found none.", "Check the image and its index.");
  const { changed } = await changeHive(hive, new Date(), (open) => [{ path: [currentControlSet(open), "Services"], key: { keys: { [windowsServiceName]: windowsService } } }]);
  run.output(changed ? `the service ${windowsServiceName} is registered` : `the service ${windowsServiceName} was registered before`);
}
