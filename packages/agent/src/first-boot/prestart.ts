import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { LocalCache } from "@prestage/content";
import { dataPaths } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { AgentError } from "../error.ts";
import { openVariablesFile } from "../run/variables-file.ts";
import type { NamedValue } from "../run/variables-file.ts";
import type { Screen } from "../screens/screen.ts";
import { runShell } from "../steps/run-shell.ts";

export interface PrestartOptions {
  manifest: Pick<Manifest, "prestart" | "variables" | "content">;
  dataRoot: string;
  /** Root-only and in memory, so that nothing on the disk changes; made and removed here. */
  folder: string;
  screen: Pick<Screen, "message" | "event">;
  signal: AbortSignal;
  log: (line: string) => void;
}

/**
 * Runs the media's prestart command: after everything was verified, before any contact, in a verified root-only copy of its package's files.
 * Resolves to the variables it set.
 * @throws AgentError PRESTAGE_AGENT_PRESTART_FAILED; ContentError where a file of its package is damaged
 */
export async function runPrestart(options: PrestartOptions): Promise<NamedValue[]> {
  const { manifest, folder, screen, signal, log } = options;
  if (manifest.prestart === undefined) return [];
  const { command } = manifest.prestart;
  screen.message({ screen: "prestart", title: (texts) => texts.prestart, lines: [(texts) => texts.prestartRunning] });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const files = join(folder, "files");
    await layOutPackage(options, files);
    const variables = await openVariablesFile(join(folder, "variables"), manifest.variables);
    const { exitCode } = await runShell(command, { cwd: files, signal, onLine: (text) => log(`prestart: ${text}`), environment: variables.environment, programs: variables.programs });
    screen.event("prestart", { exitCode });
    log(`prestart: ended with ${exitCode}`);
    if (exitCode !== 0) throw failed(`Expected the prestart command to end with 0; it ended with ${exitCode}.`);
    return await variables.changed((line) => {
      throw failed(`Expected NAME=VALUE from the prestart command, a name that does not begin with "_" and at most 4,000 characters; found ${JSON.stringify(line.slice(0, 80))}.`);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Each file is hashed while it is copied: what runs is the copy. */
async function layOutPackage({ manifest, dataRoot }: PrestartOptions, target: string): Promise<void> {
  const id = manifest.prestart?.package;
  if (id === undefined) {
    await mkdir(target, { mode: 0o700 });
    return;
  }
  const found = manifest.content.find((one) => one.objectId === id);
  const cache = new LocalCache(join(dataRoot, dataPaths.content));
  const index = found && (await cache.readIndex(found.contentId));
  if (found === undefined || index === undefined) throw failed(`Expected the prestart command's package ${id} on this media; found none that is whole.`);
  await cache.checkOut(found.contentId, index, target);
}

/** The media's variables with those of the prestart command, which come after: what contact and network go by. */
export function withPrestart(media: readonly NamedValue[], prestart: readonly NamedValue[]): NamedValue[] {
  const set = new Set(prestart.map(({ name }) => name.toUpperCase()));
  return [...media.filter(({ name }) => !set.has(name.toUpperCase())), ...prestart];
}

function failed(message: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_PRESTART_FAILED", message, "The log (F9) has what it printed. Correct the command, or build the media again.");
}
