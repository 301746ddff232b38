import * as contract from "@prestage/contract";
import type { Routes } from "../http/new-server.ts";
import { audit } from "../site-context.ts";
import type { SiteContext } from "../site-context.ts";
import { readSettings, writeSettings } from "../store/site-settings.ts";

/** What holds for the whole site. */
export function settingsRoutes(api: Routes, context: SiteContext): void {
  api.get("/settings", { schema: { response: { 200: contract.siteSettingsSchema } } }, () => readSettings(context.db));
  api.patch("/settings", { schema: { body: contract.setSiteSettingsRequestSchema, response: { 200: contract.siteSettingsSchema } } }, async (request) => {
    const settings = await writeSettings(context.db, request.body);
    await audit(context, "administrator", "settings-set", JSON.stringify(request.body));
    return settings;
  });
}
