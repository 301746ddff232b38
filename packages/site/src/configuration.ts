import { patchLevels } from "@prestage/content";
import { z } from "zod";
import { SiteError } from "./error.ts";

/** The server's configuration: one schema; file (TOML), then environment, then options. */
export const siteConfigurationSchema = z.strictObject({
  /** Keys, content, database and logs live below it. */
  dataDirectory: z.string().min(1),
  siteCode: z.string().regex(/^[A-Z0-9]{3}$/).default("PRE"),
  host: z.string().default("0.0.0.0"),
  /** 0: any free port. */
  port: z.coerce.number().int().min(0).max(65535).default(8443),
  /** URLs under which devices reach this server; their hosts stand in its certificate. The first is the default on media. */
  publicUrls: z.array(z.url()).max(16).default([]),
  /** An external PostgreSQL; absent: a private one, supervised, on a Unix socket. */
  databaseUrl: z.string().optional(),
  /** Requests of computers that are not enrolled yet, a second and source address; ten times as many at once. */
  unprovenPerSecond: z.coerce.number().min(1).max(100_000).default(100),
  /** Patches from the versions on media to the newest are made in the background. */
  patches: z.boolean().default(true),
  /** Of zstd: 9 is quick, 19 makes the smallest. */
  patchLevel: z.coerce.number().int().min(patchLevels.least).max(patchLevels.most).default(patchLevels.usual),
  /** Where no patches are made from a version on media to the newest, or they do not fit: a pack of pieces of the newest, which fits any older one. */
  pieces: z.boolean().default(true),
  /** Bytes all patches and packs of pieces together may take; past it none is made. */
  patchSpaceBytes: z.coerce.number().int().min(0).default(20 * 1024 ** 3),
  /** The library and the distribution points are validated this often: `12h`, `7d`. Absent: only when asked. */
  validateContentEvery: z.string().regex(/^[1-9]\d{0,3}[hd]$/, "a number of hours or days: 12h, 7d").optional(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info"),
});
export type SiteConfiguration = z.infer<typeof siteConfigurationSchema>;

/** @throws SiteError PRESTAGE_SITE_CONFIGURATION */
export function parseConfiguration(input: unknown): SiteConfiguration {
  const parsed = siteConfigurationSchema.safeParse(input);
  if (!parsed.success) throw new SiteError("PRESTAGE_SITE_CONFIGURATION", `Expected a valid configuration; found: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
  return parsed.data;
}
