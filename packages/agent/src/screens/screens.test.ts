import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesText, drawView } from "./draw.ts";
import { parseKeys } from "./keys.ts";
import { plainText } from "./line.ts";
import { editPassword } from "./password-entry.ts";
import type { Line } from "./line.ts";
import { TerminalScreen } from "./terminals.ts";
import type { View } from "./view.ts";

const header = { machine: "PC-0042", site: "ABC" };

test("the steps, at 80x25", () => {
  const view: View = {
    kind: "steps",
    model: {
      sequence: "Debian 12 for offices",
      steps: [
        { name: "Partition disk", state: "skipped", detail: "_SMSTSMediaType is \"OEMMedia\"" },
        { name: "Apply operating system", state: "succeeded", detail: "27 s" },
        { name: "Install Firefox", state: "running" },
        { name: "Restart", state: "waiting" },
      ],
      progress: { label: "Fetching from a distribution point", done: 12_300_000, total: 52_000_000, unit: "bytes" },
    },
  };
  assert.equal(plainText(drawView(view, header, 79, 23)), `
 Prestage   PC-0042                                                   site ABC




  Debian 12 for offices                                          2 of 4 steps

   - Partition disk                             _SMSTSMediaType is "OEMMedia"
   ■ Apply operating system                                              27 s
   ▶ Install Firefox
   · Restart

  Fetching from a distribution point                       12.3 MB of 52.0 MB
  ████████████████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  23%








 Do not switch this computer off. If the power fails, it goes on by itself.`.slice(1));
});

test("the approval code stands in letters of blocks, larger on a larger screen", () => {
  const view: View = { kind: "approval", code: "Q7ABCD", siteName: "ABC" };
  const small = plainText(drawView(view, header, 79, 23));
  const large = plainText(drawView(view, header, 239, 67));
  assert.match(small, /██████ {4}██████████ {4}██████ /);
  assert.ok(large.split("\n").filter((text) => text.includes("████")).length >= 3 * small.split("\n").filter((text) => text.includes("████")).length);
});

test("every view fills every screen exactly, whatever its texts, and holds no control character", () => {
  const text = fc.oneof(fc.string({ maxLength: 300 }), fc.string({ unit: "binary", maxLength: 50 }), fc.constant("\u001b[2J\r\n\u0007"));
  const view = fc.oneof<fc.Arbitrary<View>[]>(
    fc.record({ kind: fc.constant("verification"), phase: fc.constantFrom("first", "all"), done: fc.nat(), total: fc.nat(), name: text }),
    fc.record({ kind: fc.constant("damaged"), files: fc.array(fc.record({ name: text, detail: text })) }),
    fc.record({ kind: fc.constantFrom("wait", "done"), title: text, lines: fc.array(text) }),
    fc.record({ kind: fc.constant("approval"), code: fc.string({ maxLength: 12 }), siteName: text }),
    fc.record({ kind: fc.constant("password"), code: fc.string({ maxLength: 12 }), siteName: text, note: text, length: fc.nat(200) }),
    fc.record({ kind: fc.constant("high-impact"), headline: text, texts: fc.array(text, { minLength: 3, maxLength: 3 }), left: text }),
    fc.record({ kind: fc.constant("choose"), title: text, items: fc.array(fc.record({ label: text, detail: text })), selected: fc.nat(20) }),
    fc.record({ kind: fc.constant("error"), code: text, step: text, cause: text, next: text }),
    fc.array(fc.record({ name: text, state: fc.constantFrom("waiting", "running", "succeeded", "failed", "skipped"), detail: text }), { maxLength: 100 }).map((steps) => ({ kind: "steps", model: { sequence: "s", steps, progress: { label: "l", done: 1, total: 0, unit: "bytes" } } })),
  );
  fc.assert(
    fc.property(view, fc.integer({ min: 40, max: 250 }), fc.integer({ min: 13, max: 70 }), (one, width, height) => {
      const lines = drawView(one, header, width, height);
      assert.equal(lines.length, height);
      for (const drawn of lines) {
        const shown = drawn.map((part) => part.text).join("");
        assert.equal(shown.length, width);
        // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
        assert.doesNotMatch(shown, /[\u0000-\u001f\u007f-\u009f]/);
      }
    }),
  );
});

function recorder(style: "screen" | "serial" | "lines") {
  const events: string[] = [];
  const printed: string[] = [];
  let last: Line[] = [];
  const terminal = { style, size: { width: 79, height: 23 }, draw: (lines: Line[]) => void (last = lines), forget: () => undefined, event: (text: string) => void events.push(text), print: (text: string) => void printed.push(text) };
  return { terminal, events, printed, shown: () => plainText(last) };
}

test("a choice is made by number, or by arrows and Enter, on any terminal", async () => {
  const items = ["one", "two", "three"].map((label) => ({ label, detail: "" }));
  for (const [typed, index] of [["2", 1], ["\u001b[B\u001b[B\u001b[A\r", 1], ["9\u001bOB\n", 1], ["\r", 0]] as const) {
    const screen = new TerminalScreen();
    const { terminal, events } = recorder("serial");
    screen.addTerminal(terminal);
    const chosen = screen.choose({ title: "Choose", items }, new AbortController().signal);
    screen.typed(typed);
    assert.equal(await chosen, index);
    assert.deepEqual(events, ['@@prestage screen {"screen":"choose","title":"Choose","items":["one","two","three"]}']);
  }
});

test("a password is typed on any terminal, shown as marks only, and stays while the code beside it changes", async () => {
  const screen = new TerminalScreen();
  const { terminal, events, shown } = recorder("serial");
  screen.addTerminal(terminal);
  const prompt = screen.password({ siteName: "ABC", code: "ABC234" }, new AbortController().signal);
  screen.typed("\rsecr\u001b[Aex\u007f");
  prompt.update({ siteName: "ABC", code: "DEF567", note: "The password is wrong." });
  screen.typed("t é\u0007");
  assert.match(shown(), /\n {3}\*{8}_+\n/);
  assert.match(shown(), /The password is wrong\./);
  screen.typed("\r");
  assert.equal(await prompt.typed, "secret é");
  assert.deepEqual(events, ['@@prestage screen {"screen":"password","code":"ABC234"}', '@@prestage screen {"screen":"password","code":"DEF567","note":"The password is wrong."}']);
  assert.doesNotMatch(`${shown()}${events.join("")}`, /secr|t é/);
  screen.typed("1");
});

test("a password screen ends with its signal, and keys mean keys again", async () => {
  const screen = new TerminalScreen();
  const stop = new AbortController();
  const prompt = screen.password({ siteName: "ABC", code: "ABC234" }, stop.signal);
  stop.abort(new Error("approved"));
  await assert.rejects(prompt.typed, /approved/);
  const key = screen.waitForKey({ title: "t", lines: [] }, new AbortController().signal);
  screen.typed("x");
  await key;
});

test("the password entry takes characters, Backspace, Ctrl-U and Enter, and no more than 128 characters", () => {
  const after = (...texts: string[]) => texts.reduce(editPassword, { typed: "", sent: false });
  assert.deepEqual(after("ab😀\b"), { typed: "ab", sent: false });
  assert.deepEqual(after("wrong\u0015right\n"), { typed: "right", sent: true });
  assert.deepEqual(after("\r\n", "\t\u001bOA"), { typed: "", sent: false });
  assert.equal(after("x".repeat(500)).typed.length, 128);
});

test("waiting for a key ends with the signal", async () => {
  const stop = new AbortController();
  const waiting = new TerminalScreen().waitForKey({ title: "t", lines: [] }, stop.signal);
  stop.abort(new Error("stopped"));
  await assert.rejects(waiting, /stopped/);
});

test("event lines are ASCII, and a screen is announced once", () => {
  const screen = new TerminalScreen();
  const { terminal, events, shown } = recorder("serial");
  screen.addTerminal(terminal);
  screen.approval({ code: "ABC234", siteName: "ABC" });
  screen.steps({ sequence: "Größe", steps: [] });
  screen.steps({ sequence: "Größe", steps: [{ name: "a", state: "running" }] });
  screen.error({ code: "X", cause: "c", next: "n" });
  assert.deepEqual(events, [
    '@@prestage screen {"screen":"approval","code":"ABC234"}',
    '@@prestage screen {"screen":"steps","sequence":"Gr\\u00f6\\u00dfe"}',
    '@@prestage error {"code":"X","cause":"c","next":"n"}',
    '@@prestage screen {"screen":"error","code":"X"}',
  ]);
  assert.match(shown(), /site ABC/);
});

test("on a console somebody else owns there are only lines", () => {
  const screen = new TerminalScreen();
  const { terminal, printed } = recorder("lines");
  screen.addTerminal(terminal);
  screen.steps({ sequence: "s", steps: [{ name: "Install", state: "running" }] });
  screen.steps({ sequence: "s", steps: [{ name: "Install", state: "running" }] });
  screen.steps({ sequence: "s", steps: [{ name: "Install", state: "succeeded" }] });
  assert.deepEqual(printed, ["prestage: step 1 of 1, Install: running", "prestage: step 1 of 1, Install: succeeded"]);
});

test("keys and sizes", () => {
  assert.deepEqual(parseKeys("\u001b[A1\u001b[24~x").map((key) => key.kind), ["up", "digit", "function", "other"]);
  assert.deepEqual([0, 999, 1000, 99_940_000, 123_456_789, 5e12].map(bytesText), ["0 B", "999 B", "1.0 kB", "99.9 MB", "123 MB", "5.0 TB"]);
});

test("a step that waits says what for, on the screen and in its language, until it goes on", () => {
  const screen = new TerminalScreen();
  let last: Line[] = [];
  screen.addTerminal({ style: "screen", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: () => undefined, print: () => undefined });
  const shown = () => plainText(last).replace(/\s+/g, " ");
  screen.event("waiting", { for: "distribution-point", round: 1, rounds: 4, seconds: 2 });
  screen.steps({ sequence: "Office", steps: [{ name: "Install Firefox", state: "running" }] });
  assert.doesNotMatch(shown(), /distribution point/);
  screen.event("distribution-point-failed", { source: "https://dp1.example", reason: "refused", round: 1 });
  assert.match(shown(), /https:\/\/dp1\.example does not serve; the next distribution point is asked\./);
  screen.event("waiting", { for: "distribution-point", round: 2, rounds: 4, seconds: 16 });
  assert.match(shown(), /Install Firefox .*No distribution point can be reached; trying again in 16 s \(2 of 4\)\./);
  screen.setLanguage("fr");
  assert.match(shown(), /Aucun point de distribution n'est joignable ; nouvel essai dans 16 s \(2 sur 4\)\./);
  screen.event("fetch", { objectId: "ABC00001", done: 10, total: 100 });
  screen.setLanguage("fr"); // draws at once
  assert.doesNotMatch(shown(), /joignable/);
  screen.event("waiting", { for: "secrets", code: "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" });
  assert.match(shown(), /Le site ne répond pas ; les secrets/);
  screen.event("waiting-over", { for: "secrets" });
  assert.doesNotMatch(shown(), /secrets/);
});
