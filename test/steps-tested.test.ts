import assert from "node:assert/strict";
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { stepTypes } from "@prestage/sequence";

const root = join(import.meta.dirname, "..");
interface Row { steps: string; tested: string; level: string }

/** The rows of the table of docs/testing.md that says what was tried of each step. */
function rowsOf(page: string): Row[] {
  const [, section = ""] = page.split("\n## Steps of task sequences\n");
  const [table = ""] = /^\| Step \| Tested \| Level \|\n\|[-|]+\n(?:\|.*\n)+/m.exec(section) ?? [];
  return table.trimEnd().split("\n").slice(2).map((line) => {
    const [steps = "", tested = "", level = ""] = line.split("|").slice(1, -1).map((cell) => cell.trim());
    return { steps, tested, level };
  });
}

/** A type is named by its whole name: apply-os-image is not named by apply-os-images. */
const without = (rows: readonly Row[]) => stepTypes.map(({ type }) => type).filter((type) => !rows.some(({ steps }) => new RegExp(`(?<![a-z-])${type}(?![a-z-])`).test(steps)));
const page = await readFile(join(root, "docs/testing.md"), "utf8");
const rows = rowsOf(page);

test("each step type has a row in docs/testing.md", () => {
  assert.deepEqual(without(rows), []);
  assert.deepEqual(without(rows.filter(({ steps }) => !steps.includes("enable-bitlocker"))), ["enable-bitlocker", "disable-bitlocker"], "one that is taken out is missed");
});

test("each row says what was tried and at which level, and the tests it names are there", async () => {
  for (const { steps, tested, level } of rows) {
    assert.ok(tested !== "", steps);
    assert.match(level, /\b(QEMU|HTTP|unit|structural|Wine|real servers)\b/, steps);
    for (const [, file = ""] of tested.matchAll(/`(test\/[a-z/-]+)`/g)) await access(join(root, `${file}.test.ts`));
  }
});
