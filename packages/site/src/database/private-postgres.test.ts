import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import { restartDelayMs, SupervisedServer } from "./supervised-server.ts";
import type { ServerEvent } from "./supervised-server.ts";

const run = promisify(execFile);
const folder = await dataDirectory();
const site = await startSite(folder);
const postmaster = async () => Number((await readFile(join(folder, "data/postgres/data/postmaster.pid"), "utf8")).split("\n")[0]);
const logged = async (words: string) => (await readFile(join(folder, "data/logs/site.log"), "utf8")).split("\n").filter((line) => line.includes(words)).length;
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Asks until the site answers as it should; every answer meanwhile. */
async function askUntil(status: number): Promise<Set<string>> {
  const answers = new Set<string>();
  for (;;) {
    const answer = await site.admin("/devices");
    answers.add(answer.status === 200 ? "200" : `${answer.status} ${answer.json["code"] as string}`);
    if (answer.status === status) return answers;
  }
}

test("PostgreSQL killed under a running site: 503 with its code meanwhile, then it runs again, and so do feed and jobs", { timeout: 60_000 }, async () => {
  for (const round of [1, 2]) {
    const killed = await postmaster();
    process.kill(killed, "SIGKILL");
    const answers = [...(await askUntil(503)), ...(await askUntil(200))];
    assert.deepEqual([...new Set(answers)].toSorted(), ["200", "503 PRESTAGE_SITE_DATABASE"]);
    assert.notEqual(await postmaster(), killed);
    assert.ok((await logged("PostgreSQL ended; it is started again")) >= round);
  }
  const told = Promise.withResolvers<string>();
  const stopListening = site.context.feed.subscribe(told.resolve);
  // The feed finds its way back a little later than the pool: a change is made until one is heard.
  let heard: string | undefined;
  void told.promise.then((id) => (heard = id));
  const { id } = await site.must("/devices", "POST", { name: "PC-7", serialNumber: "S7" });
  while (heard === undefined) await site.context.db.updateTable("device").set({ name: "Y" }).where("id", "=", id as string).execute();
  assert.equal(heard, id);
  stopListening();
  await mkdir(join(folder, "package"), { recursive: true });
  await writeFile(join(folder, "package/f"), "x");
  assert.equal((await site.job("/imports", { kind: "package", name: "P", source: join(folder, "package"), definition: { kind: "package", programs: [] } })).state, "succeeded");
});

test("a connection in use when PostgreSQL dies fails its query, and does not keep the next one from starting however busy it is", { timeout: 60_000 }, async () => {
  await askUntil(200);
  const pid = await postmaster();
  await assert.rejects(site.context.db.transaction().execute(async (transaction) => {
    await transaction.selectFrom("device").selectAll().execute();
    process.kill(pid, "SIGKILL");
    for (;;) await transaction.selectFrom("device").selectAll().execute();
  }));
  await askUntil(200);
});

test("stopped while PostgreSQL is away the site ends, and leaves no process behind", { timeout: 60_000 }, async () => {
  await askUntil(200);
  const pid = await postmaster();
  process.kill(pid, "SIGKILL");
  await askUntil(503);
  await site.stop();
  const { stdout } = await run("ps", ["-eo", "args"]);
  assert.ok(!stdout.includes(join(folder, "data/postgres/data")), stdout);
  assert.ok(!isAlive(pid));
});

test("a server that ends at once is started again ever more slowly, at most every half minute, until it is stopped", async () => {
  assert.deepEqual([1, 2, 3, 7, 8, 1000].map(restartDelayMs), [250, 500, 1000, 16_000, 30_000, 30_000]);
  const events: ServerEvent[] = [];
  const third = Promise.withResolvers<undefined>();
  const fails = () => spawn("sh", ["-c", "exit 3"]);
  const server = new SupervisedServer(fails(), async () => (events.length < 2 ? fails() : spawn("/no/such/program")), () => new Promise(() => undefined), (event) => {
    events.push(event);
    if (events.length === 3) third.resolve(undefined);
  });
  server.supervise();
  await third.promise;
  await server.stop();
  assert.deepEqual(events, [{ kind: "ended", how: "3", againInMs: 250 }, { kind: "ended", how: "3", againInMs: 500 }, { kind: "ended", how: "not started", againInMs: 1000 }]);
});
