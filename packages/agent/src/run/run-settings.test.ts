import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { makeVariables } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { afterFailure } from "../run-chosen.ts";
import { drawView } from "../screens/draw.ts";
import { plainText } from "../screens/line.ts";
import type { Line } from "../screens/line.ts";
import { TerminalScreen } from "../screens/terminals.ts";
import { durationText } from "../screens/texts/en.ts";
import { fr } from "../screens/texts/fr.ts";
import { languageOfFolder } from "../screens/texts/index.ts";
import { StatusSpool } from "../status/status-spool.ts";
import { restartNotice, runSettings, targetSystemDrive } from "./run-settings.ts";
import { runSequence } from "./run-sequence.ts";

const variables = (values: Record<string, string>) => makeVariables(Object.entries(values).map(([name, value]) => ({ name, value, source: "device" as const })));
const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("nothing set is what there always was; what is set is bounded, and nonsense is nothing", () => {
  assert.deepEqual(runSettings(variables({})), { progress: "steps", hideProgress: false, language: undefined, retryStatus: true, errorSeconds: 900, quietCommands: false, contentUrlsTimeoutMs: undefined, secondRestartSeconds: 0 });
  assert.deepEqual(runSettings(variables({ tsprogressinfolevel: "2", TSDisableProgressUI: "TRUE", SMSTSLanguageFolder: "040C", SMSTSDisableStatusRetry: "true", SMSTSErrorDialogTimeout: "0", OSDDoNotLogCommand: "True", SMSTSMPListRequestTimeout: "5", SMSTSWaitForSecondReboot: "99999" })), { progress: "steps-and-percent", hideProgress: true, language: "fr", retryStatus: false, errorSeconds: 0, quietCommands: true, contentUrlsTimeoutMs: 1000, secondRestartSeconds: 7200 });
  assert.deepEqual(runSettings(variables({ TSProgressInfoLevel: "7", TSDisableProgressUI: "1", SMSTSLanguageFolder: "0407", SMSTSErrorDialogTimeout: "-5", SMSTSMPListRequestTimeout: "soon" })), runSettings(variables({})));
  for (const name of ["SMSTSErrorDialogTimeout", "SMSTSWaitForSecondReboot"]) {
    const { errorSeconds, secondRestartSeconds } = runSettings(variables({ [name]: "999999999" }));
    for (const seconds of [errorSeconds, secondRestartSeconds]) assert.ok(seconds * 1000 < 2 ** 31, `${name}: a timer of ${seconds} s would be over at once`);
  }
  for (const [folder, language] of [["0409", "en"], ["0x040c", "fr"], ["fr-CH", "fr"], ["0c0c", "fr"], ["EN-us", "en"], ["de-DE", undefined], ["", undefined], ["../fr", undefined]] as const) assert.equal(languageOfFolder(folder), language, folder);
});

test("a restart is announced where somebody asked for it: by the step, by a message, by a delay; the first and those after it", () => {
  assert.equal(restartNotice(variables({}), 0), undefined);
  assert.equal(restartNotice(variables({}), 0, { message: undefined, seconds: 60 }), undefined, "a restart step without a message costs no time");
  assert.deepEqual(restartNotice(variables({ SMSTSRebootMessage: "Now." }), 0), { message: "Now.", seconds: 60 });
  assert.deepEqual(restartNotice(variables({ SMSTSRebootMessage: "Now.", SMSTSRebootDelay: "0" }), 0), undefined);
  assert.deepEqual(restartNotice(variables({ SMSTSRebootDelay: "9", SMSTSRebootDelayNext: "2" }), 0), { message: undefined, seconds: 9 });
  assert.deepEqual(restartNotice(variables({ SMSTSRebootDelay: "9", SMSTSRebootDelayNext: "2" }), 1), { message: undefined, seconds: 2 });
  assert.deepEqual(restartNotice(variables({ SMSTSRebootDelay: "9" }), 3), { message: undefined, seconds: 9 });
  assert.deepEqual(restartNotice(variables({ SMSTSRebootDelay: "999999999" }), 0), { message: undefined, seconds: 86_400 });
  assert.deepEqual(restartNotice(variables({ SMSTSRebootDelay: "9" }), 0, { message: "Mine.", seconds: 5 }), { message: "Mine.", seconds: 5 });
  assert.equal(restartNotice(variables({ SMSTSRebootDelay: "9" }), 0, { message: "Mine.", seconds: 0 }), undefined);
});

test("the notice counts down on the screen and ends by itself, or by any key", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const typed of [undefined, " "]) {
    const screen = new TerminalScreen();
    let last: Line[] = [];
    const events: string[] = [];
    screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
    screen.setLanguage("fr");
    const over = screen.countdown({ screen: "restart-notice", title: (texts) => texts.restartNotice, lines: (left) => ["Sauvez tout.", "", (texts) => texts.restartNoticeLeft(left)], seconds: 90 }, new AbortController().signal);
    assert.match(plainText(last), /L'ordinateur va redémarrer\n\n +Sauvez tout\.\n\n +Dans 1 min 30 s\. Appuyez sur une touche pour redémarrer maintenant\./);
    assert.deepEqual(events, ['@@prestage screen {"screen":"restart-notice","title":"The computer restarts","seconds":90}']);
    if (typed === undefined) t.mock.timers.tick(90_000);
    else screen.typed(typed);
    assert.equal(await over, typed === undefined ? "time" : "key");
  }
});

test("a restart step's message stands before the restart, is ended by a key, and stands again where the agent was stopped in it", async () => {
  const fixture = await makeRunFixture([{ type: "restart", with: { message: "To %WHERE%.", delaySeconds: 500 } }]);
  const given = [{ name: "WHERE", value: "Debian", source: "device" as const }];
  const stop = new AbortController();
  const first = await fixture.context({ variables: given, signal: stop.signal });
  const stopped = assert.rejects(runSequence(first, { bootId: "1", machine }), /stopped/);
  while (!fixture.events.some((event) => event.includes("restart-notice"))) await new Promise(setImmediate);
  stop.abort(new Error("stopped"));
  await stopped;
  const second = await fixture.context({ variables: given });
  const ended = runSequence(second, { bootId: "1", machine });
  while (fixture.events.filter((event) => event.includes('"restart-notice"')).length < 2) await new Promise(setImmediate);
  if (second.screen instanceof TerminalScreen) second.screen.typed("x");
  assert.deepEqual(await ended, { result: "restart", to: "installed" });
  assert.ok(fixture.events.includes('@@prestage restart-notice-over {"by":"key"}'));
});

test("the steps screen counts as asked, or shows nothing of the steps, in both languages", () => {
  const model = { sequence: "Debian", steps: [{ name: "Secret project", state: "succeeded" as const }, { name: "B", state: "running" as const }, { name: "C", state: "waiting" as const }] };
  const drawn = (more: object, texts?: typeof fr) => plainText(drawView({ kind: "steps", model: { ...model, ...more } }, { machine: "", site: "" }, 79, 23, texts));
  assert.match(drawn({}), / 1 of 3 steps\n/);
  assert.match(drawn({ count: "steps-and-percent" }), /Debian +1 of 3 steps \(33 % complete\)\n/);
  assert.match(drawn({ count: "percent" }, fr), /Debian +33 % faits\n/);
  const hidden = drawn({ hidden: true }, fr);
  assert.match(hidden, /Cet ordinateur est en cours d'installation/);
  assert.doesNotMatch(hidden, /Secret|Debian|▶/);
  const printed: string[] = [];
  const console = new TerminalScreen();
  console.addTerminal({ style: "lines", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, event: () => undefined, print: (text) => void printed.push(text) });
  console.steps({ ...model, hidden: true });
  assert.deepEqual(printed, []);
  console.steps(model);
  assert.match(printed.join(), /Secret project: succeeded/);
  assert.deepEqual([90, 3600, 0, 86_399].map(durationText), ["1 min 30 s", "1 h", "0 s", "23 h 59 min 59 s"]);
});

test("variables change the language, and what is logged of command lines, from the step on that sets them", async () => {
  const quiet = { name: "OSDDoNotLogCommand", value: "true" };
  const fixture = await makeRunFixture([
    { type: "run-command-line", with: { command: "echo %PLAN% > /dev/null" } }, { type: "set-variable", with: quiet }, { type: "set-variable", with: { name: "SMSTSLanguageFolder", value: "040c" } },
    { type: "run-command-line", with: { command: "echo %PLAN% > /dev/null" } }, { type: "set-variable", with: { name: "A", value: "%PLAN%" } }, { type: "set-variable", with: { name: "TSProgressInfoLevel", value: "3" } },
  ]);
  const context = await fixture.context({ environment: "installed", variables: [{ name: "PLAN", value: "merger", source: "device" }] });
  await runSequence(context, { bootId: "1", machine });
  assert.deepEqual(fixture.logged.filter((line) => line.includes("%PLAN%")), ["  %PLAN% = \"merger\" (device)", "  %PLAN% is put in, and not logged (OSDDoNotLogCommand)", "  %PLAN% = \"merger\" (device)"]);
  assert.equal(context.screen instanceof TerminalScreen && context.screen.inLanguage((texts) => texts.ownName), "Français");
});

test("after a failure the error stands until a key, or as long as the variable says; not while somebody has a shell; on unattended media as before", async () => {
  const screen = new TerminalScreen();
  const events: string[] = [];
  screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, event: (text) => void events.push(text), print: () => undefined });
  let ended = 0;
  const state = { endRun: async () => void ended++ };
  const status = { flush: async () => true };
  type Run = Parameters<typeof afterFailure>[0];
  let shell = true;
  const run = (change: object = {}) => ({ environment: "boot", manifest: { unattended: false }, screen, signal: new AbortController().signal, state, status, ...change }) as unknown as Run;
  const byKey = afterFailure(run(), 0);
  await delay(0);
  screen.typed("x");
  assert.equal(await byKey, 0);
  assert.equal(await afterFailure(run(), 1), 0);
  const waiting = afterFailure(run({ shellOpen: () => shell }), 1);
  assert.equal(await Promise.race([waiting.then(() => "over"), delay(1300, "shell")]), "shell");
  shell = false;
  assert.equal(await waiting, 0);
  assert.deepEqual(events, ["key", "time", "time"].map((by) => `@@prestage error-read {"by":"${by}"}`));
  assert.equal(ended, 3);
  assert.equal(await afterFailure(run({ environment: "installed" }), 900), 0);
  assert.equal(ended, 3);
  const stop = new AbortController();
  const unattended = afterFailure(run({ manifest: { unattended: true }, signal: stop.signal }), 1);
  screen.typed("x");
  assert.equal(await Promise.race([unattended.then(() => "over"), delay(1200, "waits its minute")]), "waits its minute");
  stop.abort(new Error("stop"));
  await assert.rejects(unattended);
});

test("with SMSTSDisableStatusRetry a site that does not answer is asked three times, and then no more until the next start", async () => {
  const fixture = await makeRunFixture([{ type: "restart" }]);
  let sent = 0;
  const refuse = async () => {
    sent++;
    throw new Error("no answer");
  };
  const spool = await StatusSpool.open(`${fixture.folder}/spool`, "boot", () => new Date());
  spool.setRetries(false);
  spool.start(refuse);
  spool.post({ kind: "restart", text: "x" });
  assert.equal(await spool.flush(), false, "without a limit, and yet it ends");
  assert.equal(sent, 3);
  spool.post({ kind: "restart", text: "y" });
  assert.equal(await spool.flush(), false);
  assert.equal(sent, 3);
  spool.setRetries(true);
  const kept = await StatusSpool.open(`${fixture.folder}/spool`, "boot", () => new Date());
  assert.equal(kept.pending, 2, "they stay on the disk");
  spool.stop();
});

test("the deployed system's place is the agent's folder for it, and its own root once it runs", () => {
  assert.equal(targetSystemDrive("environment", "/mnt/data"), "/mnt/data");
  assert.equal(targetSystemDrive("installed", "/"), "/");
});
