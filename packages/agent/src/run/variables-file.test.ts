import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { withPrograms } from "../steps/run-shell.ts";
import { openVariablesFile, variablePrograms } from "./variables-file.ts";

const work = await mkdtemp(join(tmpdir(), "prestage-variables-"));
after(() => rm(work, { recursive: true }));
const refused = (line: string): never => assert.fail(line);

test("what Windows has of prestage-variable says and sets what the program of Linux does, whatever is in a value", async () => {
  const values = ["plain", "", "a \"quoted\" one", "100% %PATH% !x! ^ & | < > ( )", "C:\\folder\\", "a=b=c", "umlaut ä €", "$HOME `id` $(id) 'x'"];
  const said: Record<string, unknown> = {};
  for (const platform of ["linux", "win32"] as const) {
    const file = await openVariablesFile(join(work, platform), [{ name: "Role", value: "kiosk one" }, { name: "Two", value: "x\r\ny" }], undefined, platform);
    const [program, ...first] = platform === "linux" ? [join(file.programs, "prestage-variable")] : [process.execPath, join(file.programs, "prestage-variable.mjs")];
    assert.ok(program);
    const ask = (...words: string[]) => execFileSync(program, [...first, ...words], { env: { PATH: process.env["PATH"], ...file.environment }, encoding: "utf8" });
    for (const [i, value] of values.entries()) ask(`V${i}`, value);
    ask("ROLE", "another");
    said[platform] = [ask("role"), ask("two"), ask("none"), ...values.map((_, i) => ask(`v${i}`)), await file.changed(refused), spawnSync(program, [...first, "a", "b", "c"], { env: { ...process.env, ...file.environment } }).status];
    assert.deepEqual((await file.changed(refused)).map((one) => one.value), ["another", ...values], platform);
    await file.remove();
  }
  assert.deepEqual(said["win32"], said["linux"]);
});

test("cmd.exe hands the words over as they were given, and finds the program before others in the Path it has", async () => {
  const text = variablePrograms("win32", "C:\\100% own\\node.exe")["prestage-variable.cmd"];
  assert.equal(text, '@setlocal DisableDelayedExpansion\r\n@"C:\\100%% own\\node.exe" "%~dp0prestage-variable.mjs" %*\r\n');
  assert.deepEqual(withPrograms({ Path: "C:\\Windows", x: "1" }, "C:\\own"), { Path: "C:\\own;C:\\Windows", x: "1" });
  assert.deepEqual(withPrograms({}, "C:\\own"), { Path: "C:\\own" });
});

test("a line as a batch file's echo writes it is read without its return", async () => {
  const file = await openVariablesFile(join(work, "echo"), [{ name: "Role", value: "a" }], undefined, "win32");
  await appendFile(join(work, "echo/variables"), "Other=of a batch file\r\n");
  assert.deepEqual(await file.changed(refused), [{ name: "Other", value: "of a batch file" }]);
  assert.match(await readFile(join(file.programs, "prestage-variable.mjs"), "utf8"), /"\\n"/);
  await file.remove();
  assert.ok(!(await readdir(work)).includes("echo"));
});
