import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusRecord } from "@prestage/contract";
import { approveWhenShown, waitForSequence } from "../../demo/deploy.ts";
import { freePort, hostFromGuest } from "../../demo/site-process.ts";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 20 * 60_000 };
let fixture: FaultSite;
let staged: StagedDisk;
let deployment: string | undefined;
/** The distribution point in the media's own list; nothing listens there until a test says so. */
let mediaPort: number;
const deadPorts: number[] = [];

before(async () => {
  fixture = await FaultSite.open("distribution-points");
  const nothing = await fixture.addSequence("Nothing", '  - { id: nothing, name: Nothing, type: run-command-line, with: { command: "true" } }\n');
  mediaPort = await freePort();
  deadPorts.push(await freePort());
  staged = await fixture.stage(await fixture.createMedia("media", nothing, ["--distribution-point", `https://${hostFromGuest}:${mediaPort}`]), "staged");
}, limit);

after(() => fixture?.close());

test("where a distribution point is down the next one serves, and a connection cut half-way is gone on with", limit, async (t) => {
  const proxy = await CuttingProxy.start({ target: fixture.site.port, cutConnections: 3, afterBytes: 700_000 });
  t.after(() => proxy.stop());
  await setDistributionPoints([dead(), proxy.url]);
  const data = randomBytes(3_000_000);
  const tools = await fixture.importRandom("package", "Large", data);
  await deployOnly(`  - { id: use, name: Use it, type: run-command-line, with: { package: ${tools.id}, command: ${check(data)} } }\n`, "Large");
  const disk = await fixture.copy(staged, "cut");
  const status = await withMachine(t, fixture, "cut", { disk: disk.path }, async ({ machine, event }) => {
    const device = await approveWhenShown(fixture.site, machine);
    await event("distribution-point-failed", { with: dead() });
    await event("distribution-point-failed", { with: proxy.url });
    return waitForSequence(fixture.site, machine, device.id);
  });
  assert.equal(outcome(status), "succeeded");
  assert.equal(proxy.cut, 3);
  const ranges = await rangesOf(tools.contentId, "content.wim");
  assert.ok(new Set(ranges).size >= 4, `each time from where it was cut: ${ranges.join(", ")}`);
});

test("with all distribution points down it waits, says so on the screen and at the site, fails by the step's rule, and the media's own list is used when it is up", limit, async (t) => {
  await setDistributionPoints([dead()]);
  const [first, second] = [randomBytes(50_000), randomBytes(60_000)];
  const [one, two] = [await fixture.importRandom("package", "One", first), await fixture.importRandom("package", "Two", second)];
  await deployOnly([
    `  - { id: one, name: Use one, type: run-command-line, continueOnError: true, with: { package: ${one.id}, command: ${check(first)} } }`,
    `  - { id: two, name: Use two, type: run-command-line, with: { package: ${two.id}, command: ${check(second)} } }`,
    "",
  ].join("\n"), "One and two");
  const disk = await fixture.copy(staged, "down");
  const status = await withMachine(t, fixture, "down", { disk: disk.path }, async ({ machine, event }) => {
    const device = await approveWhenShown(fixture.site, machine);
    const waiting = await event<{ round: number; rounds: number; seconds: number }>("waiting", { with: '"distribution-point"' });
    assert.equal(waiting.round, 1);
    await event("step", { with: '"id":"one","name":"Use one","type":"run-command-line","number":1,"of":2,"state":"failed"' });
    const own = await CuttingProxy.start({ target: fixture.site.port, port: mediaPort });
    t.after(() => own.stop());
    return waitForSequence(fixture.site, machine, device.id);
  });
  const ended = status.flatMap(({ message }) => (message.kind === "step-finished" ? [[message.step?.id, message.outcome, message.error?.code]] : []));
  assert.deepEqual(ended, [["one", "failed", "PRESTAGE_CONTENT_FETCH_FAILED"], ["two", "succeeded", undefined]]);
  assert.equal(outcome(status), "succeeded");
  const said = status.filter(({ message }) => message.kind === "distribution-point-failed").map(({ message }) => message.text ?? "");
  assert.ok(said.some((text) => text.startsWith(dead())) && said.some((text) => text.includes(`:${mediaPort}`)) && said.some((text) => text.startsWith("All distribution points failed; trying again in")), said.join("\n"));
});

function dead(): string {
  return `https://${hostFromGuest}:${deadPorts[0] ?? 0}`;
}

function check(data: Buffer): string {
  return `'sha256sum data.bin | grep -q ^${createHash("sha256").update(data).digest("hex")}'`;
}

function outcome(status: readonly StatusRecord[]): string | undefined {
  return status.find((record) => record.message.kind === "sequence-finished")?.message.outcome;
}

async function setDistributionPoints(urls: readonly string[]): Promise<void> {
  for (const { url } of await fixture.site.run<{ url: string }[]>(["distribution-point", "list"])) await fixture.site.run(["distribution-point", "remove", url]);
  for (const [index, url] of urls.entries()) await fixture.site.run(["distribution-point", "set", url, "--order", String(index + 1)]);
}

/** The one deployment there is from now on. */
async function deployOnly(steps: string, name: string): Promise<void> {
  if (deployment !== undefined) await fixture.site.run(["deployment", "set", deployment, "--enabled", "no"]);
  deployment = await fixture.deploy(await fixture.addSequence(name, steps), { purpose: "required", makeAvailableTo: "MediaAndPxe" });
}

/** First bytes of the ranges asked for, as the distribution point's own log has them. */
async function rangesOf(contentId: string, file: string): Promise<number[]> {
  const text = await readFile(join(fixture.site.dataDirectory, "logs", "dp-access.ndjson"), "utf8");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as { contentId: string; file: string; range: [number, number] | null })
    .flatMap((record) => (record.contentId === contentId && record.file === file && record.range !== null ? [record.range[0]] : []));
}
