import type { Style } from "./line.ts";
import type { StepState } from "./view.ts";

/** How a step's state looks. */
export const marks: Record<StepState, { mark: string; style: Style }> = {
  waiting: { mark: "·", style: "dim" }, running: { mark: "▶", style: "active" }, succeeded: { mark: "■", style: "good" }, failed: { mark: "X", style: "bad" }, skipped: { mark: "-", style: "dim" },
};
