import { readFile, stat } from "node:fs/promises";
import { factKey, factText } from "@prestage/sequence";
import type { FactQuery, Facts } from "@prestage/sequence";
import { registryValue } from "../windows/registry.ts";
import { hardwareFact } from "./hardware.ts";
import { resolveInRoot } from "./resolve-in-root.ts";
import { installedSoftware, systemFact } from "./system.ts";

/** A program is read into memory for its version; a larger one is taken to have none. In bytes. */
const mostProgramBytes = 128 << 20;

export interface GatherOptions {
  /** Where the system that is deployed lies: the data volume in the boot environment, "/" in the installed system. */
  root: string;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Answers what conditions ask of this computer and of the system on it. What cannot be found out is not there; the log says so. */
export async function gatherFacts(queries: readonly FactQuery[], options: GatherOptions): Promise<Facts> {
  const facts = new Map<string, string | undefined>();
  for (const query of queries) {
    options.signal.throwIfAborted();
    const value = await answer(query, options).catch((cause: unknown) => {
      options.log(`${factText(query)} could not be found out: ${cause instanceof Error ? cause.message : String(cause)}`);
      return undefined;
    });
    // A variable holds no more, and what a condition compares with is no longer either.
    facts.set(factKey(query), value?.slice(0, 4000));
  }
  return facts;
}

async function answer(query: FactQuery, { root, log, signal }: GatherOptions): Promise<string | undefined> {
  switch (query.subject) {
    case "file":
    case "folder":
      return fileFact(root, query, log);
    case "hardware":
      return hardwareFact(query.name);
    case "operatingSystem":
      return systemFact(root, query.name);
    case "software":
      return installedSoftware(root, query.name);
    case "registry":
      if (process.platform !== "win32") log(`${factText(query)}: this system has no registry`);
      return registryValue(query.name, query.property, signal);
  }
}

/** A file is a regular file, a folder a directory; without a property the answer is the path itself. */
async function fileFact(root: string, { subject, name, property }: FactQuery, log: (line: string) => void): Promise<string | undefined> {
  if (!name.startsWith("/") && process.platform !== "win32") {
    log(`${subject} ${name}: expected a path that begins with / on this system`);
    return undefined;
  }
  const path = process.platform === "win32" ? name : await resolveInRoot(root, name);
  const status = path === undefined ? undefined : await stat(path).catch(() => undefined);
  if (path === undefined || status === undefined || (subject === "file" ? !status.isFile() : !status.isDirectory())) return undefined;
  if (property === "size") return String(status.size);
  if (property === "modified") return status.mtime.toISOString();
  // Programs of Windows carry a version inside; those of Linux are asked by the package they belong to.
  if (property === "version") {
    if (status.size > mostProgramBytes) log(`file ${name}: it has ${status.size} bytes; the version of a program of more than ${mostProgramBytes} is not looked for`);
    else return subject === "file" ? windowsFileVersion(await readFile(path)) : undefined;
    return undefined;
  }
  return name;
}

/** The fixed version of a Windows program: VS_FIXEDFILEINFO, whose first four bytes are 0xFEEF04BD (Microsoft, "VS_FIXEDFILEINFO structure"). */
export function windowsFileVersion(bytes: Buffer): string | undefined {
  if (bytes.length < 64 || bytes.toString("latin1", 0, 2) !== "MZ") return undefined;
  const key = Buffer.from("VS_VERSION_INFO\0", "utf16le");
  const at = bytes.indexOf(key);
  const start = at < 0 ? -1 : bytes.indexOf(Buffer.from([0xbd, 0x04, 0xef, 0xfe]), at + key.length);
  if (start < 0 || start > at + key.length + 8 || start + 16 > bytes.length) return undefined;
  return [bytes.readUInt16LE(start + 10), bytes.readUInt16LE(start + 8), bytes.readUInt16LE(start + 14), bytes.readUInt16LE(start + 12)].join(".");
}
