import { FolderTarget } from "@prestage/content";
import type { PublishTarget } from "@prestage/content";
import type { PublishLocation } from "@prestage/contract";
import { readS3Credentials } from "./s3-credentials.ts";
import { S3Target } from "./s3-target.ts";

/** The folder or bucket a distribution point has its files from. @throws SiteError PRESTAGE_SITE_S3_CREDENTIALS */
export async function openPublishTarget(location: PublishLocation): Promise<PublishTarget> {
  return location.kind === "folder" ? new FolderTarget(location.path) : new S3Target(location, await readS3Credentials(location.credentialsFile));
}
