import assert from "node:assert/strict";
import { test } from "node:test";
import type { Offer } from "@prestage/contract";
import { drawView } from "../screens/draw.ts";
import { plainText } from "../screens/line.ts";
import { TerminalScreen } from "../screens/terminals.ts";
import { fr } from "../screens/texts/fr.ts";
import type { View } from "../screens/view.ts";
import { highImpactSeconds, showHighImpact } from "./high-impact.ts";

const offer: Offer = {
  deploymentId: "ABC00009", taskSequenceId: "ABC00006", name: "Debian for offices", comment: "", purpose: "required",
  highImpact: { headline: "This computer is set up anew", texts: ["Everything on its disk is deleted.", "It takes half an hour; the computer restarts several times.", "Call 4711 if this is not meant."] },
};

/** A terminal that keeps the text of what was drawn last, and every line that was printed. */
function terminal(screen: TerminalScreen, style: "screen" | "lines" = "screen") {
  const seen = { drawn: "", printed: [] as string[], events: [] as string[] };
  screen.addTerminal({ style, size: { width: 79, height: 23 }, draw: (lines) => void (seen.drawn = plainText(lines)), forget: () => undefined, print: (text) => void seen.printed.push(text), event: (text) => void seen.events.push(text) });
  return seen;
}

test("the headline and the three texts are shown, and it begins by itself when the time is over", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const screen = new TerminalScreen();
  const seen = terminal(screen);
  const plain = terminal(screen, "lines");
  const over = showHighImpact(screen, offer, new AbortController().signal);
  for (const text of [offer.highImpact?.headline ?? "?", ...(offer.highImpact?.texts ?? ["?"]), "Debian for offices begins by itself in 1 min"]) assert.ok(seen.drawn.includes(text), text);
  assert.deepEqual(plain.printed.filter((line) => line.includes("4711")).length, 1);
  for (let i = 0; i < highImpactSeconds; i++) t.mock.timers.tick(1000);
  await over;
  assert.deepEqual(seen.events, ['@@prestage screen {"screen":"high-impact","title":"This computer is set up anew","seconds":60}', '@@prestage high-impact-over {"by":"time"}']);
});

test("a key begins it at once, and the signal ends it", async () => {
  const screen = new TerminalScreen();
  const seen = terminal(screen);
  const over = showHighImpact(screen, offer, new AbortController().signal);
  screen.typed(" ");
  await over;
  assert.equal(seen.events.at(-1), '@@prestage high-impact-over {"by":"key"}');
  const stop = new AbortController();
  const stopped = showHighImpact(screen, offer, stop.signal);
  stop.abort(new Error("revoked"));
  await assert.rejects(stopped, /revoked/);
});

test("without texts nothing is shown", async () => {
  const screen = new TerminalScreen();
  const seen = terminal(screen);
  await showHighImpact(screen, { ...offer, highImpact: undefined } as unknown as Offer, new AbortController().signal);
  assert.deepEqual(seen.events, []);
});

const long = (word: string) => `${word} `.repeat(80).slice(0, 254) + ".";
test("texts of full length fit a screen of 80x25, and what happens next always stands there; our own words are in the screen's language", () => {
  const view: View = { kind: "high-impact", headline: long("Headline"), texts: [long("first"), long("second"), long("third")], left: (words) => words.highImpactLeft("Debian", 60) };
  const drawn = plainText(drawView(view, { machine: "PC-0042", site: "ABC" }, 79, 23));
  for (const word of ["Headline", "first", "second", "third"]) assert.ok(drawn.includes(word), word);
  assert.equal(drawn.match(/third/g)?.length, 42, "to its last word");
  assert.match(drawn, /Debian begins by itself/);
  const small = plainText(drawView(view, { machine: "PC-0042", site: "ABC" }, 60, 12, fr));
  assert.match(small, /Debian commence de lui-même/);
});
