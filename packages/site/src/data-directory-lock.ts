import { readFile, realpath, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SiteError } from "./error.ts";

const heldHere = new Set<string>();

/**
 * One server per data directory: a file that names the process. A process id is used again, after a restart of the computer
 * surely, so the file also has the time the process started and the computer's boot id.
 * @throws SiteError PRESTAGE_SITE_IN_USE
 */
export async function lockDataDirectory(folder: string): Promise<() => Promise<void>> {
  const path = join(await realpath(folder), "server.pid");
  if (heldHere.has(path)) throw inUse(folder, process.pid);
  heldHere.add(path);
  const release = async () => {
    await rm(path, { force: true });
    heldHere.delete(path);
  };
  try {
    const own = await identityOf(process.pid);
    for (let attempt = 0; attempt < 2; attempt++) {
      const holder = await writeFile(path, `${own}\n`, { flag: "wx" }).then(() => undefined, () => readFile(path, "utf8").catch(() => ""));
      if (holder === undefined) return release;
      const pid = Number(holder.split(" ")[0]);
      if (pid > 0 && pid !== process.pid && (await identityOf(pid)) === holder.trim()) throw inUse(folder, pid);
      await rm(path, { force: true });
    }
    throw inUse(folder, 0);
  } catch (cause) {
    heldHere.delete(path);
    throw cause;
  }
}

/** Process id, its start in clock ticks after boot (proc(5), field 22), and the boot's id. */
async function identityOf(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const started = status.slice(status.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return `${pid} ${started} ${boot.trim()}`;
}

function inUse(folder: string, pid: number): SiteError {
  return new SiteError("PRESTAGE_SITE_IN_USE", `Expected no other server on ${folder}; ${pid > 0 ? `process ${pid} has it` : "another one is starting"}. Stop that one, or choose another data directory.`);
}
