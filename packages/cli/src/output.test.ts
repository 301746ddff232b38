import assert from "node:assert/strict";
import { test } from "node:test";
import { counted } from "./output.ts";

test("one is counted in the singular, everything else in the plural", () => {
  assert.deepEqual([0, 1, 2].map((count) => counted(count, "piece of content", "pieces of content")), ["0 pieces of content", "1 piece of content", "2 pieces of content"]);
  assert.deepEqual([1, 3].map((count) => counted(count, "file")), ["1 file", "3 files"]);
});
