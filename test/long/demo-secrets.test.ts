import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import type { DemoReport } from "../../demo/report.ts";
import { searchPath } from "../../demo/secret-search.ts";

const run = promisify(execFile);

/** Two machine starts: a deployment let in by the media password, typed on the machine's keyboard, with a step that needs a secret; and its proof. */
test("with a password and a secret the demonstration uses both, and neither is anywhere in media, disk, logs or command lines", { timeout: 40 * 60_000 }, async (t) => {
  const work = await mkdtemp(join(tmpdir(), "prestage-demo-secrets-"));
  const output = join(work, "out");
  const [password, secret] = [`Pass word_${randomBytes(6).toString("hex")}!`, randomBytes(15).toString("base64url")];
  const environment = { ...process.env, PRESTAGE_DEMO_PASSWORD: password, PRESTAGE_DEMO_SECRET: secret };
  const demo = await run(process.execPath, ["demo/main.ts", "--output", output], { maxBuffer: 1 << 26, cwd: new URL("../..", import.meta.url), env: environment }).catch((cause: unknown) => {
    t.diagnostic(`logs are kept in ${output}/logs`);
    throw cause;
  });
  const report = JSON.parse(await readFile(join(output, "report.json"), "utf8")) as DemoReport;
  assert.equal(report.outcome, "succeeded", demo.stdout.slice(-4000));
  const evidence = new Map(report.evidence.map((one) => [one.what, one]));
  assert.equal(evidence.get("secret: the step had it")?.good, true);
  assert.deepEqual([evidence.get("secrets: found nowhere")?.good, evidence.get("secrets: found nowhere")?.output], [true, "none"]);
  assert.match(demo.stdout, /Let in by the media password, typed on the machine's keyboard/);
  // What the demonstration itself prints and reports is searched here: it is not for it to search.
  assert.deepEqual(await searchPath([{ name: "the password", bytes: Buffer.from(password) }, { name: "the secret", bytes: Buffer.from(secret) }], join(output, "report.json")), []);
  assert.ok(!`${demo.stdout}${demo.stderr}`.includes(password) && !`${demo.stdout}${demo.stderr}`.includes(secret));
  await rm(work, { recursive: true, force: true });
});
