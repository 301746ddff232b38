import { z } from "zod";
import type { AnswerComponent, AnswerSettings } from "../windows/answer-file.ts";
import { flagSchema, referenceSchema } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

/** A language or region as Windows writes it, or a keyboard: `en-US`, `0407:00000407`. */
const locale = z.string().regex(/^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}|[0-9A-Fa-f]{4}:[0-9A-Fa-f]{8})(;([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}|[0-9A-Fa-f]{4}:[0-9A-Fa-f]{8})){0,9}$/, "a language such as en-US, or a keyboard such as 0409:00000409");

/** Apply Windows Settings (features.md F222, F224). */
export const applyWindowsSettingsStep = defineStepType({
  type: "apply-windows-settings",
  title: "Apply Windows settings",
  reference: ["Apply Windows Settings", "MDT Configure"],
  summary: "Writes what Windows Setup asks for at its first start: name, time zone, languages, product key, owner; an answer file of your own may say the rest. The built-in Administrator stays disabled, and no password is written to the disk: set one in the installed system, by run-script with a secret.",
  environments: ["environment"],
  platforms: ["windows"],
  settings: z.strictObject({
    computerName: z.string().regex(/^(\*|[^\s"/\\[\]:;|=,+*?<>.]{1,15})$/, "at most 15 characters that a computer's name may have").optional().describe("Name of the computer"),
    registeredOwner: z.string().min(1).max(256).optional().describe("Owner"),
    registeredOrganization: z.string().min(1).max(256).optional().describe("Organization"),
    productKey: z.string().regex(/^([A-Z0-9]{5}-){4}[A-Z0-9]{5}$/i, "five times five letters or digits").optional().describe("Product key"),
    timeZone: z.string().min(1).max(256).optional().describe("As `tzutil /l` lists it"),
    inputLocale: locale.optional().describe("Keyboards"),
    systemLocale: locale.optional().describe("For programs without Unicode"),
    uiLanguage: locale.optional().describe("Language of the system"),
    uiLanguageFallback: locale.optional().describe("Language of what is not translated into that"),
    userLocale: locale.optional().describe("Formats of dates, numbers and money"),
    skipWelcome: flagSchema.default(true).describe("true: Windows asks nothing at its first start"),
    answerFile: z.string().min(1).max(1024).regex(/^(?!\/)(?!(.*\/)?\.\.(\/|$))[^\\]+$/, "a path below the package's folder").optional().describe("An answer file of a package, in which `%NAME%` is a variable; what the other settings say wins"),
    package: referenceSchema.optional().describe("The package it lies in"),
  }).refine((value) => (value.answerFile === undefined) === (value.package === undefined), "answerFile and package are given together"),
  variables: {
    computerName: "OSDComputerName", registeredOwner: "OSDRegisteredUserName", registeredOrganization: "OSDRegisteredOrgName", productKey: "OSDProductKey", timeZone: "OSDTimeZone",
    inputLocale: "OSDInputLocale", systemLocale: "OSDSystemLocale", uiLanguage: "OSDUILanguage", uiLanguageFallback: "OSDUILanguageFallback", userLocale: "OSDUserLocale",
  },
  again: "It writes the same file again.",
  errors: ["PRESTAGE_AGENT_NOT_WINDOWS", "PRESTAGE_AGENT_CONTENT_UNKNOWN", "PRESTAGE_CONTENT_FETCH_FAILED", "PRESTAGE_SEQUENCE_ANSWER_FILE"],
  windows: (settings) => ({ answers: answersOf(settings) }),
  example: `- name: Windows settings
  type: apply-windows-settings
  with: { computerName: "%OSDComputerName%", timeZone: W. Europe Standard Time, uiLanguage: de-DE, userLocale: de-DE, inputLocale: "0407:00000407" }`,
});

interface Given {
  computerName?: string | undefined; registeredOwner?: string | undefined; registeredOrganization?: string | undefined; productKey?: string | undefined; timeZone?: string | undefined;
  inputLocale?: string | undefined; systemLocale?: string | undefined; uiLanguage?: string | undefined; uiLanguageFallback?: string | undefined; userLocale?: string | undefined; skipWelcome: boolean;
}

function answersOf(given: Given): AnswerComponent[] {
  const shell = { ComputerName: given.computerName, RegisteredOwner: given.registeredOwner, RegisteredOrganization: given.registeredOrganization, ProductKey: given.productKey, TimeZone: given.timeZone };
  const languages = { InputLocale: given.inputLocale, SystemLocale: given.systemLocale, UILanguage: given.uiLanguage, UILanguageFallback: given.uiLanguageFallback, UserLocale: given.userLocale };
  const welcome = { OOBE: { HideEULAPage: "true", HideOEMRegistrationScreen: "true", HideOnlineAccountScreens: "true", HideLocalAccountScreen: "true", HideWirelessSetupInOOBE: "true", ProtectYourPC: "3" } };
  const parts: AnswerComponent[] = [
    { pass: "specialize", component: "Microsoft-Windows-Shell-Setup", settings: present(shell) },
    { pass: "oobeSystem", component: "Microsoft-Windows-International-Core", settings: present(languages) },
    { pass: "oobeSystem", component: "Microsoft-Windows-Shell-Setup", settings: given.skipWelcome ? welcome : {} },
  ];
  return parts.filter(({ settings }) => Object.keys(settings).length > 0);
}

function present(settings: Readonly<Record<string, string | undefined>>): AnswerSettings {
  return Object.fromEntries(Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
