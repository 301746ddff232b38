import { SequenceError } from "../../error.ts";

export interface IniEntry { key: string; value: string; line: number }
export interface IniSection { name: string; entries: IniEntry[] }

const maximumLines = 20_000;

/**
 * Reads CustomSettings.ini as Windows does (GetPrivateProfileString): a line that begins with `;` is a comment and no other is, sections of one
 * name are one whatever their case, quotes around a value are taken off.
 * @throws SequenceError PRESTAGE_SEQUENCE_IMPORT_UNKNOWN
 */
export function readIni(text: string): IniSection[] {
  const lines = text.split(/\r\n|\r|\n/);
  if (lines.length > maximumLines) throw new SequenceError("PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", `Expected at most ${maximumLines} lines of settings; found ${lines.length}. Is it an .ini file?`);
  const sections = new Map<string, IniSection>();
  let section: IniSection | undefined;
  for (const [at, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith(";")) continue;
    const [, name] = /^\[([^\]]*)\]/.exec(line) ?? [];
    if (name !== undefined) {
      const key = name.trim().toLowerCase();
      section = sections.get(key) ?? { name: name.trim(), entries: [] };
      sections.set(key, section);
      continue;
    }
    const equals = line.indexOf("=");
    if (equals <= 0 || section === undefined) continue;
    section.entries.push({ key: line.slice(0, equals).trim(), value: line.slice(equals + 1).trim().replace(/^(["'])(.*)\1$/s, "$2"), line: at + 1 });
  }
  return [...sections.values()];
}
