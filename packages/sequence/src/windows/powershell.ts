import type { WindowsCommand } from "./windows-plan.ts";

/** A value in PowerShell: text is quoted; `raw` stands as it is; true is a switch, false one that is on if not said otherwise. */
export type PowerShellValue = string | number | boolean | { raw: string };

/** Single quotes: nothing within them is expanded (about_Quoting_Rules). The typographic ones end a text as well, so they are doubled, too. */
export function powerShellText(text: string): string {
  return `'${text.replace(/['\u2018\u2019\u201a\u201b]/g, "$&$&")}'`;
}

/** A cmdlet with its parameters; one that is undefined is left out. */
export function cmdlet(name: string, parameters: Readonly<Record<string, PowerShellValue | undefined>> = {}): string {
  const given = Object.entries(parameters).flatMap(([parameter, value]) => (value === undefined ? [] : [typeof value === "boolean" ? `-${parameter}${value ? "" : ":$false"}` : `-${parameter} ${valueText(value)}`]));
  return [name, ...given].join(" ");
}

function valueText(value: Exclude<PowerShellValue, boolean>): string {
  if (typeof value === "number") return String(value);
  return typeof value === "string" ? powerShellText(value) : value.raw;
}

/** The program that runs a script file, whatever the computer's policy on scripts is: this one was signed with the sequence. */
export function powerShellFile(path: string, parameters: readonly string[], what: string): WindowsCommand {
  return { what, program: "powershell.exe", arguments: ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File", path, ...parameters] };
}

/** A script that ends with an error at the first cmdlet that fails. */
export function powerShellScript(lines: readonly string[]): string {
  return ["$ErrorActionPreference = 'Stop'", "$ProgressPreference = 'SilentlyContinue'", ...lines, ""].join("\r\n");
}

/** The credential of an account whose password the environment holds under this name. */
export function credential(account: string, environmentName: string): string[] {
  return [`$password = ${cmdlet("ConvertTo-SecureString", { String: { raw: `$env:${environmentName}` }, AsPlainText: true, Force: true })}`, `$account = ${cmdlet("New-Object", { TypeName: "System.Management.Automation.PSCredential", ArgumentList: { raw: `${powerShellText(account)}, $password` } })}`];
}
