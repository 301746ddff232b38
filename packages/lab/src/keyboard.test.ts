import assert from "node:assert/strict";
import { test } from "node:test";
import { keysFor } from "./keyboard.ts";

test("every printable ASCII character has its keys, and no two the same", () => {
  const all = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i));
  assert.equal(new Set(all.map((character) => keysFor(character).join("+"))).size, 95);
  assert.deepEqual([keysFor("a"), keysFor("A"), keysFor("?"), keysFor("\n")], [["a"], ["shift", "a"], ["shift", "slash"], ["ret"]]);
});

test("a character without a key is refused by its number, not by itself: it may be of a password", () => {
  assert.throws(() => keysFor("é"), (error: Error) => "code" in error && error.code === "PRESTAGE_LAB_KEY_UNKNOWN" && !error.message.includes("é") && error.message.includes("U+00E9"));
});
