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
export interface ImportTotals { translated: number; withNote: number; disabled: number }
export interface ImportReport { lines: ImportLine[]; totals: ImportTotals; enabled: ImportTotals }

/** Only steps count; they add up to the steps of the source. */
export function reportOf(lines: ImportLine[]): ImportReport {
  const count = (which: readonly ImportLine[]): ImportTotals => {
    const of = (status: ImportStatus) => which.filter((line) => line.status === status).length;
    return { translated: of("translated"), withNote: of("withNote"), disabled: of("disabled") };
  };
  const steps = lines.filter((line) => line.kind === "step");
  return { lines, totals: count(steps), enabled: count(steps.filter((line) => line.enabled)) };
}
