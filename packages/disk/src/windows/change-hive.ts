import { createHash } from "node:crypto";
import { lstat, open, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { putKey } from "../registry/hive-edit.ts";
import { Hive } from "../registry/hive.ts";
import { badHive } from "../registry/registry-key.ts";
import type { RegistryKey } from "../registry/registry-key.ts";

const maximumHiveBytes = 512 << 20;

/**
 * Puts keys into a hive of a Windows that does not run, on a mounted NTFS. The file is written over in place, so that its security descriptor,
 * short name and attributes stay its own; before that all of the new hive lies beside it, with its hash behind, and a step that was cut off in between
 * writes that again. What was written is read back.
 * @throws DiskError PRESTAGE_DISK_BAD_REGISTRY: it is no hive, or was not closed; TypeError for what no hive takes
 */
export async function changeHive(path: string, at: Date, changes: (hive: Hive) => { path: readonly string[]; key: RegistryKey }[]): Promise<{ changed: boolean }> {
  const beside = `${path}.prestage`;
  const unfinished = await readWhole(beside);
  if (unfinished !== undefined) await writeOver(path, unfinished);
  await rm(beside, { force: true });
  const status = await lstat(path).catch(() => undefined);
  if (status?.isFile() !== true || status.size > maximumHiveBytes) throw badHive(status === undefined ? `no file ${path}` : `${status.size} bytes`);
  const before = await readFile(path);
  let after: Buffer = before;
  for (const { path: place, key } of changes(new Hive(before))) after = putKey(after, place, key, at);
  if (after === before) return { changed: unfinished !== undefined };
  await writeFile(beside, Buffer.concat([after, createHash("sha256").update(after).digest()]), { mode: 0o600 });
  await flush(beside);
  await flush(dirname(path));
  await writeOver(path, after);
  await rm(beside);
  await flush(dirname(path));
  return { changed: true };
}

/** The control set the computer starts with: Select\Current says which. */
export function currentControlSet(hive: Hive): string {
  const value = hive.read(["Select"])?.values;
  const number = Object.entries(value ?? {}).find(([name]) => name.toLowerCase() === "current")?.[1];
  if (number?.type !== "dword" || number.number < 1 || number.number > 999) throw badHive("no Select\\Current that names a control set");
  const name = `ControlSet${String(number.number).padStart(3, "0")}`;
  if (hive.find([name, "Services"]) === undefined) throw badHive(`no ${name}\\Services`);
  return name;
}

/** The hive that lies beside, where all of it does. */
async function readWhole(path: string): Promise<Buffer | undefined> {
  const status = await lstat(path).catch(() => undefined);
  if (status?.isFile() !== true || status.size < 32 || status.size > maximumHiveBytes) return undefined;
  const bytes = await readFile(path);
  const hive = bytes.subarray(0, -32);
  return createHash("sha256").update(hive).digest().equals(bytes.subarray(-32)) ? hive : undefined;
}

async function writeOver(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.write(bytes, 0, bytes.length, 0);
    await file.truncate(bytes.length);
    await file.sync();
  } finally {
    await file.close();
  }
  if (!(await readFile(path)).equals(bytes)) throw badHive(`other bytes in ${path} than were written`, "The disk may be failing.");
}

async function flush(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
