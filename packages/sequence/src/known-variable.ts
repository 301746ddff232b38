/** A variable that the engine, the agent or a step knows by name; of an array's variables the row is that of the first, by 0. */
export interface KnownVariable {
  name: string;
  /** engine: said by the engine, read-only; found: said by a step that has run, read-only; asked: set by a step, read by the engine; given: set at the site, on the media or by a step before it is used. */
  kind: "engine" | "found" | "asked" | "given";
  meaning: string;
  example: string;
  /** Types of steps that set or read it, besides those whose definitions say so. */
  setBy?: readonly string[];
  readBy?: readonly string[];
}
