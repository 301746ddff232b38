import type { Terminal } from "./terminal.ts";
import type { Text } from "./texts/en.ts";
import type { View } from "./view.ts";

/** A screen above the one that goes on below it. */
export interface Overlay {
  /** Its name in the events of the serial port. */
  readonly name: string;
  view(): View;
  /** One key as a terminal sent it. */
  typed(key: string): void;
}

/** A terminal that can be given away for a while: nothing is drawn there meanwhile, and what is typed is not ours. */
export type LendableTerminal = Pick<Terminal, "path" | "lent" | "lend" | "takeBack">;

export interface OverlayHost {
  /** The terminal the key was pressed on, where it can be given away. */
  readonly terminal: LendableTerminal | undefined;
  /** Shows an overlay instead of another, or none. */
  open(overlay: Overlay | undefined): void;
  redraw(): void;
  /** One line on the serial port, for programs. */
  event(name: string, data: object): void;
  /** One line at the bottom, up to the next key. */
  say(text: Text): void;
}

/** What a function key does on any screen; its name stands at the bottom. */
export interface Tool {
  number: number;
  label: Text;
  press(host: OverlayHost): void;
  /** True while the key does nothing but say why. */
  hidden?(): boolean;
}
