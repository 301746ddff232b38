import { mkdir, open, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { syncPath, writeDurably } from "@prestage/content";
import { depotFile, exportPrivateKey, generateSigningKey, importSigningKey, openDepotFile, type DepotFile } from "@prestage/trust";
import { StagingError } from "./error.ts";
import type { Depot } from "./receipt.ts";

/** Where a depot's key lies unless told otherwise: PRESTAGE_DEPOT_KEY, else the user's configuration folder. */
export function defaultDepotKeyPath(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment["PRESTAGE_DEPOT_KEY"];
  if (named !== undefined && named !== "") return named;
  const configuration = environment["XDG_CONFIG_HOME"];
  return join(configuration !== undefined && configuration.startsWith("/") ? configuration : join(homedir(), ".config"), "prestage/depot-key.pem");
}

/** The public half lies beside the key, ready to be sent. */
export function depotFilePath(keyPath: string): string {
  return `${keyPath.replace(/\.pem$/, "")}.public.json`;
}

/**
 * Makes a depot's key, readable by its owner alone; a key that is there is never replaced.
 * @throws StagingError PRESTAGE_STAGING_DEPOT_KEY
 */
export async function makeDepotKey(path: string, name: string): Promise<DepotFile> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw depotKeyError(`Expected to make the folder ${dirname(path)} for the depot's key; it cannot be made. Name another place: --key-file.`, cause);
  });
  const key = generateSigningKey();
  const handle = await open(path, "wx", 0o600).catch((cause: unknown) => {
    throw depotKeyError(`Expected no file at ${path}, where the depot's key is to be made; there is one, or it cannot be made. A depot keeps its key: receipts signed with a new one count only after the site has registered it. Show the present one with \`prestage depot show\`.`, cause);
  });
  try {
    await handle.writeFile(exportPrivateKey(key));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncPath(dirname(path));
  const file = depotFile(name, key);
  await writeDurably(depotFilePath(path), Buffer.from(`${JSON.stringify(file, null, 2)}\n`), 0o644);
  return file;
}

/**
 * Loads a depot's key and name. Undefined where there is no key at all.
 * @throws StagingError PRESTAGE_STAGING_DEPOT_KEY where the key can be read by others, is damaged, or is not the one its public file names
 */
export async function loadDepot(path: string): Promise<Depot | undefined> {
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw depotKeyError(`Expected to read the depot's key at ${path}; found: ${cause.message}`, cause);
  });
  if (status === undefined) return undefined;
  if ((status.mode & 0o077) !== 0) throw depotKeyError(`Expected the depot's key ${path} to be readable by its owner alone; its mode is 0${(status.mode & 0o777).toString(8)}. If nobody else has read it: chmod 600 ${path}`);
  const key = importSigningKey(await readFile(path, "utf8"));
  const file = await readFile(depotFilePath(path)).then(openDepotFile, (cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return depotFile(`depot ${key.keyId.slice(0, 8)}`, key);
    throw cause;
  });
  if (file.keyId !== key.keyId) throw depotKeyError(`Expected ${depotFilePath(path)} to be the public half of ${path}; it names another key. Restore the one that belongs to it.`);
  return { name: file.name, key };
}

function depotKeyError(message: string, cause?: unknown): StagingError {
  return new StagingError("PRESTAGE_STAGING_DEPOT_KEY", message, { cause });
}
