import { mkdir } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { ContentLibrary, writeDurably } from "@prestage/content";
import pino from "pino";
import type { Logger } from "pino";
import { DeviceFeed } from "./administration/device-feed.ts";
import type { SiteConfiguration } from "./configuration.ts";
import { lockDataDirectory } from "./data-directory-lock.ts";
import { openDatabase } from "./database/open-database.ts";
import { createServer } from "./http/create-server.ts";
import { runRedistribute, runValidatePoints } from "./jobs/distribution-jobs.ts";
import { lookAtAlerts } from "./jobs/alert-watch.ts";
import { validateIfDue } from "./jobs/content-schedule.ts";
import { runImport } from "./jobs/import-job.ts";
import { JobRunner } from "./jobs/job-runner.ts";
import { runMediaCreate } from "./jobs/media-job.ts";
import { runCollect, runShare, runValidate } from "./jobs/library-jobs.ts";
import { runContentImport, runExport } from "./jobs/transfer-jobs.ts";
import { runPatches, schedulePatches } from "./jobs/patches-job.ts";
import { loadSiteKeys } from "./keys/site-keys.ts";
import type { SiteContext, SitePage } from "./site-context.ts";
import { nextObjectId } from "./store/object-ids.ts";

export interface RunningSite { url: string; port: number; context: SiteContext; routes: string; stop(): Promise<void> }
export interface ServeOptions { log?: Logger; now?: () => Date; onProgress?: (message: string) => void; pages?: readonly SitePage[] }

/** The one redaction list: what must never stand in a log line. */
const redaction = { paths: ["req.headers.authorization", "headers.authorization", "*.password", "*.token", "*.privateKey"], censor: "[redacted]" };

/**
 * Starts the site in this process: keys, PostgreSQL, jobs, HTTPS. Resolves when it answers requests.
 * @throws SiteError
 */
export async function serve(configuration: SiteConfiguration, options: ServeOptions = {}): Promise<RunningSite> {
  const { dataDirectory } = configuration;
  const now = options.now ?? (() => new Date());
  await mkdir(dataDirectory, { recursive: true });
  const unlock = await lockDataDirectory(dataDirectory);
  const closing: (() => Promise<unknown>)[] = [unlock];
  const stop = async () => {
    // One that fails (the database may be away) must not keep the others open.
    const failed: unknown[] = [];
    for (const close of closing.splice(0).reverse()) await close().catch((cause: unknown) => failed.push(cause));
    if (failed.length > 0) throw failed[0];
  };
  try {
    await mkdir(join(dataDirectory, "logs"), { recursive: true });
    const log = options.log ?? pino({ level: configuration.logLevel, redact: redaction }, pino.destination({ dest: join(dataDirectory, "logs", "site.log"), sync: false }));
    options.onProgress?.("Loading keys");
    const keys = await loadSiteKeys(dataDirectory, configuration.siteCode, now());
    options.onProgress?.(configuration.databaseUrl === undefined ? "Starting PostgreSQL" : "Connecting to PostgreSQL");
    const database = await openDatabase(join(dataDirectory, "postgres"), configuration.databaseUrl, log);
    closing.push(() => database.close());
    const jobs = new JobRunner(database.db, database.connection, log);
    const library = new ContentLibrary(dataDirectory);
    const swept = await library.sweep();
    if (swept.length > 0) log.warn({ folders: swept }, "removed what an interrupted import left");
    let port = configuration.port;
    const publicUrls = () => (configuration.publicUrls.length > 0 ? configuration.publicUrls : [`https://${hostname()}:${port}`]);
    const context: SiteContext = { configuration, db: database.db, connection: database.connection, keys, library, jobs, log, publicUrls, now, pages: options.pages ?? [], feed: new DeviceFeed(database.connection, log) };
    await ensureBuiltInCollections(context);
    await context.feed.start();
    closing.push(() => context.feed.stop());
    await jobs.start({ import: (data, tools) => runImport(context, data, tools), "media-create": (data, tools) => runMediaCreate(context, data, tools), patches: (data, tools) => runPatches(context, data, tools), validate: (_data, tools) => runValidate(context, tools), collect: (_data, tools) => runCollect(context, tools), share: (_data, tools) => runShare(context, tools), "validate-distribution-points": (data, tools) => runValidatePoints(context, data, tools), redistribute: (data, tools) => runRedistribute(context, data, tools), "content-export": (data, tools) => runExport(context, data, tools), "content-import": (data, tools) => runContentImport(context, data, tools) });
    await schedulePatches(context);
    closing.push(() => jobs.stop());
    const hosts = [...new Set(["localhost", "127.0.0.1", hostname(), ...configuration.publicUrls.map((url) => new URL(url).hostname)])];
    const server = createServer(context, await keys.authority.issue(hosts, now()));
    await server.listen({ host: configuration.host, port: configuration.port });
    closing.push(async () => {
      server.server.closeAllConnections();
      await server.close();
    });
    port = (server.server.address() as AddressInfo).port;
    const url = `https://127.0.0.1:${port}`;
    await writeDurably(join(dataDirectory, "site.json"), Buffer.from(`${JSON.stringify({ url, siteCode: configuration.siteCode, ca: keys.authority.certificate })}\n`), 0o644);
    // Distribution points are asked over HTTP, and this is one.
    await jobs.everyHour("content-schedule", () => validateIfDue(context));
    await validateIfDue(context);
    await jobs.everyHour("alerts", async () => lookAtAlerts(context));
    return { url, port, context, routes: server.printRoutes({ commonPrefix: false }), stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

async function ensureBuiltInCollections(context: SiteContext): Promise<void> {
  for (const [builtIn, name] of [["all-systems", "All Systems"], ["all-unknown-computers", "All Unknown Computers"]] as const) {
    const found = await context.db.selectFrom("collection").select("id").where("built_in", "=", builtIn).executeTakeFirst();
    if (found === undefined) {
      const id = await nextObjectId(context.db, context.configuration.siteCode);
      await context.db.insertInto("collection").values({ id, name, built_in: builtIn, variables: "[]" }).execute();
    }
  }
}
