import { gzipSync } from "node:zlib";
import { powerShellText } from "../../windows/powershell.ts";

/** Longer ones an application's definition does not take. */
const longestCommand = 4000;

const powerShell = "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -Command";

export type ScriptLanguage = "PowerShell" | "VBScript" | "JScript";
const files: Readonly<Record<ScriptLanguage, { ending: string; host: string; arguments: string }>> = {
  PowerShell: { ending: ".ps1", host: "WindowsPowerShell\\v1.0\\powershell.exe", arguments: "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File $f" },
  VBScript: { ending: ".vbs", host: "cscript.exe", arguments: "//NoLogo $f" },
  JScript: { ending: ".js", host: "cscript.exe", arguments: "//NoLogo $f" },
};

/**
 * Statements of PowerShell that end with `exit`, as a command line for cmd.exe: as they are where they may stand between quotation marks, else packed. `%NAME%` is
 * replaced by cmd.exe, to what PowerShell would make of it. Undefined: too long.
 */
export function powerShellCommand(statements: string): string | undefined {
  const plain = `${powerShell} "${statements}"`;
  return /["\r\n\0]/.test(statements) || plain.length > longestCommand ? packed(statements, ".ps1", "& powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File $f", "exit $c") : plain;
}

/**
 * A detection script of Configuration Manager as a command line: the application is installed where the script ends with 0 and prints something
 * (custom detection scripts in its documentation). The script goes into a file, for the hosts take one. Undefined: too long.
 */
export function detectionScriptCommand(script: string, language: ScriptLanguage, as32Bit: boolean): string | undefined {
  const { ending, host, arguments: given } = files[language];
  return packed(script, ending, `$t=& (Join-Path $env:windir '${as32Bit ? "SysWOW64" : "System32"}\\${host}') ${given}`, "if($c -eq 0 -and ($t -join '').Trim() -ne ''){exit 0}exit 1");
}

/** The text in a file of its own, $f, that `run` runs and that is deleted before `then` looks at its exit code $c; it travels compressed, so that neither cmd.exe nor PowerShell reads anything in it. */
function packed(text: string, ending: string, run: string, then: string): string | undefined {
  const bytes = gzipSync(asFile(text, ending), { level: 9 }).toString("base64");
  const statements = [
    `$f=Join-Path ([IO.Path]::GetTempPath()) ([guid]::NewGuid().ToString()+'${ending}')`,
    `$z=New-Object IO.Compression.GZipStream((New-Object IO.MemoryStream(,[Convert]::FromBase64String('${bytes}'))),[IO.Compression.CompressionMode]::Decompress)`,
    "$o=[IO.File]::Open($f,'CreateNew')", "$z.CopyTo($o)", "$o.Close()",
    `try{${run};$c=$LASTEXITCODE}finally{Remove-Item -LiteralPath $f}`, then,
  ];
  const command = `${powerShell} "${statements.join(";")}"`;
  return command.length > longestCommand ? undefined : command;
}

/** PowerShell reads UTF-8 by its mark alone, the script host UTF-16. */
function asFile(text: string, ending: string): Buffer {
  if (/^\p{ASCII}*$/u.test(text)) return Buffer.from(text, "latin1");
  return ending === ".ps1" ? Buffer.from(`\u{feff}${text}`, "utf8") : Buffer.from(`\u{feff}${text}`, "utf16le");
}

/** Text that cmd.exe takes as it is, too: it would read %NAME%. */
export function exactText(text: string): string {
  const parts = text.split("%").map(powerShellText);
  return parts.length === 1 ? powerShellText(text) : `(${parts.join("+[char]37+")})`;
}
