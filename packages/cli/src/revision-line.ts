/** The first line of an exported task sequence: which revision of which sequence the text is. */
const revisionLine = /^# ([A-Z0-9]{3}[0-9A-F]{5}) revision (\d{1,9})\r?\n/;

export function withRevisionLine({ id, revision, yaml }: { id: string; revision: number; yaml: string }): string {
  return `# ${id} revision ${revision}\n${yaml}`;
}

/** The text without that line, and what the line says. */
export function splitRevisionLine(text: string): { yaml: string; from: { id: string; revision: number } | undefined } {
  const [line, id, revision] = revisionLine.exec(text) ?? [];
  return line === undefined || id === undefined ? { yaml: text, from: undefined } : { yaml: text.slice(line.length), from: { id, revision: Number(revision) } };
}
