import assert from "node:assert/strict";
import { test } from "node:test";
import { isNewer } from "./verify-volume.ts";

test("versions are compared number by number", () => {
  assert.ok(isNewer("0.2.0", "0.1.9"));
  assert.ok(isNewer("0.10.0", "0.9.9"));
  assert.ok(isNewer("1.0", "0.99.99"));
  assert.ok(!isNewer("0.1.0", "0.1.0"));
  assert.ok(!isNewer("0.0.9", "0.1.0"));
});
