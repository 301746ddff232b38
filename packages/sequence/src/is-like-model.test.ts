import assert from "node:assert/strict";
import { test } from "node:test";
import { isLikeModel } from "./conditions.ts";

test("a model fits without case, * for any text; a question mark and what expressions are made of stand for themselves", () => {
  for (const [model, pattern] of [["OptiPlex 7090", "optiplex*"], ["Standard PC (Q35 + ICH9, 2009)", "standard pc (*)"], ["What?", "what?"], ["Is? it", "*? it"], ["a\nb", "a*b"], ["", "*"], ["", ""], ["a.b", "A.B"]] as const) assert.equal(isLikeModel(model, pattern), true, pattern);
  for (const [model, pattern] of [["OptiPlex 7090", "optiplex 70?0"], ["OptiPlex 7090", "7090"], ["axb", "a.b"], ["What", "what?"], ["ab", "a**b?"]] as const) assert.equal(isLikeModel(model, pattern), false, pattern);
});

test("a pattern made to be slow is answered at once", () => {
  const before = process.cpuUsage();
  assert.equal(isLikeModel("a".repeat(2000), `${"*a".repeat(60)}*b`), false);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 2_000_000, `${user + system} microseconds`);
});
