import { lstat, stat } from "node:fs/promises";
import { join } from "node:path";
import { readNetworkSystem, runProgram, writeSettings } from "@prestage/disk";
import type { SettingChange } from "@prestage/disk";
import { applyLinuxSettingsStep, keyboardLayout, localeName, zoneName } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { resolveInRoot } from "../facts/resolve-in-root.ts";
import { readInRoot } from "../facts/system.ts";
import { runShell, shellStepResult } from "./run-shell.ts";
import { defineStep } from "./step-executor.ts";
import type { StepRun } from "./step-executor.ts";

/** Sets time zone, language and keyboard of the Linux on the data volume. */
export const step = defineStep(applyLinuxSettingsStep, async (run, { timeZone, locale, keyboard }) => {
  const { dataRoot, signal } = run.context;
  await readNetworkSystem(dataRoot); // there is a Linux
  const changes: SettingChange[] = [];
  const told: string[] = [];
  if (timeZone !== undefined) {
    const zone = zoneName(timeZone);
    if (zone === undefined || !(await isFile(dataRoot, `/usr/share/zoneinfo/${zone}`))) throw invalid("a time zone the system has, such as Europe/Paris", timeZone);
    changes.push({ kind: "link", path: "/etc/localtime", target: `/usr/share/zoneinfo/${zone}` });
    if (await isThere(dataRoot, "/etc/timezone")) changes.push(file("/etc/timezone", `${zone}\n`));
    told.push(`time zone ${zone}`);
  }
  if (locale !== undefined) {
    const name = localeName(locale);
    if (name === undefined) throw invalid("a locale such as de_DE.UTF-8", locale);
    await haveLocale(run, name);
    // Debian's own file is the one its PAM reads; locale.conf(5) is systemd's.
    const debian = await isThere(dataRoot, "/etc/debian_version");
    const path = debian ? "/etc/default/locale" : "/etc/locale.conf";
    changes.push(file(path, withSetting(await readInRoot(dataRoot, path), "LANG", name)));
    told.push(`locale ${name}`);
  }
  if (keyboard !== undefined) {
    const found = keyboardLayout(keyboard);
    if (found === undefined) throw invalid("a keyboard such as fr or ch:fr", keyboard);
    const { layout, variant } = found;
    // keyboard(5) of Debian; elsewhere localed reads the same from vconsole.conf (XKBLAYOUT, XKBVARIANT: systemd 254 and newer).
    const debian = await isThere(dataRoot, "/etc/debian_version");
    const path = debian ? "/etc/default/keyboard" : "/etc/vconsole.conf";
    let text = withSetting(withSetting(await readInRoot(dataRoot, path), "XKBLAYOUT", layout), "XKBVARIANT", variant);
    if (debian && !/^XKBMODEL=/m.test(text)) text = withSetting(text, "XKBMODEL", "pc105");
    if (!debian) text = withSetting(text, "KEYMAP", layout);
    changes.push(file(path, text));
    told.push(`keyboard ${layout}${variant === "" ? "" : `, ${variant}`}`);
  }
  await writeSettings(dataRoot, changes);
  await runProgram("sync", ["-f", dataRoot], { signal });
  for (const line of told) run.output(line);
  return { outputTail: told.join("\n") };
});

/** The system has it, or the one that runs makes it. */
async function haveLocale(run: StepRun, name: string): Promise<void> {
  const { dataRoot, environment, signal } = run.context;
  if (await hasLocale(dataRoot, name)) return;
  const generates = await isFile(dataRoot, "/usr/sbin/locale-gen");
  if (environment !== "installed" || dataRoot !== "/" || !generates) throw invalid(`a locale that the system has${generates ? ", or one the running system makes: put the step behind the restart" : ": its package `locales` makes others"}`, name);
  const known = (await readInRoot("/", "/usr/share/i18n/SUPPORTED")).split("\n").find((line) => line.split(" ")[0] === name);
  if (known === undefined) throw invalid("a locale that /usr/share/i18n/SUPPORTED names", name);
  const list = await readInRoot("/", "/etc/locale.gen");
  if (!list.split("\n").includes(known)) await writeSettings("/", [file("/etc/locale.gen", `${list.replace(/\n*$/, "\n")}${known}\n`)]);
  const { failure } = shellStepResult(await runShell("locale-gen", { cwd: "/", signal, onLine: run.output }), "locale-gen", [0]);
  if (failure !== undefined || !(await hasLocale("/", name))) throw invalid(`locale-gen to make ${name}`, failure?.message ?? "that it is still not there");
}

/** C and POSIX always are; others are a folder, or a name within the archive (localedef(1)), where the codeset is written without its hyphen. */
async function hasLocale(root: string, name: string): Promise<boolean> {
  if (/^(C|POSIX)(\.|$)/.test(name)) return true;
  const stored = name.replace(/\.([^@]*)/, (_, codeset: string) => `.${codeset.replaceAll("-", "").toLowerCase()}`);
  if ((await resolveInRoot(root, `/usr/lib/locale/${stored}`)) !== undefined || (await resolveInRoot(root, `/usr/lib/locale/${name}`)) !== undefined) return true;
  return (await readInRoot(root, "/usr/lib/locale/locale-archive")).includes(`${stored}\0`);
}

/** One setting of a file of shell variables changed, the rest as it was. */
export function withSetting(text: string, name: string, value: string): string {
  const line = `${name}="${value}"`;
  const lines = text.replace(/\n+$/, "").split("\n");
  const at = lines.findIndex((one) => one.startsWith(`${name}=`));
  if (at >= 0) lines[at] = line;
  else lines.push(line);
  return `${lines.filter((one, i) => i > 0 || one !== "").join("\n")}\n`;
}

function file(path: string, content: string): SettingChange {
  return { kind: "file", path, mode: 0o644, content };
}

async function isThere(root: string, path: string): Promise<boolean> {
  return lstat(join(root, path)).then(() => true, () => false);
}

async function isFile(root: string, path: string): Promise<boolean> {
  const real = await resolveInRoot(root, path);
  return real !== undefined && (await stat(real)).isFile();
}

function invalid(expected: string, found: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected ${expected}; found ${JSON.stringify(found.slice(0, 200))}.`, "Correct the step in the task sequence, or the variable it takes this from.");
}
