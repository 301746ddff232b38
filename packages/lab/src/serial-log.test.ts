import assert from "node:assert/strict";
import { test } from "node:test";
import { retryOnGuestCrash } from "./guest-crash.ts";
import { LabError } from "./error.ts";
import { SerialConsole } from "./serial-console.ts";
import { SerialLog, stripEscapes } from "./serial-log.ts";

test("escape sequences are removed, also when the pipe cuts one in two", () => {
  const lines: string[] = [];
  const log = new SerialLog(() => undefined, (line) => lines.push(line));
  for (const part of ["\u001b[0", "1;01HBds", "Dxe\u001b", "[30m: loading\r\n", "next"]) log.receive(part);
  assert.deepEqual(log.lines(), ["BdsDxe: loading", "next"]);
  assert.deepEqual(lines, ["BdsDxe: loading"]);
  assert.equal(stripEscapes("a\u001b]0;title\u0007b\u001b(Bc\u001b=d"), "abcd");
});

test("a wait sees what is already there, what comes later, and only what comes after a mark", async () => {
  const log = new SerialLog(() => undefined);
  log.receive("@@phase one\n");
  assert.equal((await log.waitFor(/@@phase (\w+)/))[1], "one");
  const mark = log.mark();
  const second = log.waitFor(/@@phase (\w+)/, { since: mark });
  log.receive("@@ph");
  log.receive("ase two\n");
  assert.equal((await second)[1], "two");
  assert.equal((await log.waitFor("phase two")).index > 0, true);
});

test("silence ends a wait, writing goes on forever", async () => {
  const log = new SerialLog(() => undefined);
  const waiting = log.waitFor("never", { timeoutMs: 1500 });
  const started = performance.now();
  const chatter = setInterval(() => log.receive("."), 50);
  setTimeout(() => clearInterval(chatter), 2500);
  await assert.rejects(waiting, { code: "PRESTAGE_LAB_MACHINE_SILENT" });
  assert.ok(performance.now() - started > 2500);
});

test("the end of the machine and a crash of its kernel end every wait", async () => {
  const log = new SerialLog(() => undefined);
  const waiting = log.waitFor("never");
  log.end("power cut");
  await assert.rejects(waiting, { code: "PRESTAGE_LAB_MACHINE_ENDED", message: /power cut/ });
  await assert.rejects(log.waitFor("never"), { code: "PRESTAGE_LAB_MACHINE_ENDED" });
  const crashing = new SerialLog(() => undefined);
  const second = crashing.waitFor("never");
  crashing.receive("[   12.3] Kernel panic - not syncing: Fatal exception\n");
  await assert.rejects(second, { code: "PRESTAGE_LAB_GUEST_CRASHED", message: /Fatal exception/ });
});

test("only a guest's crash is tried again, and only once", async () => {
  const crash = new LabError("PRESTAGE_LAB_GUEST_CRASHED", "crash");
  let attempts = 0;
  const reports: Error[] = [];
  assert.equal(await retryOnGuestCrash(async (number) => { attempts += 1; if (number === 1) throw crash; return number; }, (error) => reports.push(error)), 2);
  assert.deepEqual([attempts, reports], [2, [crash]]);
  await assert.rejects(retryOnGuestCrash(() => Promise.reject(crash), () => undefined), crash);
  await assert.rejects(retryOnGuestCrash(async () => { attempts += 1; throw new Error("other"); }, () => undefined), /other/);
  assert.equal(attempts, 3);
});

test("commands on a serial console give their output and exit code alone", async () => {
  const answers: [RegExp, string][] = [[/^anna\n$/, "anna\r\nPassword: "], [/^secret\n$/, "\r\nanna@pc:~$ "]];
  const log: SerialLog = new SerialLog((text) => {
    const next = answers[0];
    if (next !== undefined && next[0].test(text)) {
      answers.shift();
      log.receive(next[1]);
    } else if (text.startsWith("printf")) {
      const number = /begin-(\d+)/.exec(text)?.[1] ?? "";
      const [output, code] = text.includes("cat /missing") ? ["cat: /missing: No such file\r\n", 1] : ["", 0];
      log.receive(`${text}\r\n@@begin-${number}\r\n${output}\r\n@@end-${number} ${code}\r\n`);
    }
  });
  log.receive("\r\npc login: ");
  const console = await SerialConsole.login(log, "anna", "secret");
  assert.deepEqual(await console.run("cat /missing"), { command: "cat /missing", output: "cat: /missing: No such file", exitCode: 1 });
});

test("a refused login says so", async () => {
  const log: SerialLog = new SerialLog((text) => log.receive(text === "anna\n" ? "Password: " : "\r\nLogin incorrect\r\npc login: "));
  log.receive("pc login: ");
  await assert.rejects(SerialConsole.login(log, "anna", "wrong"), { code: "PRESTAGE_LAB_LOGIN_FAILED" });
});
