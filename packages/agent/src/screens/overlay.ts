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
export interface OverlayHost {
  /** Shows an overlay instead of another, or none. */
  open(overlay: Overlay | undefined): void;
  redraw(): void;
  /** One line on the serial port, for programs. */
  event(name: string, data: object): void;
}

/** What a function key does on any screen; its name stands at the bottom. */
export interface Tool { number: number; label: Text; press(host: OverlayHost): void }
