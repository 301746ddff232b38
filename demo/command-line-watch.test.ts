import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { CommandLineWatch } from "./command-line-watch.ts";

test("a secret on any process's command line is found, and one in its environment or input is not", async () => {
  const secret = { name: "the secret", bytes: Buffer.from("correct-horse-battery") };
  const watch = CommandLineWatch.start([secret]);
  const good = spawn("cat", [], { env: { ...process.env, SECRET: "correct-horse-battery" } });
  good.stdin.write("correct-horse-battery");
  await once(good.stdout, "data");
  watch.sample();
  const bad = spawn("cat", ["--", "-", "/nonexistent/correct-horse-battery"]);
  bad.stdin.write("x");
  await once(bad.stdout, "data");
  const found = watch.stop();
  good.kill();
  bad.kill();
  assert.deepEqual(found.map((one) => [one.secret, one.where]), [["the secret", "the command line of cat"]]);
  assert.ok(watch.processes > 1);
});
