import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { captureSystemSettingsStep, windowsSettingsQueries } from "@prestage/sequence";
import { resolveInRoot } from "../../facts/resolve-in-root.ts";
import { readInRoot } from "../../facts/system.ts";
import { askCim } from "../../windows/cim.ts";
import { registryValue } from "../../windows/registry.ts";
import { defineStep } from "../step-executor.ts";
import { settingsOfWindows } from "./settings-of-windows.ts";

const timeZoneKey = String.raw`HKLM\SYSTEM\CurrentControlSet\Control\TimeZoneInformation`;
const formatsKey = String.raw`HKU\.DEFAULT\Control Panel\International`;

/** Keeps name, owner, time zone and language of a system in variables; what it does not say sets none, and takes none away. */
export const step = defineStep(captureSystemSettingsStep, async (run, { computerName, registration, timeZone, language }) => {
  const { dataRoot, signal } = run.context;
  const found = process.platform === "win32" ? await ofWindows(signal) : await systemSettingsOfLinux(dataRoot);
  const wanted: Readonly<Record<string, boolean>> = { OSDComputerName: computerName, OSDRegisteredUserName: registration, OSDRegisteredOrgName: registration, OSDTimeZone: timeZone, OSDUILanguage: language, OSDUserLocale: language, OSDSystemLocale: language };
  const kept = Object.entries(found).filter(([name, value]) => wanted[name] === true && value !== "");
  for (const [name, value] of kept) run.say(name, value);
  const told = kept.map(([name, value]) => `${name}=${value}`);
  for (const line of told) run.output(line);
  return { outputTail: told.length === 0 ? "nothing was kept" : told.join("\n") };
});

/** From the files of the system below a root (hostname(5), localtime(5), locale.conf(5)). */
export async function systemSettingsOfLinux(root: string): Promise<Record<string, string>> {
  const [hostname, zone, debian, systemd] = await Promise.all(["/etc/hostname", "/etc/timezone", "/etc/default/locale", "/etc/locale.conf"].map((path) => readInRoot(root, path)));
  const folder = await resolveInRoot(root, "/etc");
  const link = folder === undefined ? "" : await readlink(join(folder, "localtime")).catch(() => "");
  const [, linked = ""] = /(?:^|\/)zoneinfo\/(?:posix\/|right\/)?([A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+){0,2})$/.exec(link) ?? [];
  const name = (hostname ?? "").split("\n").map((line) => line.trim()).find((line) => line !== "" && !line.startsWith("#")) ?? "";
  const [, lang = ""] = /^LANG=["']?([A-Za-z0-9_.@-]{1,60})["']?\s*$/m.exec(debian || systemd || "") ?? [];
  return { OSDComputerName: /^[A-Za-z0-9.-]{1,253}$/.test(name) && name !== "localhost" ? (name.split(".")[0] ?? "") : "", OSDTimeZone: linked || /^[A-Za-z0-9_+/-]{1,60}$/m.exec(zone ?? "")?.[0] || "", OSDSystemLocale: lang };
}

async function ofWindows(signal: AbortSignal): Promise<Record<string, string>> {
  const { computerName, owner, organization, language } = settingsOfWindows(await askCim(windowsSettingsQueries, signal));
  const timeZone = await registryValue(timeZoneKey, "TimeZoneKeyName", signal);
  const formats = await registryValue(formatsKey, "LocaleName", signal);
  return { OSDComputerName: computerName, OSDRegisteredUserName: owner, OSDRegisteredOrgName: organization, OSDTimeZone: timeZone ?? "", OSDUILanguage: language, OSDUserLocale: formats ?? "" };
}
