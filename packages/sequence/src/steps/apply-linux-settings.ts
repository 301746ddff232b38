import { z } from "zod";
import { defineStepType } from "./step-definition.ts";

/** A keyboard: its layout of XKB, and a variant where it has one. */
const keyboard = /^[a-z]{2,8}(:[a-z0-9_]{1,40})?$/;

/** What Apply Windows Settings (features.md F224) is to Windows, for Linux. */
export const applyLinuxSettingsStep = defineStepType({
  type: "apply-linux-settings",
  title: "Apply Linux settings",
  reference: [],
  summary: "Sets time zone, language and keyboard of a Linux, as apply-windows-settings does for Windows: of the one that was applied, or of the one that runs. A language is one the system has; the one that runs makes it by `locale-gen` where it can. Values as Windows writes them are taken where they are known: `W. Europe Standard Time`, `de-DE`, `0407:00000407`.",
  environments: ["environment", "installed"],
  settings: z
    .strictObject({
      timeZone: z.string().min(1).max(128).optional().describe("Such as Europe/Paris"),
      locale: z.string().min(1).max(64).optional().describe("Such as de_DE.UTF-8 or C.UTF-8"),
      keyboard: z.string().min(1).max(64).optional().describe("Layout of XKB, with its variant: fr, ch:fr"),
    })
    .refine((value) => Object.values(value).some((one) => one !== undefined), "one of timeZone, locale and keyboard"),
  variables: { timeZone: "OSDTimeZone", locale: "OSDSystemLocale", keyboard: "OSDInputLocale" },
  again: "It writes the same files again.",
  errors: ["PRESTAGE_DISK_FILE_MISSING"],
  example: `- name: Here
  type: apply-linux-settings
  with: { timeZone: Europe/Paris, locale: fr_FR.UTF-8, keyboard: fr }`,
});

/** Windows' names of time zones (CLDR, windowsZones, territory 001), those most in use. */
const windowsZones: Readonly<Record<string, string>> = {
  "utc": "Etc/UTC", "gmt standard time": "Europe/London", "greenwich standard time": "Atlantic/Reykjavik", "w. europe standard time": "Europe/Berlin", "romance standard time": "Europe/Paris", "central europe standard time": "Europe/Budapest",
  "central european standard time": "Europe/Warsaw", "e. europe standard time": "Europe/Chisinau", "gtb standard time": "Europe/Bucharest", "fle standard time": "Europe/Kiev", "turkey standard time": "Europe/Istanbul", "russian standard time": "Europe/Moscow", "israel standard time": "Asia/Jerusalem",
  "south africa standard time": "Africa/Johannesburg", "egypt standard time": "Africa/Cairo", "w. central africa standard time": "Africa/Lagos", "arab standard time": "Asia/Riyadh", "arabian standard time": "Asia/Dubai", "india standard time": "Asia/Calcutta", "china standard time": "Asia/Shanghai", "singapore standard time": "Asia/Singapore",
  "tokyo standard time": "Asia/Tokyo", "korea standard time": "Asia/Seoul", "w. australia standard time": "Australia/Perth", "e. australia standard time": "Australia/Brisbane", "aus eastern standard time": "Australia/Sydney", "cen. australia standard time": "Australia/Adelaide", "new zealand standard time": "Pacific/Auckland",
  "eastern standard time": "America/New_York", "central standard time": "America/Chicago", "mountain standard time": "America/Denver", "us mountain standard time": "America/Phoenix", "pacific standard time": "America/Los_Angeles", "alaskan standard time": "America/Anchorage", "hawaiian standard time": "Pacific/Honolulu",
  "atlantic standard time": "America/Halifax", "newfoundland standard time": "America/St_Johns", "e. south america standard time": "America/Sao_Paulo", "argentina standard time": "America/Buenos_Aires", "sa pacific standard time": "America/Bogota", "central standard time (mexico)": "America/Mexico_City",
};

/** Languages of Windows by the number of their locale (MS-LCID), and the keyboard of each. */
const windowsLanguages: Readonly<Record<string, { number: string; keyboard: string }>> = {
  "en-us": { number: "0409", keyboard: "us" }, "en-gb": { number: "0809", keyboard: "gb" }, "de-de": { number: "0407", keyboard: "de" }, "de-at": { number: "0c07", keyboard: "at" }, "de-ch": { number: "0807", keyboard: "ch" },
  "fr-fr": { number: "040c", keyboard: "fr" }, "fr-be": { number: "080c", keyboard: "be" }, "fr-ca": { number: "0c0c", keyboard: "ca" }, "fr-ch": { number: "100c", keyboard: "ch:fr" }, "nl-nl": { number: "0413", keyboard: "us:intl" }, "nl-be": { number: "0813", keyboard: "be" },
  "es-es": { number: "0c0a", keyboard: "es" }, "it-it": { number: "0410", keyboard: "it" }, "pt-pt": { number: "0816", keyboard: "pt" }, "pt-br": { number: "0416", keyboard: "br" }, "sv-se": { number: "041d", keyboard: "se" }, "da-dk": { number: "0406", keyboard: "dk" },
  "nb-no": { number: "0414", keyboard: "no" }, "fi-fi": { number: "040b", keyboard: "fi" }, "pl-pl": { number: "0415", keyboard: "pl" }, "cs-cz": { number: "0405", keyboard: "cz" }, "hu-hu": { number: "040e", keyboard: "hu" },
};

/** A zone's name in the IANA database, whether it is there or not; undefined for what is no such name. */
export function zoneName(given: string): string | undefined {
  const known = windowsZones[given.trim().toLowerCase()];
  if (known !== undefined) return known;
  return /^[A-Za-z0-9_+-]{1,40}(\/[A-Za-z0-9_+-]{1,40}){0,2}$/.test(given) ? given : undefined;
}

/** A locale as Linux names it. */
export function localeName(given: string): string | undefined {
  const windows = /^([a-z]{2,3})-([A-Z]{2})$/i.exec(given.trim());
  if (windows !== null) return `${(windows[1] ?? "").toLowerCase()}_${(windows[2] ?? "").toUpperCase()}.UTF-8`;
  return /^(C|POSIX|[a-z]{2,3}(_[A-Z]{2})?)(\.[A-Za-z0-9-]{1,20})?(@[a-z]{1,20})?$/.test(given) ? given : undefined;
}

/** A keyboard's layout and variant. */
export function keyboardLayout(given: string): { layout: string; variant: string } | undefined {
  const text = given.trim().toLowerCase().split(";")[0] ?? "";
  const number = /^([0-9a-f]{4}):[0-9a-f]{8}$/.exec(text)?.[1];
  const known = windowsLanguages[text]?.keyboard ?? Object.values(windowsLanguages).find((one) => one.number === number)?.keyboard ?? (number === undefined && keyboard.test(text) ? text : undefined);
  if (known === undefined) return undefined;
  const [layout = "", variant = ""] = known.split(":");
  return { layout, variant };
}
