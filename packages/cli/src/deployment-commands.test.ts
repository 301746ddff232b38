import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { Alert, Deployment, SiteSettings } from "@prestage/contract";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const { folder, data, site, at } = await cliSite();
const code = async (...args: string[]) => ((await cli([...args, "--data", data, "--json"])).json as { error?: { code: string } }).error?.code;
const file = join(folder, "system.yaml");
await writeFile(file, "name: System\nmaximumRunMinutes: 45\nsteps:\n  - { name: Disk, type: partition-disk, with: { disk: /dev/sdb } }\n");
const sequence = (await at<{ id: string }>("sequence", "add", file)).id;
const collections = await at<{ id: string; builtIn: string | null }[]>("collection", "list");
const [all, unknown] = ["all-systems", "all-unknown-computers"].map((builtIn) => collections.find((one) => one.builtIn === builtIn)?.id ?? "") as [string, string];
const create = (...args: string[]) => ["deployment", "create", "--task-sequence", sequence, "--purpose", "required", ...args];

test("what guards a required deployment of an operating system is set for the site, and said at the command", async () => {
  assert.equal(await code(...create("--collection", all)), "PRESTAGE_SITE_HIGH_RISK_TARGET");
  const devices = await Promise.all(["1", "2"].map(async (number) => (await at<{ id: string }>("device", "add", "--name", `PC-${number}`, "--serial-number", `S${number}`)).id));
  const { id: two } = await at<{ id: string }>("collection", "create", "--name", "Two", ...devices.flatMap((id) => ["--member", id]));
  assert.equal((await at<SiteSettings>("site", "set", "--default-size", "1", "--site-systems", "warning", "--site-computer", "S2")).collectionDefaultSize, 1);
  assert.equal(await code(...create("--collection", two)), "PRESTAGE_SITE_COLLECTION_LARGE");
  assert.equal(await code(...create("--collection", two, "--large-collection")), "PRESTAGE_SITE_SYSTEM_TARGETED");
  assert.equal((await at<Deployment>(...create("--collection", two, "--large-collection", "--site-systems"))).highRisk, true);
  assert.equal(await code("site", "set", "--maximum-size", "1"), "PRESTAGE_SITE_REQUEST_INVALID");
  assert.deepEqual((await at<SiteSettings>("site", "set", "--no-site-computers", "--default-size", "100", "--site-systems", "error")).siteComputers, []);
  assert.match((await cli(["site", "show", "--data", data])).stdout, /Default size of collections +100\n/);
  assert.equal((await at<{ action: string }[]>("audit", "list")).filter((one) => one.action === "deployment-warning-accepted").length, 2);
});

test("a deployment's settings are made, changed, taken off and shown", async () => {
  const made = await at<Deployment>(...create("--collection", unknown, "--assignment", "2026-12-01T20:00:00Z", "--assignment", "2027-01-01T20:00:00Z every 2 weeks", "--rerun", "if-failed", "--headline", "Anew", "--text", "One", "--text", "Two", "--text", "Three", "--alert-success", "90 by 2027-02-01T00:00:00Z", "--alert-failure", "5"));
  assert.deepEqual([made.assignments.length, made.rerun, made.highImpact?.texts, made.alerts.failureAbove], [2, "if-failed", ["One", "Two", "Three"], 5]);
  const shown = (await cli(["deployment", "show", made.id, "--data", data])).stdout;
  for (const line of [/required, high risk/, /Assignments +2026-12-01T20:00:00Z, 2027-01-01T20:00:00Z every 2 weeks/, /Run again +if-failed/, /Headline +Anew/, /fewer than 90 % succeeded by 2027-02-01/, /more than 5 % failed/, /0 of 0 succeeded/]) assert.match(shown, line);
  const changed = await at<Deployment>("deployment", "set", made.id, "--assignment", "now", "--headline", "none", "--alert-success", "none", "--alert-failure", "none", "--rerun", "always");
  assert.deepEqual([changed.assignments, changed.rerun, changed.highImpact, changed.alerts], [[], "always", null, { successBelow: null, failureAbove: null }]);
  assert.equal(await code("deployment", "set", made.id, "--assignment", "whenever"), "PRESTAGE_CLI_BAD_ARGUMENT");
  assert.equal(await code(...create("--collection", unknown, "--debug")), "PRESTAGE_SITE_DEBUG_DEPLOYMENT");
});

test("runs and alerts are listed, what takes too long is marked, and an alert is closed", async () => {
  const { id: device } = await at<{ id: string }>("device", "add", "--name", "PC-RUNS", "--serial-number", "RUNS");
  const { id } = await at<Deployment>(...create("--device", device, "--alert-failure", "10"));
  const { db } = site.context;
  await db.insertInto("run").values([{ device_id: device, number: 1, deployment_id: id, started: new Date(Date.now() - 9_000_000), finished: new Date(), outcome: "failed" }]).execute();
  const [alert] = await at<Alert[]>("alert", "list");
  assert.deepEqual([alert?.deploymentId, alert?.percent], [id, 100]);
  assert.match((await cli(["alert", "list", "--data", data])).stdout, /System \(\w+\) +100 % failed, more than 10 %/);
  assert.notEqual((await at<Alert>("alert", "close", alert?.id ?? "")).closed, null);
  assert.match((await cli(["alert", "list", "--data", data])).stdout, /\(none\)/);
  await db.insertInto("run").values([{ device_id: device, number: 2, deployment_id: id, started: new Date(Date.now() - 50 * 60_000), maximum_minutes: 45 }]).execute();
  const runs = (await cli(["deployment", "runs", id, "--data", data])).stdout.split("\n");
  assert.match(runs[1] ?? "", /^PC-RUNS .* overdue: longer than 45 minutes$/);
  assert.match(runs[2] ?? "", /^PC-RUNS .* failed$/);
  assert.match((await cli(["status", "list", "--data", data])).stdout, /overdue: PC-RUNS runs/);
});
