import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { compareVersions } from "./facts.ts";

test("versions are ordered as dpkg orders them", () => {
  const version = fc.stringMatching(/^[0-9][0-9a-z.+~]{0,8}$/);
  const dpkg = (a: string, operator: string, b: string) => {
    try {
      execFileSync("dpkg", ["--compare-versions", a, operator, b], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  const check = (a: string, b: string) => assert.equal(compareVersions(a, b), dpkg(a, "lt", b) ? -1 : dpkg(a, "eq", b) ? 0 : 1, `${a} and ${b}`);
  for (const [a, b] of [["1.7", "1.7~rc1"], ["1:1.0", "2.0"], ["10.0.26100.4349", "10.0.9"], ["1.0", "1.0.0"], ["1.01", "1.1"], ["1.0+b", "1.0a"], ["12", "12.5"], ["007", "7"]] as const) check(a, b);
  fc.assert(fc.property(version, version, (a, b) => check(a, b)), { numRuns: 150 });
});
