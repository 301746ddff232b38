import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LocalCache, readBounded } from "@prestage/content";
import { dataPaths } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { variableNameSchema } from "@prestage/media/schema";
import { AgentError } from "../error.ts";
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
export interface PrestartVariable { name: string; value: string }

const variablesFileLimit = 1024 * 1024;

/** In the command's PATH: `prestage-variable NAME` prints a variable, `prestage-variable NAME VALUE` sets it. */
const helper = `#!/bin/sh
# prestage-variable NAME         prints the variable's value
# prestage-variable NAME VALUE   sets it, one line
case $# in
  1) wanted=$1 awk '{ at = index($0, "="); if (toupper(substr($0, 1, at - 1)) == toupper(ENVIRON["wanted"])) value = substr($0, at + 1) } END { print value }' "$PRESTAGE_VARIABLES" ;;
  2) printf '%s=%s\\n' "$1" "$2" >> "$PRESTAGE_VARIABLES" ;;
  *) echo "usage: prestage-variable NAME [VALUE]" >&2; exit 2 ;;
esac
`;

/**
 * Runs the media's prestart command: after everything was verified, before any contact, in a verified root-only copy of its package's files.
 * Resolves to the variables it set.
 * @throws AgentError PRESTAGE_AGENT_PRESTART_FAILED; ContentError where a file of its package is damaged
 */
export async function runPrestart(options: PrestartOptions): Promise<PrestartVariable[]> {
  const { manifest, folder, screen, signal, log } = options;
  if (manifest.prestart === undefined) return [];
  const { command } = manifest.prestart;
  screen.message({ screen: "prestart", title: (texts) => texts.prestart, lines: [(texts) => texts.prestartRunning] });
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "bin"), { recursive: true, mode: 0o700 });
  try {
    const files = join(folder, "files");
    await layOutPackage(options, files);
    const variables = join(folder, "variables");
    await writeFile(variables, manifest.variables.map(({ name, value }) => `${name}=${value.replace(/[\r\n]+/g, " ")}\n`).join(""), { mode: 0o600 });
    await writeFile(join(folder, "bin/prestage-variable"), helper, { mode: 0o700 });
    const { exitCode } = await runShell(command, { cwd: files, signal, onLine: (text) => log(`prestart: ${text}`), environment: { PRESTAGE_VARIABLES: variables }, programs: join(folder, "bin") });
    screen.event("prestart", { exitCode });
    log(`prestart: ended with ${exitCode}`);
    if (exitCode !== 0) throw failed(`Expected the prestart command to end with 0; it ended with ${exitCode}.`);
    return changedVariables((await readBounded(variables, variablesFileLimit)).toString("utf8"), manifest.variables);
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

/** The last value of each variable that is not as the media has it. */
function changedVariables(text: string, media: readonly PrestartVariable[]): PrestartVariable[] {
  const values = new Map<string, PrestartVariable>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const at = line.indexOf("=");
    const [name, value] = [line.slice(0, at), line.slice(at + 1)];
    if (at < 0 || !variableNameSchema.safeParse(name).success || name.startsWith("_") || value.length > 4000) throw failed(`Expected NAME=VALUE from the prestart command, a name that does not begin with "_" and at most 4,000 characters; found ${JSON.stringify(line.slice(0, 80))}.`);
    values.set(name.toUpperCase(), { name, value });
  }
  const before = new Map(media.map(({ name, value }) => [name.toUpperCase(), value.replace(/[\r\n]+/g, " ")]));
  return [...values.values()].filter(({ name, value }) => before.get(name.toUpperCase()) !== value);
}

/** The media's variables with those of the prestart command, which come after: what contact and network go by. */
export function withPrestart(media: readonly PrestartVariable[], prestart: readonly PrestartVariable[]): PrestartVariable[] {
  const set = new Set(prestart.map(({ name }) => name.toUpperCase()));
  return [...media.filter(({ name }) => !set.has(name.toUpperCase())), ...prestart];
}

function failed(message: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_PRESTART_FAILED", message, "The log (F9) has what it printed. Correct the command, or build the media again.");
}
