import type { Variable, VariableSourceName } from "../variables.ts";

/** A secret that a computer would get: its name and whose it is, never its value. */
export interface HiddenVariable { name: string; source: VariableSourceName; of?: string }

/** What a computer is given by its site and its media; what its description says of a source takes the place of what is given by that source. */
export interface Given {
  variables?: readonly Variable[];
  secrets?: readonly HiddenVariable[];
  /** Those are all that it would get: a step that asks for another fails. */
  allSecrets?: boolean;
  /** Why it would get none of them. */
  secretsRefused?: string;
  /** What is run before the site is asked for anything: it may set variables. */
  prestart?: { command: string; package?: string | undefined };
}
