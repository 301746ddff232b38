import { blockLetters } from "./block-letters.ts";
import { fitLine, fitText, line, printable, span, widthOf, wrap } from "./line.ts";
import type { Line, Style } from "./line.ts";
import { drawDebugger } from "./draw-debugger.ts";
import { marks } from "./draw-marks.ts";
import type { StepsModel } from "./view.ts";
import { en, textIn } from "./texts/en.ts";
import type { Text, Texts } from "./texts/en.ts";
import type { Header, View } from "./view.ts";

/** Beyond this, lines are hard to read: on a wide screen the text stands in the middle. */
const widestText = 100;

/** A view at a size: exactly `height` lines of exactly `width` characters. A pure function, so that it can be looked at in a test. */
export function drawView(view: View, header: Header, width: number, height: number, texts: Texts = en, keys = "", notice?: Text): Line[] {
  const textWidth = Math.min(width - 4, widestText);
  const hint = notice === undefined ? span(fitText(` ${hintOf(view, texts)}`, width), "dim") : span(fitText(` ${textIn(texts, notice)}`, width), "bold");
  const footer = [[hint], ...(keys === "" ? [] : [[span(fitText(` ${keys}`, width), "dim")]])];
  const bodyHeight = height - 1 - footer.length;
  const body = drawBody(view, textWidth, width - 4, bodyHeight - 1, texts).slice(0, bodyHeight);
  const above = Math.min(Math.floor((bodyHeight - body.length) / 3), bodyHeight - body.length);
  const left = Math.floor((width - textWidth) / 2);
  const lines: Line[] = [drawHeader(header, width, texts)];
  for (let i = 0; i < Math.max(1, above); i++) lines.push([]);
  for (const one of body) {
    const indent = widthOf(one) > textWidth ? Math.max(0, Math.floor((width - widthOf(one)) / 2)) : left;
    lines.push([span(" ".repeat(indent)), ...one]);
  }
  while (lines.length < height) lines.push([]);
  lines.splice(height - footer.length, lines.length, ...footer);
  return lines.slice(0, height).map((one) => fitLine(one, width));
}

function drawHeader(header: Header, width: number, texts: Texts): Line {
  const left = [" Prestage", header.machine, ...(header.shells === undefined ? [] : [texts.shellOpen(header.shells)])].filter((text) => text !== "").join("   ");
  const right = header.site === "" ? "" : `${texts.site(header.site)} `;
  return [span(fitText(left, Math.max(0, width - right.length)), "header"), span(right, "header")];
}

function drawBody(view: View, width: number, fullWidth: number, height: number, texts: Texts): Line[] {
  switch (view.kind) {
    case "verification":
      return [
        ...title(texts.verifying),
        line(view.phase === "first" ? texts.verifyingFirst : texts.verifyingAll),
        [],
        progressBar(view.done, view.total, width),
        line(texts.amount(bytesText(view.done), bytesText(view.total))),
        [],
        line(span(fitText(view.name, width), "dim")),
      ];
    case "damaged":
      return [
        ...title(texts.damagedFiles(view.files.length), "bad"),
        ...view.files.slice(0, Math.max(1, Math.floor((height - 4) / 3))).flatMap((file): Line[] => [line(span(file.name, "bold")), ...wrap(file.detail, width - 2).slice(0, 2).map((text) => line(`  ${text}`))]),
        [],
        ...wrap(texts.damagedNext, width).map((text) => line(text)),
      ];
    case "message":
    case "wait":
    case "done":
      return [...title(textIn(texts, view.title), view.kind === "done" ? "good" : "bold"), ...view.lines.flatMap((text) => wrap(textIn(texts, text), width)).map((text) => line(text))];
    case "approval": {
      const [head, who, next] = view.conflict === true ? [texts.conflictTitle, texts.conflictWhat(view.siteName), texts.conflictNext] : [texts.approvalTitle, texts.approvalWho(view.siteName), texts.approvalNext];
      const [above, below] = [wrap(who, width), wrap(next, width)];
      const letters = blockLetters(view.code, fullWidth, height - 6 - above.length - below.length);
      return [
        ...title(head, view.conflict === true ? "bad" : "bold"),
        ...above.map((text) => line(text)),
        [],
        ...letters.map((text) => centred(text, "bold", letters.length === 1 ? width : text.length)),
        [],
        ...below.map((text) => line(text)),
      ];
    }
    case "password":
      return drawPassword(view, width, fullWidth, height, texts);
    case "choose":
      return drawChoice(view, width, height, texts);
    case "high-impact":
      return drawHighImpact(view, width, height, texts);
    case "steps":
      return drawSteps(view.model, width, height, texts);
    case "error":
      return drawError(view, width, height, texts);
    case "log":
      return drawLog(view, fullWidth, height, texts);
    case "form":
      return drawForm(view, width, texts);
    case "debugger":
      return drawDebugger(view, width, height, texts);
  }
}

/** The site's own words as they are; on a small screen the blank lines between them go first, and what happens next always stands there. */
function drawHighImpact(view: Extract<View, { kind: "high-impact" }>, width: number, height: number, texts: Texts): Line[] {
  const headline = wrap(view.headline, width).map((text) => line(span(text, "bad")));
  const paragraphs = view.texts.map((one) => wrap(one, width).map((text) => line(text)));
  const left = wrap(textIn(texts, view.left), width).map((text) => line(span(text, "bold")));
  const above = [...headline, [], ...paragraphs.flatMap((one) => [...one, []])];
  const tight = [...headline, ...paragraphs.flat()];
  return [...(above.length + left.length <= height ? above : tight).slice(0, Math.max(0, height - left.length)), ...left];
}

/** In another language its own words for the error come first, and what was found here below. */
function drawError(view: Extract<View, { kind: "error" }>, width: number, height: number, texts: Texts): Line[] {
  const known = texts.error(view.code);
  const next = `${known?.next ?? textIn(texts, view.next)} ${view.then === undefined ? "" : textIn(texts, view.then)}`.trim();
  const [cause, steps] = [known === undefined ? [] : wrap(known.cause, width), wrap(next, width)];
  const room = Math.max(3, height - 8 - cause.length - steps.length);
  return [
    ...title(texts.stopped, "bad"),
    line(span(texts.code.padEnd(8), "dim"), span(view.code, "bold"), ...(view.reference === undefined ? [] : [span(`   ${view.reference}`)])),
    ...(view.step === undefined ? [] : [line(span(texts.step.padEnd(8), "dim"), view.step)]),
    [],
    ...cause.map((text) => line(span(text, "bold"))),
    ...wrap(view.cause, width).slice(0, room).map((text) => line(known === undefined ? text : span(text, "dim"))),
    [],
    line(span(texts.whatToDo, "bold")),
    ...steps.map((text) => line(text)),
  ];
}

function drawPassword(view: Extract<View, { kind: "password" }>, width: number, fullWidth: number, height: number, texts: Texts): Line[] {
  const field = Math.min(width - 2, 64);
  const typed = view.shown === undefined ? "*".repeat(Math.min(view.length, field - 1)) : printable(view.shown).slice(1 - field);
  const letters = blockLetters(view.code, fullWidth, height - 13);
  return [
    ...title(texts.passwordTitle),
    ...(view.note === undefined ? [] : [...wrap(textIn(texts, view.note), width).slice(0, 3).map((text) => line(span(text, "bad"))), []]),
    line(span(` ${typed}${"_".repeat(field - typed.length)} `, "choice")),
    ...(view.keyboard === undefined ? [[]] : [line(span(texts.passwordKeyboard(view.keyboard), "dim")), []]),
    ...wrap(texts.passwordCode(view.siteName), width).map((text) => line(text)),
    [],
    ...letters.map((text) => centred(text, "bold", letters.length === 1 ? width : text.length)),
  ];
}

/** The choices around the one chosen; a long list scrolls with it. */
function drawChoice(view: Extract<View, { kind: "choose" }>, width: number, height: number, texts: Texts): Line[] {
  const room = Math.max(1, Math.floor((height - 3) / 2));
  const from = Math.max(0, Math.min(view.selected - Math.floor(room / 2), view.items.length - room));
  const shown = view.items.slice(from, from + room);
  const more = (there: boolean) => (there ? "..." : "");
  return [
    ...title(textIn(texts, view.title)),
    ...shown.flatMap((item, i): Line[] => {
      const place = from + i;
      const label = fitText(` ${place < 9 ? `${place + 1}` : " "}  ${item.label}`, width);
      return [line(span(label, place === view.selected ? "choice" : "bold")), ...(item.detail === "" ? [] : [line(span(fitText(`    ${item.detail}`, width), "dim"))])];
    }),
    ...(shown.length < view.items.length ? [line(span(`${more(from > 0)} ${from + 1}-${from + shown.length} / ${view.items.length} ${more(from + room < view.items.length)}`, "dim"))] : []),
  ];
}

/** The end of the log, or what lies `back` lines before it; long lines go on below. */
function drawLog(view: Extract<View, { kind: "log" }>, width: number, height: number, texts: Texts): Line[] {
  const room = Math.max(1, height - 2);
  const kept = view.lines.slice(0, Math.max(1, view.lines.length - view.back));
  const drawn = kept.slice(-room).flatMap((text) => wrap(text, width)).slice(-room);
  while (drawn.length < room) drawn.push("");
  return [...title(texts.logTitle), ...(view.lines.length === 0 ? [texts.logEmpty, ...drawn.slice(1)] : drawn).map((text) => line(fitText(text, width)))];
}

function drawForm(view: Extract<View, { kind: "form" }>, width: number, texts: Texts): Line[] {
  const labels = view.fields.map((field) => textIn(texts, field.label));
  const labelWidth = Math.min(24, Math.max(0, ...labels.map((label) => label.length)) + 2);
  const fieldWidth = Math.min(width - labelWidth - 2, 48);
  return [
    ...title(textIn(texts, view.title)),
    ...view.fields.flatMap((field, i): Line[] => {
      const value = printable(field.value).slice(1 - fieldWidth);
      const chosen = i === view.selected;
      return [
        line(span(fitText(labels[i] ?? "", labelWidth), chosen ? "bold" : "plain"), span(` ${value}${"_".repeat(fieldWidth - value.length)} `, chosen ? "choice" : "plain")),
        ...(chosen && field.hint !== undefined ? [line(span(`${" ".repeat(labelWidth + 1)}${textIn(texts, field.hint)}`, "dim"))] : []),
      ];
    }),
    [],
    ...view.notes.flatMap((note) => wrap(textIn(texts, note), width)).slice(0, 4).map((text) => line(span(text, view.bad ? "bad" : "good"))),
  ];
}

/** How far it is, in the words TSProgressInfoLevel asks for (features.md F210). */
function countOf(model: StepsModel, ended: number, texts: Texts): string {
  const percent = model.steps.length === 0 ? 0 : Math.floor((ended / model.steps.length) * 100);
  if (model.count === "percent") return texts.percentDone(percent);
  return model.count === "steps-and-percent" ? `${texts.stepsDone(ended, model.steps.length)} (${texts.percentDone(percent)})` : texts.stepsDone(ended, model.steps.length);
}

function drawSteps(model: StepsModel, width: number, height: number, texts: Texts): Line[] {
  if (model.hidden === true) return [...title(texts.progressHidden), ...wrap(texts.progressHiddenWhat, width).map((text) => line(text))];
  const ended = model.steps.filter((step) => step.state !== "waiting" && step.state !== "running").length;
  const count = countOf(model, ended, texts).padStart(20);
  const top = [line(span(fitText(model.sequence, width - count.length), "bold"), span(count, "dim")), []];
  const bottom = [...(model.progress === undefined ? [] : drawProgress(model.progress, width, texts)), ...(model.waiting === undefined ? [] : [[], ...wrap(textIn(texts, model.waiting), width).slice(0, 3).map((text) => line(span(text, "bad")))])];
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

function drawProgress(progress: NonNullable<StepsModel["progress"]>, width: number, texts: Texts): Line[] {
  const { done, total, unit } = progress;
  const label = textIn(texts, progress.label);
  const amount = unit === "bytes" ? texts.amount(bytesText(done), bytesText(total)) : unit === "files" ? texts.files(done, total) : "";
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

const hints = { choose: "hintChoose", password: "hintPassword", wait: "hintKey", "high-impact": "hintKey", steps: "hintSteps", log: "hintLog", form: "hintForm" } as const satisfies Partial<Record<View["kind"], keyof Texts>>;

function hintOf(view: View, texts: Texts): string {
  return view.kind in hints ? texts[hints[view.kind as keyof typeof hints]] : "";
}
