import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeDurably } from "@prestage/content";
import type { PolicyContent } from "@prestage/contract";
import { allSteps } from "@prestage/sequence";
import type { TaskSequence } from "@prestage/sequence";
import { disconnectFolders } from "./steps/network-folders.ts";
import { AgentError } from "./error.ts";
import { Journal } from "./journal/journal.ts";
import { ownDisk } from "./own-disk.ts";
import { startPostAction } from "./run/post-action.ts";
import type { ContentAccess, VariableSource } from "./run/run-context.ts";
import type { RunResult } from "./run/end-sequence.ts";
import { runSequence } from "./run/run-sequence.ts";
import { TerminalScreen } from "./screens/terminals.ts";
import { makeClosedFolder } from "./windows/closed-folder.ts";
import { StatusSpool } from "./status/status-spool.ts";

export interface LocalRunOptions {
  sequence: TaskSequence;
  /** The system it is run on, seen as an installed one: "/", or a folder that a system lies in. */
  root: string;
  /** Journal and messages; a run that was interrupted, or that asked for a restart, goes on from here. */
  stateFolder: string;
  variables: readonly { name: string; value: string }[];
  /** Folders of content that steps name, by object id. */
  content: ReadonlyMap<string, { content: PolicyContent; folder: string }>;
  /** The value of a secret, or undefined. */
  secret: (name: string) => string | undefined;
  log: (line: string) => void;
  signal: AbortSignal;
}

/**
 * Runs a task sequence on this computer, with the engine and the steps of a deployment and without a site: to try steps out.
 * @throws AgentError PRESTAGE_AGENT_STATE_DAMAGED: the state folder holds the run of another sequence, or one that has ended
 */
export async function runLocally(options: LocalRunOptions): Promise<RunResult> {
  const { sequence, root, stateFolder, variables, log, signal } = options;
  if (process.platform === "win32") {
    // Modes mean nothing there: journal, copies of content and what commands leave would be everybody's.
    await makeClosedFolder(join(root, "prestage"));
    await makeClosedFolder(stateFolder);
  } else await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  // They are about the computer, not about a folder on it.
  const whole = [...allSteps(sequence.steps)].find((step) => root !== "/" && step.disabled !== true && ["encrypt-disk", "join-directory", "partition-disk"].includes(step.type));
  if (whole !== undefined) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected steps that concern the system in ${root} alone; found ${JSON.stringify(whole.name)} (${whole.type}), which concerns this computer.`, "Disable the step, or run the sequence with --root /.");
  await claimState(stateFolder, sequence);
  const status = await StatusSpool.open(join(stateFolder, "status"), "installed", () => new Date());
  status.setDeployment("LOC00001");
  status.start(async (messages) => ({ highest: messages.at(-1)?.number ?? 0 }));
  const contents = [...options.content.values()].map((one) => one.content);
  try {
    return await runSequence(
      {
        environment: "installed", dataRoot: root, espRoot: join(root, "boot/efi"), makeEspWritable: async () => undefined, disk: await ownDisk(), sequence,
        policy: { deploymentId: "LOC00001", taskSequence: { id: "LOC00002", name: sequence.name, sha256: "0".repeat(64) }, content: contents, distributionPoints: [], variables: [] },
        variables: variables.map((one): VariableSource => ({ ...one, source: "device" })), content: localContent(options), secrets: { open: async (names) => Object.fromEntries(names.map((name) => [name, secretOf(options, name)])) },
        status, screen: new TerminalScreen(), journal: await Journal.open(join(stateFolder, "journal")), unattended: true, signal, log,
      },
      { machine: { restart: async () => undefined, cleanUp: async () => disconnectFolders(), postAction: startPostAction } },
    );
  } finally {
    status.stop();
  }
}

/** A state folder is one sequence's: steps are known by their ids, which another's would confuse. */
async function claimState(folder: string, sequence: TaskSequence): Promise<void> {
  const path = join(folder, "sequence.sha256");
  const own = createHash("sha256").update(JSON.stringify(sequence)).digest("hex");
  const found = await readFile(path, "utf8").catch(() => undefined);
  if (found === undefined) return writeDurably(path, Buffer.from(own));
  if (found !== own) throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", `Expected the state of this sequence in ${folder}; found that of another one, or of this one before it was changed.`, "Name another folder by --state, or remove this one.");
}

function localContent({ content }: LocalRunOptions): ContentAccess {
  const find = (id: string) => {
    const found = content.get(id);
    if (found === undefined) throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected a folder for the content ${id}; found none.`, `Name it by --content ${id}=FOLDER.`);
    return found;
  };
  return {
    ensure: async (id) => find(id),
    checkOut: async (id) => ({ ...find(id), release: async () => undefined }),
    ensureImage: async (id) => {
      throw new AgentError("PRESTAGE_AGENT_CONTENT_UNKNOWN", `Expected no OS image to be applied to a system that runs; found ${id}.`, "Run the sequence from media.");
    },
  };
}

function secretOf({ secret }: LocalRunOptions, name: string): string {
  const value = secret(name);
  if (value === undefined) throw new AgentError("PRESTAGE_AGENT_SECRET_UNAVAILABLE", `Expected a value for the secret ${name}; found none.`, `Put it into the environment: PRESTAGE_SECRET_${name}.`);
  return value;
}
