import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readInputFile } from "../input-file.ts";

/** The keyring to trust: the one named, or that of a site on this machine. */
export async function trustedKeyring(path: string | undefined, dataDirectory: string | undefined): Promise<Uint8Array | undefined> {
  if (path !== undefined) return readInputFile(path, "a keyring");
  if (dataDirectory === undefined) return undefined;
  const own = join(dataDirectory, "keys/keyring.dsse.json");
  return access(own).then(() => readFile(own), () => undefined);
}
