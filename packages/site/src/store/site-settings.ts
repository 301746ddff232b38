import { defaultSiteSettings, siteSettingsSchema } from "@prestage/contract";
import type { SiteSettings } from "@prestage/contract";
import type { Database } from "../database/open-database.ts";
import { SiteError } from "../error.ts";
import { jsonText } from "./json-text.ts";

/** What was set, over the defaults. */
export async function readSettings(db: Database): Promise<SiteSettings> {
  const rows = await db.selectFrom("site_setting").selectAll().execute();
  return siteSettingsSchema.parse({ ...defaultSiteSettings, ...Object.fromEntries(rows.map((row) => [row.name, row.value])) });
}

/** @throws SiteError PRESTAGE_SITE_REQUEST_INVALID where the maximum size does not exceed the default (features.md F144) */
export async function writeSettings(db: Database, changes: { [Name in keyof SiteSettings]?: SiteSettings[Name] | undefined }): Promise<SiteSettings> {
  return db.transaction().execute(async (transaction) => {
    for (const [name, value] of Object.entries(changes)) {
      const row = { name, value: jsonText(value) };
      await transaction.insertInto("site_setting").values(row).onConflict((conflict) => conflict.column("name").doUpdateSet(row)).execute();
    }
    const settings = await readSettings(transaction);
    const { collectionDefaultSize: usual, collectionMaximumSize: most } = settings;
    if (most !== 0 && most <= usual) throw new SiteError("PRESTAGE_SITE_REQUEST_INVALID", `Expected a maximum size of collections that exceeds their default size ${usual}, or 0 for no limit; found ${most}.`);
    return settings;
  });
}
