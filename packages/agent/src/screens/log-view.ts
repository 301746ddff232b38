import { keyOf } from "./keys.ts";
import type { OverlayHost, Tool } from "./overlay.ts";

const page = 15;

/** The log on F9: its end, scrolled by keys. */
export function logTool(lines: () => readonly string[]): Tool {
  return { number: 9, label: (texts) => texts.keyLog, press: (host) => openLog(host, lines) };
}

function openLog(host: OverlayHost, lines: () => readonly string[]): void {
  let back = 0;
  const move = (by: number) => (back = Math.max(0, Math.min(lines().length - 1, back + by)));
  host.open({
    name: "log",
    view: () => ({ kind: "log", lines: lines(), back }),
    typed(key) {
      const { kind } = keyOf(key);
      if (kind === "escape" || key === "q") return host.open(undefined);
      if (kind === "up") move(1);
      else if (kind === "down") move(-1);
      else if (kind === "page-up") move(page);
      else if (kind === "page-down" || key === " ") move(-page);
      else if (kind === "home") move(Number.MAX_SAFE_INTEGER);
      else if (kind === "end") back = 0;
      host.redraw();
    },
  });
}
