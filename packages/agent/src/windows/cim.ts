import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cimScript } from "@prestage/sequence";
import type { CimQuery } from "@prestage/sequence";
import { runShell } from "../steps/run-shell.ts";

/** What Windows says of a class: the properties of each instance. */
export type CimInstance = Readonly<Record<string, unknown>>;

/** Asks Windows by PowerShell, all questions at once. A class that cannot be asked has no instances. */
export async function askCim(queries: readonly CimQuery[], signal: AbortSignal): Promise<CimInstance[][]> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-ask-"));
  try {
    const path = join(folder, "ask.ps1");
    await writeFile(path, `\uFEFF${cimScript(queries)}`);
    const lines: string[] = [];
    // Not in that folder: everybody may put a program into what lies below Windows\Temp, and it is looked through before the Path.
    await runShell("powershell", { cwd: process.env["SystemRoot"] ?? folder, signal, timeoutSeconds: 120, onLine: (line) => void lines.push(line), program: { file: "powershell.exe", arguments: ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", path], verbatim: false } });
    return readCim(lines, queries.length);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One line of JSON for each question: an array of objects, or what a single one prints without. */
export function readCim(lines: readonly string[], count: number): CimInstance[][] {
  return Array.from({ length: count }, (_, i) => {
    try {
      const value: unknown = JSON.parse(lines[i] ?? "[]");
      return (Array.isArray(value) ? value : [value]).filter((one): one is CimInstance => typeof one === "object" && one !== null);
    } catch {
      return [];
    }
  });
}
