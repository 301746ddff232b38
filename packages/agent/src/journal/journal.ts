import { runEventSchema } from "@prestage/sequence";
import type { RunEvent } from "@prestage/sequence";
import { AgentError } from "../error.ts";
import { appendDurableLine, encodeLine, openDurableLines } from "./durable-lines.ts";

/** A run's events on the disk; each is there before it is acted on. A power cut leaves at most a torn last line, which is dropped. */
export class Journal {
  readonly path: string;
  readonly #events: RunEvent[];

  private constructor(path: string, events: RunEvent[]) {
    this.path = path;
    this.#events = events;
  }

  /** @throws AgentError PRESTAGE_AGENT_JOURNAL_DAMAGED */
  static async open(path: string): Promise<Journal> {
    const { values, damaged } = openDurableLines(path);
    if (damaged) throw journalDamaged(path, "a line whose checksum does not match before others that do");
    const events = values.map((value, i) => {
      const parsed = runEventSchema.safeParse(value);
      if (!parsed.success) throw journalDamaged(path, `entry ${i + 1}, which is no event of a run`, parsed.error);
      return parsed.data;
    });
    return new Journal(path, events);
  }

  get events(): readonly RunEvent[] {
    return this.#events;
  }

  /** On the disk when this returns. */
  append(event: RunEvent): void {
    appendDurableLine(this.path, encodeLine(event), true);
    this.#events.push(event);
  }
}

function journalDamaged(path: string, found: string, cause?: unknown): AgentError {
  return new AgentError("PRESTAGE_AGENT_JOURNAL_DAMAGED", `Expected the events of a run in ${path}; found ${found}.`, "The disk may be failing. Stage it again to start over.", { cause });
}
