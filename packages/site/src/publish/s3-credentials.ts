import { readFile, stat } from "node:fs/promises";
import { SiteError } from "../error.ts";

export interface S3Credentials { accessKeyId: string; secretAccessKey: string }

/**
 * Keys of an S3 store: from a file in the form of ~/.aws/credentials (its first profile) that nobody else may read, or from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
 * @throws SiteError PRESTAGE_SITE_S3_CREDENTIALS
 */
export async function readS3Credentials(file: string | undefined, environment: NodeJS.ProcessEnv = process.env): Promise<S3Credentials> {
  if (file === undefined) return complete(environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"], "the environment");
  const status = await stat(file).catch((cause: unknown) => {
    throw refused(`a file of keys, ${file}; found: ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  if ((status.mode & 0o077) !== 0) throw refused(`${file} to be readable by its owner alone; found mode ${(status.mode & 0o777).toString(8)}. chmod 600 it`);
  if (status.size > 65_536) throw refused(`a file of keys of at most 64 KiB; found ${status.size} bytes in ${file}`);
  const values = new Map<string, string>();
  for (const line of (await readFile(file, "utf8")).split("\n")) {
    const [, name = "", value = ""] = /^\s*(aws_access_key_id|aws_secret_access_key)\s*=\s*(\S+)\s*$/.exec(line) ?? [];
    if (name !== "" && !values.has(name)) values.set(name, value);
  }
  return complete(values.get("aws_access_key_id"), values.get("aws_secret_access_key"), file);
}

function complete(accessKeyId: string | undefined, secretAccessKey: string | undefined, where: string): S3Credentials {
  if (!accessKeyId || !secretAccessKey) throw refused(`the keys of the S3 store in ${where}; found none. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with aws_access_key_id and aws_secret_access_key`);
  return { accessKeyId, secretAccessKey };
}

function refused(text: string): SiteError {
  return new SiteError("PRESTAGE_SITE_S3_CREDENTIALS", `Expected ${text}.`);
}
