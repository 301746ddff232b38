import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiskError } from "./error.ts";
import type { Extent } from "./partition-plan.ts";
import { runProgram } from "./run-program.ts";

/** Owner, permission bits (no file type) and time of last change, in seconds since 1970. */
export interface Ext4Attributes { mode: number; uid: number; gid: number; mtime?: number }

/** One change of a file system that is not mounted. Paths are `a/b`, without leading slash. */
export type Ext4Edit =
  | ({ kind: "folder"; path: string } & Ext4Attributes)
  | ({ kind: "file"; path: string; /** A file of this machine. */ from: string } & Ext4Attributes)
  | ({ /** Of a file or folder that is there. */ kind: "attributes"; of: "file" | "folder"; path: string } & Ext4Attributes)
  | { kind: "remove"; path: string }
  | { kind: "remove-folder"; path: string };

interface Options { signal?: AbortSignal | undefined }

/**
 * Changes an ext4 without mounting it, in the order given. It is not journaled: a power cut in the midst of it wants e2fsck.
 * What was written is for the caller to read back: debugfs ends well whatever its commands do.
 * @throws DiskError PRESTAGE_DISK_BAD_FILE_SYSTEM
 */
export async function editExt4(disk: string, extent: Extent, edits: readonly Ext4Edit[], options: Options = {}): Promise<void> {
  if (edits.length === 0) return;
  const folder = await mkdtemp(join(tmpdir(), "prestage-ext4-"));
  try {
    const commands: string[] = [];
    for (const [number, edit] of edits.entries()) {
      const path = quoted(edit.path);
      if (edit.kind === "remove") commands.push(`rm ${path}`);
      else if (edit.kind === "remove-folder") commands.push(`rmdir ${path}`);
      else if (edit.kind === "attributes") commands.push(...attributeCommands(path, edit.of, edit));
      else {
        // debugfs takes its commands line by line: a link has a name without surprises.
        const from = join(folder, String(number));
        if (edit.kind === "file") await symlink(edit.from, from);
        commands.push(edit.kind === "file" ? `write ${inQuotes(from)} ${path}` : `mkdir ${path}`, ...attributeCommands(path, edit.kind, edit));
      }
    }
    await writeFile(join(folder, "commands"), `${commands.join("\n")}\n`);
    const { errorOutput } = await runProgram("debugfs", ["-w", "-f", join(folder, "commands"), `${disk}?offset=${extent.start}`], { signal: options.signal });
    // Its first line is its version.
    const fault = errorOutput.split("\n").find((line) => line.trim() !== "" && !/^debugfs \d/.test(line));
    if (fault !== undefined) throw new DiskError("PRESTAGE_DISK_BAD_FILE_SYSTEM", `Could not change the file system on ${disk}: ${fault.trim().slice(0, 500)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function attributeCommands(path: string, kind: "folder" | "file", edit: Ext4Attributes): string[] {
  const mode = (kind === "file" ? 0o100000 : 0o040000) | (edit.mode & 0o7777);
  const fields = [["mode", `0${mode.toString(8)}`], ["uid", String(edit.uid)], ["gid", String(edit.gid)], ...(edit.mtime === undefined ? [] : [["mtime", `@${edit.mtime}`]])];
  return fields.map(([field, value]) => `set_inode_field ${path} ${field} ${value}`);
}

/** As debugfs reads an argument: in quotes, a quote doubled. */
function quoted(path: string): string {
  // oxlint-disable-next-line no-control-regex -- those are what it must not hold
  if (path === "" || path.startsWith("/") || /[\u0000-\u001f\u007f]/.test(path) || path.split("/").some((part) => part === "" || part === "." || part === "..")) throw new TypeError(`A path for debugfs may not hold control characters or leave its folder: ${JSON.stringify(path)}`);
  return inQuotes(`/${path}`);
}

function inQuotes(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** Removes files that are there, without mounting. */
export async function removeExt4Files(disk: string, extent: Extent, paths: readonly string[], options: Options = {}): Promise<void> {
  await editExt4(disk, extent, paths.map((path) => ({ kind: "remove", path })), options);
}

/** Adds one file, owned by root and readable by nobody else, to a folder that is there, without mounting; from bytes, or from a file of any size. */
export async function addExt4File(disk: string, extent: Extent, path: string, content: Uint8Array | { path: string }, options: Options = {}): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-ext4-"));
  try {
    const from = content instanceof Uint8Array ? join(folder, "content") : content.path;
    if (content instanceof Uint8Array) await writeFile(from, content, { mode: 0o600 });
    await editExt4(disk, extent, [{ kind: "file", path, from, mode: 0o600, uid: 0, gid: 0 }], options);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
