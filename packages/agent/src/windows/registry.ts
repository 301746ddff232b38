import { runShell } from "../steps/run-shell.ts";

/**
 * A value of Windows' registry as text; the value without a name is "". Of a key that is there without it, "". Undefined: it is not there, or this
 * system has no registry. Asked of reg.exe, in the view of 64-bit programs.
 */
export async function registryValue(key: string, value: string, signal: AbortSignal): Promise<string | undefined> {
  if (process.platform !== "win32") return undefined;
  const lines: string[] = [];
  const { exitCode } = await runShell("reg query", { cwd: "C:\\", signal, timeoutSeconds: 60, onLine: (line) => void lines.push(line), program: { file: "reg.exe", arguments: queryArguments(key, value), verbatim: false } });
  return exitCode === 0 ? readQuery(lines, value) : undefined;
}

/** Reg query: documented syntax `reg query KEY [/v VALUE | /ve] [/reg:64]`. */
export function queryArguments(key: string, value: string): string[] {
  return ["query", key, ...(value === "" ? [] : ["/v", value]), "/reg:64"];
}

/** The data from reg query's answer: lines of name, type and data, indented by four spaces and with four between. */
export function readQuery(lines: readonly string[], value: string): string | undefined {
  for (const line of lines) {
    const [, name = "", type, data = ""] = /^ {4}(.+?) {4}(REG_[A-Z_]+)(?: {4}(.*))?$/.exec(line) ?? [];
    if (type === undefined || (value === "" ? !/^\(.+\)$/.test(name) : name.toLowerCase() !== value.toLowerCase())) continue;
    return type === "REG_DWORD" || type === "REG_QWORD" ? String(BigInt(data)) : data;
  }
  // The key is there; its own value may not be set.
  return value === "" ? "" : undefined;
}
