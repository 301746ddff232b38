import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { drawView } from "./draw.ts";
import { Keyboard, layoutOf } from "./keyboard.ts";
import { keyOf, splitKeys } from "./keys.ts";
import { plainText } from "./line.ts";
import type { Line } from "./line.ts";
import { logTool } from "./log-view.ts";
import { TerminalScreen } from "./terminals.ts";
import { en } from "./texts/en.ts";
import { fr } from "./texts/fr.ts";
import { languageOf } from "./texts/index.ts";

const f = { linux: { f2: "\u001b[[B", f3: "\u001b[[C", f4: "\u001b[[D", f9: "\u001b[20~" }, xterm: { f2: "\u001bOQ", f3: "\u001bOR", f4: "\u001bOS", f9: "\u001b[20~" } };

function onScreen() {
  const screen = new TerminalScreen();
  const events: string[] = [];
  let last: Line[] = [];
  screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
  return { screen, events, shown: () => plainText(last) };
}

test("a function key is the same key on the Linux console and on a serial terminal", () => {
  for (const terminal of [f.linux, f.xterm]) {
    assert.deepEqual([terminal.f2, terminal.f3, terminal.f4, terminal.f9].map(keyOf), [2, 3, 4, 9].map((number) => ({ kind: "function", number })));
  }
  assert.deepEqual(["\u001b[5~", "\u001b[6~", "\u001b[1~", "\u001bOF", "\u001b"].map((key) => keyOf(key).kind), ["page-up", "page-down", "home", "end", "escape"]);
});

test("Esc followed at once by another key is two keys", () => {
  assert.deepEqual(splitKeys("\u001b\u001b[20~\u001b"), ["\u001b", "\u001b[20~", "\u001b"]);
});

test("F2 changes the language of what stands on the screen; events stay English", () => {
  const { screen, events, shown } = onScreen();
  screen.addTool(logTool(() => []));
  screen.message({ screen: "policy", title: (texts) => texts.searching, lines: [(texts) => texts.asking] });
  assert.match(shown(), /Looking for task sequences[^]*F2 Français {3}F9 Log/);
  screen.typed(f.linux.f2);
  assert.match(shown(), /Recherche de séquences de tâches[^]*F2 English {3}F9 Journal/);
  screen.approval({ code: "ABC234", siteName: "ABC" });
  assert.match(shown(), /En attente d'approbation/);
  assert.deepEqual(events, ['@@prestage screen {"screen":"policy","title":"Looking for task sequences"}', '@@prestage screen {"screen":"approval","code":"ABC234"}']);
  screen.typed(f.xterm.f2);
  assert.match(shown(), /Waiting for approval/);
});

test("a media's language is known by its base, and English where it is none of ours", () => {
  assert.deepEqual(["en", "fr", "fr-CH", "FR", "de", ""].map(languageOf), ["en", "fr", "fr", "fr", "en", "en"]);
});

test("every text of every language is there, and made of characters the console's font has", () => {
  const call = (text: unknown): string => (typeof text === "function" ? String((text as (...args: unknown[]) => unknown)(1, 2)) : String(text));
  for (const texts of [en, fr]) {
    for (const [name, text] of Object.entries(texts)) assert.match(call(text), /^[\u0020-\u007e\u00a0-\u00ffŒœŠšŽžŸ€]+$/, name);
  }
});

test("the password can be shown by F4 and by Ctrl-T, hidden again, and no function key is typed into it", async () => {
  const { screen, shown } = onScreen();
  screen.addTool(logTool(() => []));
  screen.setKeyboard("fr");
  const prompt = screen.password({ siteName: "ABC", code: "ABC234" }, new AbortController().signal);
  screen.typed(`sec${f.linux.f4}ret`);
  assert.match(shown(), / secret_+[^]*Keyboard: fr[^]*F4 Hide/);
  screen.typed("\u0014");
  assert.match(shown(), / \*{6}_+[^]*F4 Show/);
  assert.doesNotMatch(shown(), /secret/);
  screen.typed("\rpasted after it");
  assert.equal(await prompt.typed, "secret");
});

test("F9 shows the end of the log above what goes on, scrolls, and Esc closes it; keys typed there choose nothing below", async () => {
  const { screen, events, shown } = onScreen();
  const lines = Array.from({ length: 100 }, (_, i) => `line ${i + 1}`);
  screen.addTool(logTool(() => lines));
  const choice = screen.choose({ title: "Choose", items: [{ label: "one", detail: "" }, { label: "two", detail: "" }] }, new AbortController().signal);
  screen.typed(f.linux.f9);
  assert.match(shown(), /line 100\n/);
  screen.typed("\u001b[5~1\r");
  assert.doesNotMatch(shown(), /line 86\n/);
  assert.match(shown(), /line 85\n/);
  screen.typed("\u001b[1~");
  assert.match(shown(), /line 1\n/);
  screen.typed("\u001bOF");
  assert.match(shown(), /line 100\n/);
  screen.typed("\u001b");
  assert.match(shown(), /Choose/);
  assert.ok(events.includes('@@prestage overlay {"overlay":"log"}'));
  screen.typed("2");
  assert.equal(await choice, 1);
});

test("a long list scrolls with what is chosen", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), fc.nat(199), fc.integer({ min: 15, max: 60 }), (count, at, height) => {
      const selected = at % count;
      const items = Array.from({ length: count }, (_, i) => ({ label: `choice ${i + 1}!`, detail: "what it does" }));
      const text = plainText(drawView({ kind: "choose", title: "t", items, selected }, { machine: "", site: "" }, 79, height));
      assert.ok(text.includes(`choice ${selected + 1}!`));
    }),
  );
});

test("F3 goes through the layouts; one that cannot be loaded changes nothing", async () => {
  const { screen, shown } = onScreen();
  const loaded: string[] = [];
  let works = true;
  const keyboard = new Keyboard((layout) => screen.setKeyboard(layout), async (path) => {
    loaded.push(path);
    return works;
  });
  screen.addTool(keyboard.tool());
  screen.message({ screen: "s", title: "t", lines: [] });
  await keyboard.use(layoutOf("fr"));
  assert.match(shown(), /F3 Keyboard fr/);
  works = false;
  assert.equal(await keyboard.use("de"), false);
  assert.equal(keyboard.layout, "fr");
  works = true;
  screen.typed(f.linux.f3);
  await new Promise(setImmediate);
  assert.match(shown(), /F3 Keyboard de/);
  assert.deepEqual(loaded.map((path) => path.split("/").at(-1)), ["fr-latin9.kmap", "de-latin1-nodeadkeys.kmap", "de-latin1-nodeadkeys.kmap"]);
  assert.equal(layoutOf("dvorak"), "us");
});
