import { bytesText } from "../screens/draw.ts";
import { keyOf } from "../screens/keys.ts";
import type { Overlay, OverlayHost, Tool } from "../screens/overlay.ts";
import type { Text } from "../screens/texts/en.ts";
import type { View } from "../screens/view.ts";
import type { CopyOutcome } from "./copy-log.ts";
import type { RemovablePartition } from "./removable-partitions.ts";

export interface LogStickOptions {
  partitions: () => Promise<readonly RemovablePartition[]>;
  copy: (partition: RemovablePartition) => Promise<CopyOutcome>;
}

/** The log to a USB stick, on F10. */
export function logStickTool(options: LogStickOptions): Tool {
  // One at a time: pressed again while it copies, or on another terminal, it is shown as it stands.
  let busy: LogStick | undefined;
  return {
    number: 10,
    label: (texts) => texts.keyLogStick,
    press(host) {
      if (busy?.copying !== true) {
        busy = new LogStick(options, host);
        void busy.look();
      }
      host.open(busy);
    },
  };
}

class LogStick implements Overlay {
  readonly name = "log-stick";
  readonly #options: LogStickOptions;
  readonly #host: OverlayHost;
  #partitions: readonly RemovablePartition[] = [];
  #selected = 0;
  /** Absent while somebody chooses. */
  #lines: Text[] | undefined = [(texts) => texts.logStickLooking];
  copying = false;

  constructor(options: LogStickOptions, host: OverlayHost) {
    this.#options = options;
    this.#host = host;
  }

  view(): View {
    const title: Text = (texts) => texts.logStickTitle;
    if (this.#lines !== undefined) return { kind: "message", screen: this.name, title, lines: this.#lines };
    const items = this.#partitions.map((one) => ({ label: [one.label, one.model].filter((text) => text !== "").join("  ") || one.path, detail: `${one.path}  ${one.fileSystem}  ${bytesText(one.size)}` }));
    return { kind: "choose", title, items, selected: this.#selected };
  }

  async look(): Promise<void> {
    try {
      this.#partitions = await this.#options.partitions();
      if (this.#partitions.length > 0) this.#lines = undefined;
      else this.#say((texts) => texts.logStickNone);
    } catch (cause) {
      this.#say(cause instanceof Error ? cause.message : String(cause));
    }
    this.#host.redraw();
  }

  typed(token: string): void {
    const key = keyOf(token);
    // What is being written is shown to its end.
    if (this.copying) return;
    if (key.kind === "escape") return this.#host.open(undefined);
    if (this.#lines !== undefined) return;
    if (key.kind === "up") this.#selected = Math.max(0, this.#selected - 1);
    else if (key.kind === "down") this.#selected = Math.min(this.#partitions.length - 1, this.#selected + 1);
    const chosen = key.kind === "enter" ? this.#partitions[this.#selected] : key.kind === "digit" ? this.#partitions[key.value - 1] : undefined;
    if (chosen !== undefined) void this.#copy(chosen);
    this.#host.redraw();
  }

  async #copy(partition: RemovablePartition): Promise<void> {
    this.copying = true;
    this.#lines = [(texts) => texts.logStickCopying];
    try {
      const outcome = await this.#options.copy(partition);
      this.#host.event("log-stick", outcome);
      this.#say(textOf(outcome));
    } catch (cause) {
      this.#say(textOf({ kind: "failed", detail: cause instanceof Error ? cause.message : String(cause) }));
    } finally {
      this.copying = false;
      this.#host.redraw();
    }
  }

  #say(text: Text): void {
    this.#lines = [text, "", (texts) => texts.logStickClose];
  }
}

function textOf(outcome: CopyOutcome): Text {
  switch (outcome.kind) {
    case "copied": return (texts) => texts.logStickCopied(outcome.folder);
    case "full": return (texts) => texts.logStickFull;
    case "read-only": return (texts) => texts.logStickReadOnly;
    case "failed": return (texts) => texts.logStickFailed(outcome.detail);
  }
}
