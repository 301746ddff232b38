import { buildRouteMap } from "@stricli/core";
import * as contract from "@prestage/contract";
import { command, siteFlags, texts, wholeNumber } from "../command.ts";
import type { SiteFlags } from "../command.ts";
import { print, table } from "../output.ts";
import { SiteClient } from "../site-client.ts";

const size = (brief: string) => ({ kind: "parsed", parse: wholeNumber, optional: true, brief, placeholder: "NUMBER" }) as const;

function settingsText(settings: contract.SiteSettings): string {
  return table(["SETTING", "VALUE"], [
    ["Default size of collections", settings.collectionDefaultSize === 0 ? "0 (no word needed)" : String(settings.collectionDefaultSize)],
    ["Maximum size of collections", settings.collectionMaximumSize === 0 ? "0 (no limit)" : String(settings.collectionMaximumSize)],
    ["Computers of the site", settings.siteSystems === "error" ? "refused" : "a warning"],
    ["Named computers of the site", settings.siteComputers.join(", ") || "none"],
  ]);
}

export const siteRoutes = buildRouteMap({
  docs: { brief: "What holds for the whole site: show, set" },
  routes: {
    show: command<SiteFlags>({
      brief: "Show the settings of the site that guard required deployments of operating systems",
      example: "prestage site show",
      parameters: { flags: siteFlags },
      async run(context, flags) {
        const settings = await (await SiteClient.open(context, flags.data)).call("GET", "/settings", contract.siteSettingsSchema);
        print(context, flags.json, settings, settingsText(settings));
      },
    }),
    set: command<SiteFlags & { defaultSize?: number; maximumSize?: number; siteSystems?: "error" | "warning"; siteComputer?: readonly string[]; noSiteComputers?: boolean }>({
      brief: "Change settings of the site; they count for deployments made from then on",
      example: "prestage site set --default-size 50 --maximum-size 500 --site-systems warning",
      parameters: {
        flags: {
          ...siteFlags,
          defaultSize: size("A required deployment of an operating system to a larger collection needs --large-collection; 0: none does"),
          maximumSize: size("One to a larger collection is refused; 0: no limit. It exceeds the default size"),
          siteSystems: { kind: "enum", values: ["error", "warning"], optional: true, brief: "What becomes of one that reaches a computer the site runs on" },
          siteComputer: texts("Such a computer besides this one, by name, serial number, SMBIOS UUID or MAC address; all of them are given at once", "WHO"),
          noSiteComputers: { kind: "boolean", optional: true, withNegated: false, brief: "None besides this one" },
        },
      },
      async run(context, flags) {
        const siteComputers = flags.noSiteComputers === true ? [] : flags.siteComputer;
        const body = {
          ...(flags.defaultSize !== undefined && { collectionDefaultSize: flags.defaultSize }), ...(flags.maximumSize !== undefined && { collectionMaximumSize: flags.maximumSize }),
          ...(flags.siteSystems && { siteSystems: flags.siteSystems }), ...(siteComputers && { siteComputers }),
        };
        const settings = await (await SiteClient.open(context, flags.data)).call("PATCH", "/settings", contract.siteSettingsSchema, body);
        print(context, flags.json, settings, settingsText(settings));
      },
    }),
  },
});
