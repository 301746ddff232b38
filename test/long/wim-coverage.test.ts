import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
/** Percent of the lines of every file of the reader. */
const least = 90;
/** What is no reader: writing (range-thread copies, in a thread that coverage does not see), other programs, the fuzzer. */
const others = /\/(?:fixtures|fuzz)\/|\.test\.ts$|(?:build|write|export|split|output|set-properties|wimlib-program|folder-sources|xml-edit|range-clone|range-thread)[\w-]*\.ts$/;

test(`the WIM reader's own tests run at least ${least} % of the lines of each of its files`, { timeout: 1_200_000 }, async (t) => {
  const files = (await run("git", ["ls-files", "packages/wim/src"], { cwd: root })).stdout.split("\n").filter((path) => path.endsWith(".test.ts"));
  const { stdout } = await run(process.execPath, ["--test", "--test-reporter=lcov", "--experimental-test-coverage", "--test-coverage-include=packages/wim/src/**", ...files], { cwd: root, maxBuffer: 2 ** 28, env: { ...process.env, NODE_TEST_CONTEXT: undefined } });
  const measured = [...stdout.matchAll(/^SF:(.+)\n([\s\S]*?)^end_of_record/gm)].flatMap(([, path = "", record = ""]) => {
    const number = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(record)?.[1] ?? "0");
    return others.test(path) ? [] : [{ path, lines: number("LF"), hit: number("LH") }];
  });
  assert.ok(measured.length > 25, `${measured.length} files`);
  const below = measured.filter(({ lines, hit }) => hit < (lines * least) / 100);
  const [lines, hit] = [measured.reduce((sum, one) => sum + one.lines, 0), measured.reduce((sum, one) => sum + one.hit, 0)];
  t.diagnostic(`${((100 * hit) / lines).toFixed(1)} % of ${lines} lines in ${measured.length} files`);
  assert.deepEqual(below.map((one) => `${one.path} ${((100 * one.hit) / one.lines).toFixed(1)} %`), []);
});
