import { marks } from "./draw-marks.ts";
import { fitText, line, printable, span, wrap } from "./line.ts";
import type { Line } from "./line.ts";
import { textIn } from "./texts/en.ts";
import type { Texts } from "./texts/en.ts";
import type { DebuggerView } from "./view.ts";

/** The debugger: why the run holds; the steps with the next one marked, or the variables; what the keys do. */
export function drawDebugger(view: DebuggerView, width: number, height: number, texts: Texts): Line[] {
  const keys = view.entry !== undefined ? texts.debugKeysEntry : view.pane === "steps" ? texts.debugKeysSteps : texts.debugKeysVariables;
  const below: Line[] = [
    ...(view.note === undefined ? [] : wrap(textIn(texts, view.note), width).slice(0, 2).map((text) => line(span(text, "bad")))),
    ...wrap(keys, width).map((text) => line(span(text, "bold"))),
  ];
  const above: Line[] = [...wrap(textIn(texts, view.title), width).slice(0, 2).map((text) => line(span(text, view.failed ? "bad" : "bold"))), []];
  const room = Math.max(1, height - above.length - below.length - 1);
  return [...above, ...(view.entry !== undefined ? drawEntry(view.entry, width, room, texts) : view.pane === "steps" ? drawSteps(view, width, room) : drawVariables(view, width, room)), [], ...below];
}

/** Those around the one chosen. */
function around<T>(all: readonly T[], chosen: number, room: number): { from: number; shown: readonly T[] } {
  const from = Math.max(0, Math.min(chosen - Math.floor(room / 2), all.length - room));
  return { from, shown: all.slice(from, from + room) };
}

function drawSteps({ steps, selected }: DebuggerView, width: number, room: number): Line[] {
  const { from, shown } = around(steps, selected, room);
  return shown.map((step, i) => {
    const { mark, style } = marks[step.state];
    const text = fitText(`${"  ".repeat(Math.min(step.depth, 8))}${step.name}`, width - 7);
    const before = [span(step.breakpoint ? "*" : " ", "bad"), span(step.next ? " > " : "   ", "active"), span(`${step.group ? " " : mark} `, style)];
    return line(...before, span(text, from + i === selected ? "choice" : step.group || style === "plain" ? "bold" : step.state === "waiting" || step.state === "skipped" ? "dim" : "plain"));
  });
}

function drawEntry({ name, value, part }: NonNullable<DebuggerView["entry"]>, width: number, room: number, texts: Texts): Line[] {
  const field = Math.min(width - 2, 96);
  const typed = (text: string) => printable(text).slice(1 - field);
  const drawn = (label: string, text: string, active: boolean) => [line(span(label, active ? "bold" : "dim")), line(span(` ${typed(text)}${(active ? "_" : " ").repeat(Math.max(0, field - typed(text).length))} `, active ? "choice" : "plain"))];
  return [...drawn(texts.debugName, name, part === "name"), [], ...drawn(texts.debugValue, value, part === "value")].slice(0, room);
}

function drawVariables({ variables, variable }: DebuggerView, width: number, room: number): Line[] {
  const names = Math.min(30, Math.max(0, ...variables.map(({ name }) => name.length)) + 1);
  const { from, shown } = around(variables, variable, room);
  return shown.map(({ name, value, source }, i) => {
    const origin = source.length + 2;
    return line(span(fitText(` ${name}`, names), from + i === variable ? "choice" : "bold"), " ", span(fitText(value, Math.max(0, width - names - origin - 1))), span(`  ${source}`, "dim"));
  });
}
