import assert from "node:assert/strict";
import { test } from "node:test";
import { nameFault, unsafeNames, type WimEntry, type WimImage } from "./index.ts";

function imageOf(names: readonly string[], below: readonly string[] = []): WimImage {
  const entry = (name: string, children: readonly string[]): WimEntry => ({
    name, shortName: "", attributes: 0x10, isDirectory: true, securityIndex: -1, created: 0n, accessed: 0n, written: 0n, hardLinkGroup: 0n, reparseTag: undefined,
    reparseSha1: undefined, sha1: undefined, streams: [], unix: undefined, taggedItems: new Uint8Array(0), raw: new Uint8Array(0), children: children.map((child) => entry(child, [])),
  });
  const root = entry("", names);
  return { root: { ...root, children: root.children.map((child) => (child.name === "d" ? entry("d", below) : child)) }, securityDescriptors: [] };
}

test("names that leave their folder are unsafe everywhere", () => {
  for (const target of ["linux", "windows"] as const) {
    assert.deepEqual(["", ".", "..", "a/b", "a\0b"].map((name) => nameFault(name, target)), ["empty", "dot", "dot", "separator", "nul"]);
    assert.deepEqual(["a", "a b", ".hidden", "...x", "日本"].map((name) => nameFault(name, target)), [undefined, undefined, undefined, undefined, undefined]);
  }
});

test("Windows refuses more", () => {
  const names = ["a\\b", "a:b", "a?", "con", "CON.txt", "COM1", "lpt9.log", "a.", "a ", "\u0007", "nul .txt", "console", "com10"];
  assert.deepEqual(names.map((name) => nameFault(name, "linux")), names.map(() => undefined));
  assert.deepEqual(names.map((name) => nameFault(name, "windows")), [
    "separator", "reserved-character", "reserved-character", "device-name", "device-name", "device-name", "device-name", "trailing-dot-or-space", "trailing-dot-or-space", "reserved-character", "device-name", undefined, undefined,
  ]);
});

test("Linux refuses what has no UTF-8, and what is too long", () => {
  assert.equal(nameFault("a\ud800", "linux"), "unpaired-surrogate");
  assert.equal(nameFault("a\ud800", "windows"), undefined);
  assert.equal(nameFault("é".repeat(128), "linux"), "too-long");
  assert.equal(nameFault("é".repeat(127), "linux"), undefined);
  assert.equal(nameFault("é".repeat(255), "windows"), undefined);
});

test("doubles and case twins are found at every level", () => {
  const image = imageOf(["d", "x", "x", "X"], ["é", "É", ".."]);
  assert.deepEqual(unsafeNames(image, "linux").sort(byPath), [{ path: "d/..", reason: "dot" }, { path: "x", reason: "duplicate" }]);
  assert.deepEqual(unsafeNames(image, "windows").sort(byPath), [
    { path: "X", reason: "case-twin" }, { path: "d/..", reason: "dot" }, { path: "d/É", reason: "case-twin" }, { path: "x", reason: "duplicate" },
  ]);
});

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : 1;
}
