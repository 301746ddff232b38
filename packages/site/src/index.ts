export { parseConfiguration, siteConfigurationSchema } from "./configuration.ts";
export type { SiteConfiguration } from "./configuration.ts";
export { SiteError, siteErrors } from "./error.ts";
export type { SiteErrorCode } from "./error.ts";
export { openPublishTarget } from "./publish/open-target.ts";
export { serve } from "./serve.ts";
export type { RunningSite, ServeOptions } from "./serve.ts";
