import assert from "node:assert/strict";
import { test } from "node:test";
import { wholeNumber } from "./command.ts";
import { detectionRules, objectId } from "./commands/import.ts";
import { parseSize } from "./commands/stage.ts";
import { variables } from "./commands/variables.ts";
import { bytes, table } from "./output.ts";

const bad = { code: "PRESTAGE_CLI_BAD_ARGUMENT" };

test("ids are accepted in braces and in small letters", () => {
  assert.deepEqual(["ABC00001", "{abc00001}", "{ABC00001"].map(objectId), ["ABC00001", "ABC00001", "{ABC00001"]);
});

test("sizes are powers of 1,024", () => {
  assert.deepEqual(["512", "512M", "16G", "1t"].map(parseSize), [512, 536_870_912, 17_179_869_184, 2 ** 40]);
  for (const text of ["", "G", "-1G", "1.5G", "16GB", "1e3", "9999999G"]) assert.throws(() => parseSize(text), bad, text);
});

test("variables are NAME=VALUE, the value whatever it is", () => {
  assert.deepEqual(variables(["A=1", "B=x=y", "C=", "D=two\nlines"]), [{ name: "A", value: "1" }, { name: "B", value: "x=y" }, { name: "C", value: "" }, { name: "D", value: "two\nlines" }]);
  assert.deepEqual(variables(undefined), []);
  for (const text of ["A", "=x", "1A=x", "A B=x", ""]) assert.throws(() => variables([text]), bad, text);
});

test("detection rules come from their flags; without any there is an error", () => {
  assert.deepEqual(detectionRules({ detectPackage: ["hello", "tool=1.0=2"], detectFile: ["/opt/x", `/opt/y=${"a".repeat(64)}`], detectCommand: ["test -e a=b"] }), [
    { type: "debian-package", package: "hello" }, { type: "debian-package", package: "tool", version: "1.0=2" }, { type: "file", path: "/opt/x" }, { type: "file", path: "/opt/y", sha256: "a".repeat(64) }, { type: "command", command: "test -e a=b" },
  ]);
  assert.throws(() => detectionRules({}), bad);
});

test("numbers are whole", () => {
  assert.equal(wholeNumber("42"), 42);
  for (const text of ["", "1.5", "-1", "0x10", "1e3", " 1", "NaN", "9".repeat(20)]) assert.throws(() => wholeNumber(text), SyntaxError, text);
});

test("tables are as wide as their cells, sizes in powers of 1,000", () => {
  assert.equal(table(["A", "LONG"], [["1", "2"], ["333", "4"]]), "A    LONG\n1    2\n333  4");
  assert.equal(table(["A"], []), "A\n(none)");
  assert.deepEqual([0, 999, 1000, 1_234_567, 9_876_543_210].map(bytes), ["0 B", "999 B", "1.0 kB", "1.2 MB", "9.88 GB"]);
});
