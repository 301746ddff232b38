import assert from "node:assert/strict";
import { copyFile, mkdir, open, readFile, rename, rm, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import type { DistributionPoint, DistributionStatus } from "@prestage/contract";
import { sql } from "kysely";
import { cliSite } from "../packages/cli/src/fixtures/cli-site.ts";
import { cli } from "../packages/cli/src/fixtures/run-cli.ts";
import { noise } from "../packages/content/src/fixtures/write-tree.ts";
import { distributionPointsFor } from "../packages/site/src/management-point/make-policy.ts";
import { validateIfDue } from "../packages/site/src/jobs/content-schedule.ts";
import { freePort } from "../demo/site-process.ts";
import { Nginx } from "./support/nginx.ts";

const { data, folder, at, tree, site } = await cliSite({ patches: false, validateContentEvery: "7d" });
const www = join(folder, "www");
interface Tool { id: string; contentId: string; confidential: boolean }
interface Redistributed { published: string[]; removed: string[]; failed: string[]; bytes: number }
const importTool = async (name: string, files: Record<string, string | Buffer>, ...more: string[]) => at<Tool>("application", "import", await tree(`${name}-${Math.random()}`, files), "--name", name, "--install", "true", "--detect-file", "/x", ...more);
const validate = async (...more: string[]) => {
  const result = await cli(["distribution-point", "validate", ...more, "--data", data, "--json"]);
  return { exitCode: result.exitCode, found: statuses(result.stdout) };
};
/** The first of two JSON texts on stdout where the command failed. */
function statuses(stdout: string): DistributionStatus[] {
  const [first = ""] = /^\[[\s\S]*?^\]|^\[.*\]/m.exec(stdout) ?? [];
  return JSON.parse(first) as DistributionStatus[];
}
const stateOf = (found: readonly DistributionStatus[], tool: Tool) => found.find((one) => one.contentId === tool.contentId)?.state;
const served = (tool: Tool, file: string) => join(www, "content", tool.contentId, file);

let nginx: Nginx;
let large: Tool;
let small: Tool;
before(async () => {
  large = await importTool("large", { "large.bin": noise(3_000_000, 1) });
  small = await importTool("small", { "small.txt": "small" });
  await mkdir(www);
});
async function start(): Promise<Nginx> {
  for (const { url } of await at<DistributionPoint[]>("distribution-point", "list")) await at("distribution-point", "remove", url);
  await at("content", "publish", www);
  return Nginx.start(www);
}

test("distribution points have an order, which devices keep to, and a place they are published to", async () => {
  nginx = await start();
  for (const [order, url] of ["https://a.example.com", "https://b.example.com"].entries()) await at("distribution-point", "set", url, "--order", String(order + 1));
  await at("distribution-point", "set", nginx.url, "--order", "3", "--target", www);
  const ordered = await at<DistributionPoint[]>("distribution-point", "order", nginx.url, "https://b.example.com");
  assert.deepEqual(ordered.map((point) => [point.order, point.url]), [[1, nginx.url], [2, "https://b.example.com"], [3, "https://a.example.com"]]);
  assert.deepEqual(ordered[0]?.target, { kind: "folder", path: www });
  await at("distribution-point", "set", nginx.url, "--order", "1");
  assert.deepEqual((await at<DistributionPoint[]>("distribution-point", "list"))[0]?.target, { kind: "folder", path: www }, "another place in the order leaves the rest");
  const unknown = await cli(["distribution-point", "order", "https://c.example.com", "--data", data, "--json"]);
  assert.equal((unknown.json as { error: { code: string } }).error.code, "PRESTAGE_SITE_NOT_FOUND");
  for (const url of ["https://a.example.com", "https://b.example.com"]) await at("distribution-point", "remove", url);
  const { exitCode, found } = await validate();
  assert.deepEqual([exitCode, new Set(found.map(({ state }) => state))], [0, new Set(["whole"])]);
  await nginx.kill();
});

test("what is missing or damaged where it is served is found, named, and published again", async () => {
  nginx = await start();
  await at("distribution-point", "set", nginx.url, "--target", www);
  const { published: none } = await at<Redistributed>("distribution-point", "redistribute", nginx.url);
  assert.deepEqual(none, []);
  // A copy of its own: the published files are the library's, by hard links.
  await copyFile(served(large, "content.wim"), `${served(large, "content.wim")}.copy`);
  await rename(`${served(large, "content.wim")}.copy`, served(large, "content.wim"));
  const { size } = await stat(served(large, "content.wim"));
  await overwrite(served(large, "content.wim"), 300_000);
  await rm(served(small, "index.json.zst"));
  const sampled = await validate(nginx.url);
  assert.deepEqual([sampled.exitCode, stateOf(sampled.found, small)], [1, "missing"]);
  assert.deepEqual(sampled.found.find((one) => one.contentId === small.contentId)?.faults, ["index.json.zst is not there"]);
  const full = await validate(nginx.url, "--full");
  assert.deepEqual([full.exitCode, stateOf(full.found, large)], [1, "damaged"]);
  assert.match(full.found.find((one) => one.contentId === large.contentId)?.faults[0] ?? "", /^content\.wim differs at byte 300000$/);
  assert.equal(stateOf((await validate(nginx.url)).found, large), "damaged", "samples do not make good what every byte was read for");
  const done = await at<Redistributed>("distribution-point", "redistribute", nginx.url);
  assert.deepEqual([new Set(done.published), done.failed], [new Set([small.contentId, large.contentId]), []]);
  assert.ok(done.bytes >= size);
  assert.equal((await validate(nginx.url, "--full")).exitCode, 0);
  const shown = await cli(["distribution-point", "status", nginx.url, "--data", data]);
  assert.match(shown.stdout, new RegExp(`${large.contentId.slice(0, 16)} +large +whole +\\S+, every byte`));
  await truncate(served(small, "chunks.bin"), 0).then(() => rm(served(small, "storage.json")));
  assert.equal(stateOf((await validate(nginx.url)).found, small), "missing");
  await at("distribution-point", "redistribute", nginx.url);
  await nginx.kill();
});

test("what is damaged in the library is not published, and a distribution point that does not answer is told", async () => {
  nginx = await start();
  await at("distribution-point", "set", nginx.url, "--target", www);
  const own = join(data, "content", small.contentId, "index.json");
  const right = await readFile(own);
  // Published by a hard link: the damage is in both.
  await overwrite(own, 3);
  assert.equal(stateOf((await validate(nginx.url)).found, small), "whole", "the two are the same");
  await rm(served(small, "chunks.bin"));
  const refused = await cli(["distribution-point", "redistribute", nginx.url, "--data", data]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stdout, /the library's own index\.json is damaged/);
  const file = await open(own, "r+");
  await file.write(right, 0, right.length, 0);
  await file.close();
  await at("distribution-point", "redistribute", nginx.url);
  const dead = `http://127.0.0.1:${await freePort()}`;
  await at("distribution-point", "set", dead, "--order", "9");
  const { exitCode, found } = await validate(dead);
  assert.deepEqual([exitCode, new Set(found.map(({ state }) => state))], [1, new Set(["unreachable"])]);
  const noTarget = await cli(["distribution-point", "redistribute", dead, "--data", data, "--json"]);
  assert.equal((noTarget.json as { error: { code: string } }).error.code, "PRESTAGE_SITE_CONFLICT");
  await at("distribution-point", "remove", dead);
  assert.deepEqual(await at("distribution-point", "status", dead), []);
  await nginx.kill();
});

test("a distribution point without ranges, and the site's own, are validated too", async () => {
  await at("content", "publish", www);
  const plain = await Nginx.start(www, { directives: "max_ranges 0;" });
  await at("distribution-point", "set", plain.url, "--order", "4");
  await at("distribution-point", "set", site.url, "--order", "5");
  for (const url of [plain.url, site.url]) assert.deepEqual([(await validate(url)).exitCode, (await validate(url, "--full")).exitCode], [0, 0], url);
  await at("distribution-point", "remove", plain.url);
  await at("distribution-point", "remove", site.url);
  await plain.kill();
});

test("confidential content is published nowhere but by the site, which devices are then sent to as well", async () => {
  nginx = await start();
  await at("distribution-point", "set", nginx.url, "--target", www);
  const secret = await importTool("confidential", { "key.txt": "for the site alone" }, "--confidential");
  assert.equal(secret.confidential, true);
  await at("content", "publish", www);
  assert.equal(await stat(served(secret, "storage.json")).catch(() => undefined), undefined);
  assert.equal((await at<Tool>("application", "set", small.id, "--confidential", "yes")).confidential, true);
  const { exitCode, found } = await validate(nginx.url);
  assert.deepEqual([exitCode, stateOf(found, small), stateOf(found, secret)], [1, "damaged", undefined]);
  assert.match(found.find((one) => one.contentId === small.contentId)?.faults[0] ?? "", /is confidential and must not be here/);
  assert.deepEqual((await at<Redistributed>("distribution-point", "redistribute", nginx.url)).removed, [small.contentId]);
  assert.equal(await stat(served(small, "content.wim")).catch(() => undefined), undefined);
  assert.deepEqual(await distributionPointsFor(site.context, [{ objectId: large.id }]), [nginx.url]);
  assert.deepEqual(await distributionPointsFor(site.context, [{ objectId: large.id }, { objectId: secret.id }]), [nginx.url, ...site.context.publicUrls()]);
  await at("application", "set", small.id, "--confidential", "no");
  await at("content", "publish", www);
  await at("application", "set", small.id, "--confidential", "yes");
  assert.deepEqual((await at<{ removed: string[] }>("content", "publish", www)).removed, [small.contentId], "what became confidential goes without --prune");
  await nginx.kill();
});

test("validation comes by itself where the configuration asks for it, and not before it is due", async () => {
  const jobs = () => site.context.db.selectFrom("job").select("kind").where("kind", "in", ["validate", "validate-distribution-points"]).execute().then((rows) => rows.map(({ kind }) => kind));
  assert.deepEqual((await jobs()).filter((kind) => kind === "validate"), ["validate"], "at the first start");
  const { rows } = await sql<{ name: string; cron: string }>`SELECT name, cron FROM jobs.schedule`.execute(site.context.db);
  assert.deepEqual(rows.filter(({ name }) => name === "content-schedule"), [{ name: "content-schedule", cron: "17 * * * *" }]);
  const inDays = (days: number) => ({ ...site.context, now: () => new Date(Date.now() + days * 86_400_000) });
  assert.equal(await validateIfDue(inDays(6)), false);
  const before_ = (await jobs()).length;
  assert.equal(await validateIfDue(inDays(8)), true);
  assert.equal((await jobs()).length, before_ + 2);
  assert.equal(await validateIfDue({ ...site.context, configuration: { ...site.context.configuration, validateContentEvery: undefined } }), false);
});

async function overwrite(path: string, offset: number): Promise<void> {
  const file = await open(path, "r+");
  await file.write(Buffer.from("altered"), 0, 7, offset);
  await file.close();
}
