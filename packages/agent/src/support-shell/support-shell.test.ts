import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { plainText } from "../screens/line.ts";
import type { Line } from "../screens/line.ts";
import { networkTool } from "../network/network-form.ts";
import { byDhcp } from "../network/network-settings.ts";
import { logStickTool } from "../log-stick/log-stick-tool.ts";
import { Keyboard } from "../screens/keyboard.ts";
import { logTool } from "../screens/log-view.ts";
import { TerminalScreen } from "../screens/terminals.ts";
import type { NewStatusMessage } from "../status/status-spool.ts";
import { openDurableLines } from "../journal/durable-lines.ts";
import { processesOfSession } from "./session.ts";
import { SupportShell } from "./support-shell.ts";

const f8 = "\u001b[19~";
const fixture = join(import.meta.dirname, "../fixtures/shell-computer.ts");

/** Text that comes bit by bit, and can be waited for from where it was last found. */
function stream() {
  let text = "";
  let from = 0;
  let check = () => {};
  let fail = (_cause: Error) => {};
  let ended: Error | undefined;
  return {
    /** Nothing more comes: who waits learns it. */
    end(cause: Error) {
      ended = cause;
      fail(cause);
    },
    add(more: string) {
      text += more;
      check();
    },
    get all() {
      return text;
    },
    until(pattern: RegExp): Promise<RegExpExecArray> {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      check = () => {
        const found = pattern.exec(text.slice(from));
        if (found === null) return;
        check = () => {};
        from += found.index + found[0].length;
        resolve(found);
      };
      fail = (cause) => reject(new Error(`${cause.message} while ${String(pattern)} was waited for, after ${JSON.stringify(text.slice(-500))}`));
      check();
      if (ended !== undefined) fail(ended);
      return promise;
    },
  };
}

/** The fixture on a pseudo-terminal that script(1) makes; `shown`: what it writes there, `told`: its events and its second terminal. */
async function onTerminal(use: (computer: { shown: ReturnType<typeof stream>; told: ReturnType<typeof stream>; type: (keys: string) => void; reports: () => unknown[] }) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-shell-"));
  const [shown, told] = [stream(), stream()];
  const server = createServer((socket) => socket.setEncoding("utf8").on("data", (text: string) => told.add(text))).listen(join(folder, "socket"));
  // It keeps the terminal open: where nobody does, script takes the end of a shell for its own.
  const command = `exec 9<> "$(tty)"; exec setsid -w ${process.execPath} ${fixture} "$(tty)" ${folder}/socket ${folder} < /dev/null > /dev/null 2> ${folder}/errors`;
  const script = spawn("script", ["-q", "-c", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, A_SECRET_OF_THE_AGENT: "s3cr3t" } });
  script.stdout.setEncoding("utf8").on("data", (text: string) => shown.add(text));
  const ended = new Promise((resolve) => script.on("close", resolve));
  const gone = () => [shown, told].forEach((one) => one.end(new Error("The terminal was gone, or 30 seconds were over,")));
  script.on("close", gone);
  const timer = setTimeout(gone, 30_000);
  let pid = 0;
  try {
    pid = Number((await told.until(/pid (\d+)/))[1]);
    await use({ shown, told, type: (keys) => void script.stdin.write(keys), reports: () => openDurableLines(join(folder, "messages")).values });
  } finally {
    try {
      if (pid > 0) process.kill(pid, "SIGKILL");
    } catch {
      // It has left by itself.
    }
    clearTimeout(timer);
    script.stdin.end();
    await ended;
    server.close();
    await rm(folder, { recursive: true });
  }
}

const skip = process.getuid?.() === 0 ? false : "only root takes a terminal from another session";

test("F8 opens a shell on the terminal it was pressed on; Ctrl-C works there, the run and other terminals go on, and it is drawn again after exit", { skip }, async () => {
  await onTerminal(async ({ shown, told, type, reports }) => {
    await shown.until(/running \d+.*F8 Shell/s);
    type(f8);
    const name = (await told.until(/@@prestage shell-open \{"terminal":"(\w+)"\}/))[1];
    await shown.until(/Support shell of Prestage, as root[^]*support# /);
    type("env | sort; echo $((40+2))\r");
    const environment = (await shown.until(/\r\n([^]*)42\r\n/))[1] ?? "";
    assert.deepEqual(environment.split("\r\n").filter((line) => line.includes("=")).map((line) => line.split("=")[0]), ["HOME", "LANG", "PATH", "PS1", "PWD", "TERM"]);
    assert.doesNotMatch(shown.all, /s3cr3t/);
    await told.until(new RegExp(`second "[^"]*support shell open on ${name}[^]*running`));
    const drawn = Number((await told.until(/running (\d+)/))[1]);
    type("sleep 1000\r");
    await told.until(new RegExp(`running ${drawn + 3}\\b`));
    type("\u0003");
    await shown.until(/\^C[^]*support# /);
    assert.doesNotMatch(shown.all.slice(shown.all.indexOf("Support shell of")), /running \d/, "nothing is drawn over the shell");
    type("(sleep 1000; true) & echo session $$\r");
    const session = Number((await shown.until(/session (\d+)\r/))[1]);
    assert.ok(processesOfSession(session).length >= 2);
    type("exit\r");
    await told.until(/@@prestage shell-closed \{"terminal":"\w+","by":"exit"\}/);
    await shown.until(/running \d+/);
    assert.deepEqual(processesOfSession(session), [], "its jobs have ended too");
    await told.until(/second "(?![^"]*support shell open)[^"]*running/);
    type(f8);
    await told.until(/@@prestage shell-open/);
    await shown.until(/support# /);
    type("exit\r");
    await told.until(/@@prestage shell-closed/);
    assert.deepEqual(reports().map((line) => JSON.stringify(line).match(/"kind":"([\w-]+)".*"text":"([\w/]+)"/)?.slice(1)), [["support-shell-opened", name], ["support-shell-closed", name], ["support-shell-opened", name], ["support-shell-closed", name]]);
  });
});

test("a shell holds up no restart, whatever it does about it; its end is reported before the computer leaves", { skip }, async () => {
  await onTerminal(async ({ shown, told, type, reports }) => {
    await shown.until(/running/);
    type(f8);
    await told.until(/@@prestage shell-open/);
    await shown.until(/support# /);
    type("trap '' HUP TERM; (trap '' HUP; sleep 1000) & echo session $$ $PPID\r");
    const [, session, agent] = await shown.until(/session (\d+) (\d+)\r/);
    type(`kill -USR1 ${agent}; sleep 1000\r`);
    await told.until(/@@prestage shell-closed \{"terminal":"\w+","by":"agent"\}\s[^]*left/);
    assert.deepEqual(processesOfSession(Number(session)), []);
    assert.match(JSON.stringify(reports().at(-1)), /"support-shell-closed".*ended by the agent/);
  });
});

function computer(options: { supportShell?: true } = { supportShell: true }) {
  const events: string[] = [];
  const posted: NewStatusMessage[] = [];
  const calls: string[] = [];
  const screen = new TerminalScreen();
  let last: Line[] = [];
  const lendable = { path: "/dev/tty0", lent: false, lend: (greeting: string) => void calls.push(greeting), takeBack: async () => calls.push("back") > 0 };
  const terminal = { style: "screen" as const, size: { width: 79, height: 23 }, draw: (lines: Line[]) => void (last = lines), forget: () => undefined, event: (text: string) => void events.push(text), print: () => undefined, lendable };
  screen.addTerminal(terminal);
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const shell = new SupportShell({ screen, log: () => undefined, start: async () => ({ ended, end, endNow: end }) });
  screen.addTool(new Keyboard(() => undefined).tool());
  screen.addTool(networkTool({ settings: () => byDhcp, interfaces: async () => [], apply: async () => undefined }));
  screen.addTool(logTool(() => []));
  screen.addTool(logStickTool({ partitions: async () => [], copy: async () => ({ kind: "full" }) }));
  screen.addTool(shell.tool());
  screen.message({ screen: "s", title: "below", lines: [] });
  const status = { post: (message: NewStatusMessage) => void posted.push(message) };
  return { screen, shell, events, posted, calls, end, status, options, press: () => screen.typed(f8, terminal), shown: () => plainText(last) };
}

test("before the media is verified, where it allows none, and before the computer is enrolled, F8 says so in one line, in both languages", () => {
  const { screen, shell, events, calls, press, shown, status } = computer();
  const says = (english: RegExp, french: RegExp) => {
    press();
    assert.match(shown(), english);
    screen.typed("\u001b[[B");
    assert.doesNotMatch(shown(), english, "the next key takes it away");
    press();
    assert.match(shown(), french);
    screen.typed("\u001b[[B");
    assert.doesNotMatch(shown(), /F8/);
  };
  says(/is not verified/, /n'est pas vérifié/);
  shell.verified({ supportShell: true });
  says(/is not enrolled/, /n'est pas inscrit/);
  const other = computer();
  other.shell.verified({});
  other.shell.enrolled(status);
  other.press();
  assert.match(other.shown(), /made without one/);
  assert.deepEqual([...calls, ...other.calls], []);
  assert.ok(events.includes('@@prestage shell-refused {"reason":"not-enrolled","terminal":"tty0"}'));
  assert.ok(other.events.includes('@@prestage shell-refused {"reason":"not-allowed","terminal":"tty0"}'));
});

test("the keys fit 80 columns in both languages; the shell is reported once opened and once closed, and once it was ended none opens", async () => {
  const { screen, shell, events, calls, posted, press, shown, status } = computer();
  shell.verified({ supportShell: true });
  shell.enrolled(status);
  assert.match(shown(), /F6 Network {3}F8 Shell {3}F9 Log {3}F10 Log to USB$/m);
  screen.typed("\u001b[[B");
  assert.match(shown(), /F8 Shell {3}F9 Journal {3}F10 Clé USB$/m);
  press();
  press();
  await new Promise(setImmediate);
  assert.match(shown(), /shell d'assistance ouvert sur tty0/);
  await shell.close();
  press();
  assert.match(shown(), /va quitter/);
  assert.deepEqual(posted.map(({ kind, text }) => [kind, text]), [["support-shell-opened", "tty0"], ["support-shell-closed", "tty0, ended by the agent"]]);
  assert.equal(calls.length, 2);
  assert.ok(events.includes('@@prestage shell-closed {"terminal":"tty0","by":"agent"}'));
});

test("a shell whose process does not end whatever it is sent is not waited for longer than six seconds", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const logged: string[] = [];
  const screen = new TerminalScreen();
  const shell = new SupportShell({ screen, log: (line) => void logged.push(line), start: async () => ({ ended: new Promise(() => undefined), end: () => undefined, endNow: () => undefined }) });
  const lendable = { path: "/dev/tty0", lent: false, lend: () => undefined, takeBack: async () => true };
  screen.addTool(shell.tool());
  shell.verified({ supportShell: true });
  shell.enrolled({ post: () => undefined });
  screen.typed(f8, { style: "screen", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, event: () => undefined, print: () => undefined, lendable });
  await new Promise(setImmediate);
  const closed = shell.close();
  context.mock.timers.tick(6000);
  await closed;
  assert.match(logged.join("\n"), /does not end; it is not waited for/);
});

test("a terminal that cannot be given away gets no shell, and one whose shell does not start is drawn on again", async () => {
  const { screen, shell, status, shown } = computer();
  shell.verified({ supportShell: true });
  shell.enrolled(status);
  screen.typed(f8);
  assert.match(shown(), /this terminal cannot/);
  const failing = new TerminalScreen();
  const calls: string[] = [];
  const other = new SupportShell({ screen: failing, log: () => undefined, start: () => Promise.reject(new Error("no such program")) });
  let last: Line[] = [];
  const terminal = { style: "screen" as const, size: { width: 79, height: 23 }, draw: (lines: Line[]) => void (last = lines), forget: () => undefined, event: () => undefined, print: () => undefined, lendable: { path: "/dev/tty0", lent: false, lend: () => void calls.push("lent"), takeBack: async () => calls.push("back") > 0 } };
  failing.addTerminal(terminal);
  failing.message({ screen: "s", title: "below", lines: [] });
  failing.addTool(other.tool());
  other.verified({ supportShell: true });
  other.enrolled(status);
  failing.typed(f8, terminal);
  await new Promise(setImmediate);
  assert.deepEqual(calls, ["lent", "back"]);
  assert.match(plainText(last), /could not be started: no such program/);
});
