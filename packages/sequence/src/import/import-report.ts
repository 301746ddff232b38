/** What became of a step that needs nothing here. */
export const nothing = "nothing";

export type ImportStatus = "translated" | "withNote" | "disabled";

/** One line for each step, group and setting of the source. */
export interface ImportLine {
  kind: "step" | "group" | "setting" | "object";
  name: string;
  /** The groups around it, or the section of a file. */
  path: string[];
  /** As the source has it. */
  type: string;
  status: ImportStatus;
  /** It is enabled in the source, and so is what it stands in. */
  enabled: boolean;
  /** What became of it. */
  to: string;
  notes: string[];
}
/** `notNeeded` of those with a note: steps that need nothing here, for staging or the agent has done it. */
export interface ImportTotals { translated: number; withNote: number; disabled: number; notNeeded: number }
export interface ImportReport { lines: ImportLine[]; totals: ImportTotals; enabled: ImportTotals }

/** Only steps count; translated, with a note and disabled add up to the steps of the source. */
export function reportOf(lines: ImportLine[]): ImportReport {
  const count = (which: readonly ImportLine[]): ImportTotals => {
    const of = (status: ImportStatus) => which.filter((line) => line.status === status).length;
    return { translated: of("translated"), withNote: of("withNote"), disabled: of("disabled"), notNeeded: which.filter((line) => line.status === "withNote" && line.to === nothing).length };
  };
  const steps = lines.filter((line) => line.kind === "step");
  return { lines, totals: count(steps), enabled: count(steps.filter((line) => line.enabled)) };
}
