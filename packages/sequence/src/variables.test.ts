import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkSettable, evaluateCondition, expandSettings, expandVariables, makeVariables, variableSources, variableValue } from "./index.ts";
import type { Condition } from "./index.ts";

test("collection < device < media < prestart < task sequence, in whatever order they come", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...variableSources], { minLength: 1 }), (sources) => {
      const variables = makeVariables(sources.map((source, i) => ({ name: i % 2 === 0 ? "Name" : "NAME", value: source, source })));
      assert.equal(variableValue(variables, "nAmE"), variableSources.findLast((source) => sources.includes(source)));
    }),
  );
});

test("an empty value deletes", () => {
  assert.equal(variableValue(makeVariables([{ name: "A", value: "1", source: "device" }, { name: "a", value: "", source: "media" }]), "A"), undefined);
});

test("%NAME% is replaced once; what names no variable stays", () => {
  const variables = makeVariables([{ name: "A", value: "%B%", source: "device" }, { name: "B", value: "b", source: "device" }]);
  assert.equal(expandVariables("date +%Y%m%d %a%-%B% %C%", variables), "date +%Y%m%d %B%-b %C%");
  assert.deepEqual(expandSettings({ x: ["%B%", 1, { y: "%B%" }], z: null }, variables), { x: ["b", 1, { y: "b" }], z: null });
});

test("an expansion cannot grow without bound", () => {
  const variables = makeVariables([{ name: "A", value: "a".repeat(4000), source: "device" }]);
  assert.throws(() => expandVariables("%A%".repeat(1000), variables), { code: "PRESTAGE_SEQUENCE_VARIABLE_REFUSED" });
});

test("read-only names, malformed names and values over 4,000 characters are refused", () => {
  checkSettable("OSDComputerName", "a".repeat(4000));
  for (const [name, value] of [["_SMSTSInWinPE", "x"], ["1a", "x"], ["a b", "x"], ["", "x"], ["a", "x".repeat(4001)]] as const) {
    assert.throws(() => checkSettable(name, value), { code: "PRESTAGE_SEQUENCE_VARIABLE_REFUSED" });
  }
});

test("conditions", () => {
  const variables = makeVariables([{ name: "Media", value: "OEMMedia", source: "device" }, { name: "Memory", value: "900", source: "device" }, { name: "Model", value: "OptiPlex 7090", source: "device" }]);
  const cases: [Condition, boolean][] = [
    [{ variable: "media", equals: "oemmedia" }, true],
    [{ variable: "Media", notEquals: "OEMMedia" }, false],
    [{ variable: "None", notEquals: "x" }, true],
    [{ variable: "None", equals: "x" }, false],
    [{ variable: "None", less: 5 }, false],
    [{ variable: "Memory", less: 1000 }, true],
    [{ variable: "Memory", greaterOrEqual: "900" }, true],
    [{ variable: "Memory", greater: 900 }, false],
    [{ variable: "Model", like: "optiplex 70?0" }, true],
    [{ variable: "Model", like: "*x*9*" }, true],
    [{ variable: "Model", notLike: "Latitude*" }, true],
    [{ variable: "Media", exists: true }, true],
    [{ variable: "Media", notExists: true }, false],
    [{ all: [{ variable: "Media", exists: true }, { any: [{ variable: "x", exists: true }, { variable: "Memory", equals: 900 }] }] }, true],
    [{ none: [{ variable: "x", exists: true }, { variable: "Media", exists: true }] }, false],
  ];
  for (const [condition, holds] of cases) assert.equal(evaluateCondition(condition, variables).holds, holds, JSON.stringify(condition));
  assert.match(evaluateCondition({ variable: "Media", notEquals: "OEMMedia" }, variables).why, /Media is "OEMMedia"/);
});

test("numbers are compared to the last digit, however many they have", () => {
  const long = "9".repeat(400);
  const variables = makeVariables([{ name: "Serial", value: "12345678901234567890", source: "device" }, { name: "Long", value: long, source: "device" }]);
  const holds = (condition: Condition) => evaluateCondition(condition, variables).holds;
  assert.equal(holds({ variable: "Serial", equals: "12345678901234567891" }), false);
  assert.equal(holds({ variable: "Serial", less: "12345678901234567890.5" }), true);
  assert.equal(holds({ variable: "Serial", equals: "+012345678901234567890.00" }), true);
  assert.equal(holds({ variable: "Serial", greater: "-1.5" }), true);
  assert.equal(holds({ variable: "Long", equals: long }), true);
});

test("`like` agrees with a regular expression", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 12 });
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 }), (pattern, text) => {
      fc.pre(text !== "");
      const expected = new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(text);
      assert.equal(evaluateCondition({ variable: "V", like: pattern }, makeVariables([{ name: "V", value: text, source: "device" }])).holds, expected);
    }),
  );
});
