import assert from "node:assert/strict";
import { test } from "node:test";
import { contentErrors } from "@prestage/content";
import { diskErrors } from "@prestage/disk";
import { mediaErrors } from "@prestage/media";
import { sequenceErrors } from "@prestage/sequence";
import { trustErrors } from "@prestage/trust";
import { agentErrors, AgentError } from "../error.ts";
import { afterError } from "../first-boot/after-error.ts";
import { untilDone } from "../first-boot/try-again.ts";
import { drawView } from "./draw.ts";
import { plainText } from "./line.ts";
import type { Line } from "./line.ts";
import { TerminalScreen } from "./terminals.ts";
import { en } from "./texts/en.ts";
import { neverAtAComputer } from "./texts/error-text.ts";
import { frErrors } from "./texts/fr-errors.ts";
import { fr } from "./texts/fr.ts";

const header = { machine: "PC-0042", site: "ABC" };
const words = (text: string) => text.replace(/\s+/g, " ");

test("each error that can stop a computer has its French text, in characters the console's font has; no other has one", () => {
  const codes = [agentErrors, mediaErrors, trustErrors, contentErrors, sequenceErrors, diskErrors].flatMap((errors) => Object.keys(errors));
  assert.deepEqual(Object.keys(frErrors).toSorted(), codes.filter((code) => !neverAtAComputer.some((never) => never === code)).toSorted());
  for (const [code, { cause, next }] of Object.entries(frErrors)) {
    for (const text of [cause, next]) assert.match(text, /^[ -~\u00a0-\u00ffŒœ]+[.!]$/, code);
  }
});

test("on a French screen of 80 columns the error, what to do and what happens then are whole, above what was found here, however long that is", () => {
  for (const [code, { cause, next }] of Object.entries(frErrors)) {
    const shown = words(plainText(drawView({ kind: "error", code, step: "Étape", cause: `Expected a thing; found another. ${"detail ".repeat(200)}`, next: "Do this.", then: (texts) => texts.unattendedRetry(60) }, header, 79, 23, fr, "F2 English   F9 Journal")));
    for (const text of [code, cause, "Expected a thing; found another.", next, fr.unattendedRetry(60)]) assert.ok(shown.includes(words(text)), `${code}: ${text}\n${shown}`);
    assert.doesNotMatch(shown, /Do this/);
  }
});

test("on an English screen, and with an error nobody knows, its own words stand", () => {
  const view = { kind: "error", code: "PRESTAGE_MEDIA_EXPIRED", cause: "This media was valid to 2020.", next: "Renew it.", then: "Then off." } as const;
  assert.match(plainText(drawView(view, header, 79, 23, en)), /\n +This media was valid to 2020\.\n\n +What to do\n +Renew it\. Then off\.\n/);
  assert.match(plainText(drawView({ ...view, code: "EIO" }, header, 79, 23, fr)), /\n +This media was valid to 2020\.\n\n +Que faire\n +Renew it\. Then off\.\n/);
});

function french() {
  const screen = new TerminalScreen();
  const events: string[] = [];
  let last: Line[] = [];
  screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
  screen.setLanguage("fr");
  return { screen, events, shown: () => words(plainText(last)) };
}

test("what stopped a computer is said in French on its screen, and in English on the serial port", async () => {
  const { screen, events, shown } = french();
  const ended = afterError(new AgentError("PRESTAGE_AGENT_NO_VOLUME", "Expected a partition with /prestage/manifest.dsse.json; found none.", "Stage the disk again."), { manifest: { unattended: false }, screen, signal: new AbortController().signal });
  assert.match(shown(), /n'a aucune partition portant un média\. Expected a partition .* Que faire Préparez le disque à nouveau\. Appuyez sur une touche pour éteindre\./);
  assert.ok(events.includes('@@prestage error {"code":"PRESTAGE_AGENT_NO_VOLUME","cause":"Expected a partition with /prestage/manifest.dsse.json; found none.","next":"Stage the disk again. Press a key to power off."}'));
  screen.typed("x");
  await ended;
});

test("while the network or the site is away, the French screen says so in French, above what was found", async () => {
  const { screen, shown } = french();
  const stop = new AbortController();
  const waiting = untilDone({ screen, log: () => undefined, signal: stop.signal }, "network", () => Promise.reject(new AgentError("PRESTAGE_AGENT_NO_NETWORK", "Expected an address by DHCP; found none on eth0.", "Connect the network cable.")));
  await new Promise(setImmediate);
  assert.match(shown(), /Attente Aucune interface filaire n'a obtenu d'adresse\. Expected an address by DHCP; found none on eth0\. Vérifiez le câble/);
  stop.abort(new Error("enough"));
  await assert.rejects(waiting);
});

test("a conflict says what has happened and what to do, with the code in letters of blocks, in both languages", () => {
  for (const [texts, said] of [[en, /Another computer used this disk's claim The disk was copied, .*"prestage conflict list" and decides.*tell the administrator before anything else\./], [fr, /Un autre ordinateur a utilisé le droit de ce disque .*prestage conflict list.*prévenez d'abord l'administrateur\./]] as const) {
    const shown = plainText(drawView({ kind: "approval", code: "Q7ABCD", siteName: "ABC", conflict: true }, header, 79, 23, texts, "F2 x"));
    assert.match(words(shown), said);
    assert.match(shown, /██████ {4}██████████ {4}██████ /);
  }
});
