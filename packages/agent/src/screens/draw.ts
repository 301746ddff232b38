import { blockLetters } from "./block-letters.ts";
import { fitLine, fitText, line, span, widthOf, wrap } from "./line.ts";
import type { Line, Style } from "./line.ts";
import type { StepsModel, StepState } from "./screen.ts";
import type { Header, View } from "./view.ts";

/** Beyond this, lines are hard to read: on a wide screen the text stands in the middle. */
const widestText = 100;

/** A view at a size: exactly `height` lines of exactly `width` characters. A pure function, so that it can be looked at in a test. */
export function drawView(view: View, header: Header, width: number, height: number): Line[] {
  const textWidth = Math.min(width - 4, widestText);
  const bodyHeight = height - 2;
  const body = drawBody(view, textWidth, width - 4, bodyHeight - 1).slice(0, bodyHeight);
  const above = Math.min(Math.floor((bodyHeight - body.length) / 3), bodyHeight - body.length);
  const left = Math.floor((width - textWidth) / 2);
  const lines: Line[] = [drawHeader(header, width)];
  for (let i = 0; i < Math.max(1, above); i++) lines.push([]);
  for (const one of body) {
    const indent = widthOf(one) > textWidth ? Math.max(0, Math.floor((width - widthOf(one)) / 2)) : left;
    lines.push([span(" ".repeat(indent)), ...one]);
  }
  while (lines.length < height) lines.push([]);
  lines[height - 1] = [span(fitText(` ${hintOf(view)}`, width), "dim")];
  return lines.slice(0, height).map((one) => fitLine(one, width));
}

function drawHeader(header: Header, width: number): Line {
  const left = ` Prestage${header.machine === "" ? "" : `   ${header.machine}`}`;
  const right = header.site === "" ? "" : `site ${header.site} `;
  return [span(fitText(left, Math.max(0, width - right.length)), "header"), span(right, "header")];
}

function drawBody(view: View, width: number, fullWidth: number, height: number): Line[] {
  switch (view.kind) {
    case "verification":
      return [
        ...title("Verifying the media"),
        line(view.phase === "first" ? "Part 1 of 2: what this computer starts from, before any contact" : "Part 2 of 2: the content, before any contact"),
        [],
        progressBar(view.done, view.total, width),
        line(`${bytesText(view.done)} of ${bytesText(view.total)}`),
        [],
        line(span(fitText(view.name, width), "dim")),
      ];
    case "damaged":
      return [
        ...title(`${view.files.length} damaged file${view.files.length === 1 ? "" : "s"}`, "bad"),
        ...view.files.slice(0, Math.max(1, Math.floor((height - 4) / 3))).flatMap((file): Line[] => [line(span(file.name, "bold")), ...wrap(file.detail, width - 2).slice(0, 2).map((text) => line(`  ${text}`))]),
        [],
        ...wrap("What is damaged is not used. It is fetched again once this computer is enrolled.", width).map((text) => line(text)),
      ];
    case "message":
    case "wait":
      return [...title(view.title), ...view.lines.flatMap((text) => wrap(text, width)).map((text) => line(text))];
    case "done":
      return [...title(view.title, "good"), ...view.lines.flatMap((text) => wrap(text, width)).map((text) => line(text))];
    case "approval": {
      const letters = blockLetters(view.code, fullWidth, height - 8);
      return [
        ...title("Waiting for approval"),
        ...wrap(`An administrator of site ${view.siteName} approves this computer. The same code stands there:`, width).map((text) => line(text)),
        [],
        ...letters.map((text) => centred(text, "bold", letters.length === 1 ? width : text.length)),
        [],
        line("It goes on by itself after the approval."),
      ];
    }
    case "password":
      return drawPassword(view, width, fullWidth, height);
    case "choose":
      return [
        ...title(view.title),
        ...view.items.flatMap((item, i): Line[] => {
          const chosen = i === view.selected;
          const label = fitText(` ${i < 9 ? `${i + 1}` : " "}  ${item.label}`, width);
          return [line(span(label, chosen ? "choice" : "bold")), ...(item.detail === "" ? [] : [line(span(fitText(`    ${item.detail}`, width), "dim"))])];
        }).slice(0, height - 3),
      ];
    case "steps":
      return drawSteps(view.model, width, height);
    case "error":
      return [
        ...title("Stopped", "bad"),
        line(span("Code    ", "dim"), span(view.code, "bold")),
        ...(view.step === undefined ? [] : [line(span("Step    ", "dim"), view.step)]),
        [],
        ...wrap(view.cause, width).slice(0, Math.max(3, height - 10)).map((text) => line(text)),
        [],
        line(span("What to do", "bold")),
        ...wrap(view.next, width).map((text) => line(text)),
      ];
  }
}

function drawPassword(view: Extract<View, { kind: "password" }>, width: number, fullWidth: number, height: number): Line[] {
  const field = Math.min(width - 2, 64);
  const typed = "*".repeat(Math.min(view.length, field - 1));
  const letters = blockLetters(view.code, fullWidth, height - 13);
  return [
    ...title("Password of this media"),
    ...(view.note === undefined ? [] : [...wrap(view.note, width).slice(0, 3).map((text) => line(span(text, "bad"))), []]),
    line(span(` ${typed}${"_".repeat(field - typed.length)} `, "choice")),
    [],
    ...wrap(`Or an administrator of site ${view.siteName} approves this computer by this code:`, width).map((text) => line(text)),
    [],
    ...letters.map((text) => centred(text, "bold", letters.length === 1 ? width : text.length)),
  ];
}

const marks: Record<StepState, { mark: string; style: Style }> = {
  waiting: { mark: "·", style: "dim" }, running: { mark: "►", style: "active" }, succeeded: { mark: "√", style: "good" }, failed: { mark: "X", style: "bad" }, skipped: { mark: "-", style: "dim" },
};

function drawSteps(model: StepsModel, width: number, height: number): Line[] {
  const ended = model.steps.filter((step) => step.state !== "waiting" && step.state !== "running").length;
  const top = [line(span(fitText(model.sequence, width - 16), "bold"), span(fitText(`${ended} of ${model.steps.length} steps`.padStart(16), 16), "dim")), []];
  const bottom = model.progress === undefined ? [] : drawProgress(model.progress, width);
  const room = Math.max(1, height - top.length - bottom.length);
  const running = model.steps.findIndex((step) => step.state === "running");
  const focus = running < 0 ? ended : running;
  const from = Math.max(0, Math.min(focus - Math.floor(room / 2), model.steps.length - room));
  const steps = model.steps.slice(from, from + room).map((step) => {
    const { mark, style } = marks[step.state];
    const detail = step.detail ?? "";
    const detailWidth = Math.min(Math.floor(width / 2), detail.length);
    return line(span(` ${mark} `, style), span(fitText(step.name, width - 4 - detailWidth), step.state === "running" ? "bold" : style === "dim" ? "dim" : "plain"), " ", span(fitText(detail, detailWidth), style === "bad" ? "bad" : "dim"));
  });
  return [...top, ...steps, ...bottom];
}

function drawProgress(progress: NonNullable<StepsModel["progress"]>, width: number): Line[] {
  const { label, done, total, unit } = progress;
  const amount = unit === "bytes" ? `${bytesText(done)} of ${bytesText(total)}` : unit === "files" ? `${done} of ${total} files` : "";
  return [[], line(span(fitText(label, Math.max(0, width - amount.length - 1))), " ", span(amount, "dim")), progressBar(done, total, width)];
}

export function progressBar(done: number, total: number, width: number): Line {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const inner = width - 5;
  const full = Math.floor(share * inner);
  return line(span("█".repeat(full), "bar"), span("░".repeat(inner - full), "dim"), `${String(Math.floor(share * 100)).padStart(4)}%`);
}

export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}

function title(text: string, style: Style = "bold"): Line[] {
  return [line(span(text, style)), []];
}

function centred(text: string, style: Style, width: number): Line {
  return line(" ".repeat(Math.max(0, Math.floor((width - text.length) / 2))), span(text, style));
}

const hints: Partial<Record<View["kind"], string>> = {
  choose: "Choose with a number, or with the arrow keys and Enter.",
  password: "Type the password and press Enter.",
  wait: "Press a key.",
  steps: "Do not switch this computer off. If the power fails, it goes on by itself.",
};

function hintOf(view: View): string {
  return hints[view.kind] ?? "";
}
