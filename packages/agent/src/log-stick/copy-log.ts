import { constants } from "node:fs";
import { mkdir, open, readdir, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../run-command.ts";
import type { RemovablePartition } from "./removable-partitions.ts";

const mountFolder = "/run/prestage/log-stick";

export interface LogSource {
  /** /prestage/log of the data volume; absent while nothing is mounted there. */
  folder: string;
  /** The last lines the agent logged. */
  recent: readonly string[];
  computer: string;
  time: Date;
}

export type CopyOutcome = { kind: "copied"; folder: string } | { kind: "full" | "read-only" } | { kind: "failed"; detail: string };

/** Mounts a stick, copies the log into a new folder on it, and takes it off again: when this resolves it can be pulled out. */
export async function copyLogToPartition(partition: Pick<RemovablePartition, "path" | "fileSystem">, source: LogSource, run: typeof runCommand = runCommand, at: string = mountFolder): Promise<CopyOutcome> {
  await mkdir(at, { recursive: true });
  // --read-write: else a write-protected stick would be mounted read-only without a word.
  const mounted = await run("mount", ["--read-write", "-t", partition.fileSystem, "-o", "nosuid,nodev,noexec", partition.path, at]);
  if (mounted.code !== 0) return /write-protected|read-only/i.test(mounted.output) ? { kind: "read-only" } : { kind: "failed", detail: mounted.output.slice(-200) };
  let outcome: CopyOutcome | undefined;
  try {
    outcome = await copyLog(source, at);
  } finally {
    const unmounted = await run("umount", [at]);
    if (unmounted.code !== 0 && outcome?.kind === "copied") outcome = { kind: "failed", detail: unmounted.output.slice(-200) };
  }
  return outcome;
}

/** Copies into a new folder and nowhere else; what could not be completed is removed again. */
export async function copyLog(source: LogSource, target: string): Promise<CopyOutcome> {
  const name = `prestage-log-${source.computer.replace(/[^A-Za-z0-9-]/g, "").slice(0, 32) || "computer"}-${source.time.toISOString().replace(/[-:]|\.\d+/g, "")}`;
  const folder = join(target, name);
  let made = false;
  try {
    await mkdir(folder); // fails where there is one: nothing that lies there is touched
    made = true;
    await copyFolder(source.folder, folder);
    await writeNew(join(folder, "recent.log"), (file) => file.writeFile(source.recent.map((line) => `${line}\n`).join("")));
    await syncFolder(folder);
    await syncFolder(target);
    return { kind: "copied", folder: name };
  } catch (cause) {
    if (made) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "ENOSPC" || code === "EDQUOT") return { kind: "full" };
    if (code === "EROFS") return { kind: "read-only" };
    return { kind: "failed", detail: (cause instanceof Error ? cause.message : String(cause)).slice(0, 200) };
  }
}

/** Regular files and folders only: a link could lead out of the log. */
async function copyFolder(from: string, to: string): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true }).catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    throw cause;
  });
  for (const entry of entries) {
    // What FAT does not take in a name.
    const target = join(to, entry.name.replace(/[<>:"|?*\\]/g, "_"));
    if (entry.isDirectory()) {
      await mkdir(target);
      await copyFolder(join(from, entry.name), target);
      await syncFolder(target);
    } else if (entry.isFile()) {
      await copyFile(join(from, entry.name), target);
    }
  }
}

async function copyFile(from: string, to: string): Promise<void> {
  const source = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    // Up to where it ends now: the agent goes on writing to it.
    const { size } = await source.stat();
    await writeNew(to, async (file) => {
      const buffer = Buffer.alloc(256 * 1024);
      for (let done = 0; done < size; ) {
        const { bytesRead } = await source.read(buffer, 0, Math.min(buffer.length, size - done), done);
        if (bytesRead === 0) return;
        await file.writeFile(buffer.subarray(0, bytesRead));
        done += bytesRead;
      }
    });
  } finally {
    await source.close();
  }
}

async function writeNew(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await write(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
