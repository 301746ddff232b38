import { resolve } from "node:path";
import { publishLocationSchema } from "@prestage/contract";
import type { PublishLocation } from "@prestage/contract";
import { z } from "zod";
import { flag, optionalText } from "./command.ts";
import { CliError } from "./error.ts";

/** Flags of every command that names a place to publish to. */
export const locationFlags = {
  endpoint: optionalText("Of an S3 store: its address", "URL"),
  region: optionalText("Of an S3 store: its region; default us-east-1", "REGION"),
  credentials: optionalText("Of an S3 store: its keys, in the form of ~/.aws/credentials; else AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", "FILE"),
  bucketPolicy: flag("The bucket's own policy lets everyone read content/*; else each object is made readable by its ACL"),
} as const;
export type LocationFlags = { endpoint?: string; region?: string; credentials?: string; bucketPolicy?: boolean }

/** Reads a folder's path or s3://BUCKET/PREFIX. @throws CliError PRESTAGE_CLI_BAD_ARGUMENT */
export function publishLocation(text: string, flags: LocationFlags): PublishLocation {
  const s3 = /^s3:\/\/([^/]+)(?:\/(.*?))?\/*$/.exec(text);
  const unused = Object.entries({ endpoint: flags.endpoint, region: flags.region, credentials: flags.credentials, "bucket-policy": flags.bucketPolicy }).find(([, value]) => value !== undefined);
  if (s3 === null && unused !== undefined) throw bad(`s3://BUCKET/PREFIX with --${unused[0]}; found ${JSON.stringify(text)}`);
  if (s3 !== null && flags.endpoint === undefined) throw bad(`the store's address after --endpoint, with ${text}`);
  const location = s3 === null
    ? { kind: "folder", path: resolve(text) }
    : { kind: "s3", endpoint: flags.endpoint, bucket: s3[1], prefix: s3[2] ?? "", region: flags.region ?? "us-east-1", access: flags.bucketPolicy === true ? "policy" : "acl", ...(flags.credentials !== undefined && { credentialsFile: resolve(flags.credentials) }) };
  const parsed = publishLocationSchema.safeParse(location);
  if (!parsed.success) throw bad(`a folder, or s3://BUCKET/PREFIX and its store; found: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function bad(text: string): CliError {
  return new CliError("PRESTAGE_CLI_BAD_ARGUMENT", `Expected ${text}.`);
}
