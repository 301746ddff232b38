import type { ContentLibrary } from "@prestage/content";
import type { Logger } from "pino";
import type pg from "pg";
import type { SiteConfiguration } from "./configuration.ts";
import type { Database } from "./database/open-database.ts";
import type { DeviceFeed } from "./administration/device-feed.ts";
import type { JobRunner } from "./jobs/job-runner.ts";
import type { SiteKeys } from "./keys/site-keys.ts";

export interface SitePage { path: string; type: string; body: string }

/** What every route and job works with. */
export interface SiteContext {
  configuration: SiteConfiguration;
  db: Database;
  connection: pg.ClientConfig;
  keys: SiteKeys;
  library: ContentLibrary;
  jobs: JobRunner;
  feed: DeviceFeed;
  /** The console's files, served as they are; they hold no data. */
  pages: readonly SitePage[];
  log: Logger;
  /** URLs devices reach this server under; known once it listens. */
  publicUrls: () => string[];
  now: () => Date;
}

/** One line in the append-only audit: who did what to which. */
export async function audit(context: SiteContext, actor: string, action: string, subject: string): Promise<void> {
  await context.db.insertInto("audit").values({ actor, action, subject }).execute();
  context.log.info({ actor, action, subject }, "audit");
}
