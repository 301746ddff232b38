import { z } from "zod";

/** A number of computers. */
const size = z.int().min(0).max(1_000_000);
const fields = {
  /** A required deployment of an operating system to a larger collection needs an explicit word; 0: none does. */
  collectionDefaultSize: size,
  /** One to a larger collection is refused; 0: no limit. It exceeds the default size. */
  collectionMaximumSize: size,
  /** What becomes of such a deployment that reaches a computer the site itself runs on. */
  siteSystems: z.enum(["error", "warning"]),
  /** Such computers besides this one, by name, serial number, SMBIOS UUID or MAC address. */
  siteComputers: z.array(z.string().min(1).max(128)).max(1000),
};

/** What holds for the whole site (features.md F144 to F146). */
export const siteSettingsSchema = z.strictObject(fields);
export type SiteSettings = z.infer<typeof siteSettingsSchema>;
export const setSiteSettingsRequestSchema = siteSettingsSchema.partial();
export const defaultSiteSettings: SiteSettings = { collectionDefaultSize: 100, collectionMaximumSize: 0, siteSystems: "error", siteComputers: [] };
