import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ContentLibrary, fetchVersion, FolderTarget, importFolder, LocalCache, makePatches, makePieces } from "@prestage/content";
import type { ContentSource, FetchVersionOptions, OfferedPatches, PlannedVersion, StoredVersion, WantedVersion } from "@prestage/content";
import { request } from "undici";
import { HttpContentSource } from "../packages/agent/src/content/http-source.ts";
import { distributionPointSource } from "../packages/cli/src/distribution-point-source.ts";
import { requestCost } from "../packages/content/src/description/stored-ranges.ts";
import { halfNoise, noise, writeTree } from "../packages/content/src/fixtures/write-tree.ts";
import { Nginx } from "./support/nginx.ts";
import type { NginxRequest } from "./support/nginx.ts";

let folder: string;
let tree: string;
let older: StoredVersion;
let newer: StoredVersion;
let wanted: WantedVersion;
let pieces: OfferedPatches;

/** Changed bytes here and there, as a new build of a program has them. */
function revised(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let at = 1000; at < copy.length; at += 200_000) copy.write("revised", at);
  return copy;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "prestage-nginx-test-"));
  await chmod(folder, 0o755);
  tree = join(folder, "www");
  const [program, data] = [halfNoise(3_000_000, 1), noise(2_000_000, 2)];
  const library = new ContentLibrary(join(folder, "library"));
  const kept = { "same.bin": noise(500_000, 3), "readme.txt": "the same in both" };
  older = await importFolder(library, await writeTree(join(folder, "one"), { ...kept, "program.bin": program, "data.bin": data }));
  newer = await importFolder(library, await writeTree(join(folder, "two"), { ...kept, "program.bin": revised(program), "data.bin": Buffer.concat([data.subarray(0, 900_000), noise(50_000, 4), data.subarray(900_000)]), "new.bin": noise(1_500_000, 5) }));
  const patches = await makePatches(library, older.contentId, newer.contentId, { level: 3 });
  const made = await makePieces(library, newer.contentId);
  assert.ok(made !== undefined);
  pieces = made;
  for (const { contentId } of [older, newer]) await new FolderTarget(tree).publish(library, contentId);
  wanted = { ...newer, earlierContentIds: [older.contentId], patches: [patches] };
});
after(() => rm(folder, { recursive: true, force: true }));

const clients: Record<string, (url: string) => ContentSource & { close(): Promise<void> }> = {
  "the agent": (url) => new HttpContentSource(url, "", async () => undefined),
  "the command line": (url) => distributionPointSource(url, { query: async () => undefined }),
};
const quick: FetchVersionOptions = { rounds: 2, waitSeconds: () => 0 };

let caches = 0;
/** What a disk staged with the older version holds. */
async function diskWithOlder(): Promise<LocalCache> {
  const cache = new LocalCache(join(folder, `cache-${caches++}`));
  const nginx = await Nginx.start(tree);
  const source = clients["the agent"]!(nginx.url);
  await fetchVersion(cache, [source], { ...older, earlierContentIds: [] }, quick);
  await source.close();
  await nginx.kill();
  return cache;
}

async function isWhole(cache: LocalCache): Promise<void> {
  assert.equal((await cache.ask(newer.contentId, newer.index, [])).state, "hit");
  assert.deepEqual(await readFile(cache.filePath(newer.contentId, "program.bin")), await readFile(join(folder, "two/program.bin")));
}
const sum = (requests: readonly NginxRequest[]) => requests.reduce((total, one) => total + one.bytes, 0);

for (const [client, open] of Object.entries(clients)) {
  test(`${client} fetches a revised version from nginx, by patches and ranges; nginx's log says what the plan said`, async () => {
    const nginx = await Nginx.start(tree);
    const source = open(nginx.url);
    const cache = await diskWithOlder();
    const plans: PlannedVersion[] = [];
    const { bytes } = await fetchVersion(cache, [source], wanted, { ...quick, onPlanned: (planned) => void plans.push(planned) });
    await source.close();
    await isWhole(cache);
    assert.equal(plans.length, 1);
    const [{ plan, described }] = plans as [PlannedVersion];
    assert.deepEqual(plan.ways.map(({ paths, way }) => `${paths[0]} ${way}`), ["data.bin patch", "new.bin whole", "program.bin patch"]);
    const log = await nginx.finish();
    assert.ok(log.every(({ status, range }) => status === (range === "-" ? 200 : 206)), JSON.stringify(log));
    assert.ok(sum(log) <= 1.1 * (described + plan.bytes) && sum(log) >= bytes, `${sum(log)} bytes sent, ${described + plan.bytes} planned, ${bytes} counted`);
    assert.ok(sum(log) < 0.6 * newer.storedBytes, `${sum(log)} of ${newer.storedBytes}`);
  });

  test(`${client} without patches fetches the chunks that differ, by ranges of nginx`, async () => {
    const nginx = await Nginx.start(tree);
    const source = open(nginx.url);
    const cache = await diskWithOlder();
    const plans: PlannedVersion[] = [];
    await fetchVersion(cache, [source], { ...wanted, patches: [] }, { ...quick, onPlanned: (planned) => void plans.push(planned) });
    await source.close();
    await isWhole(cache);
    const [{ plan, described }] = plans as [PlannedVersion];
    assert.equal(plan.ways.find(({ paths }) => paths[0] === "data.bin")?.way, "chunks");
    const log = await nginx.finish();
    assert.ok(sum(log) <= 1.1 * (described + plan.bytes), `${sum(log)} bytes sent, ${described + plan.bytes} planned`);
  });

  test(`${client} without patches, but with the pack of pieces, fetches of a changed program little more than what changed`, async (t) => {
    const nginx = await Nginx.start(tree);
    const source = open(nginx.url);
    const cache = await diskWithOlder();
    const plans: PlannedVersion[] = [];
    const { bytes } = await fetchVersion(cache, [source], { ...wanted, patches: [pieces] }, { ...quick, onPlanned: (planned) => void plans.push(planned) });
    await source.close();
    await isWhole(cache);
    const [{ plan, described }] = plans as [PlannedVersion];
    const way = plan.ways.find(({ paths }) => paths[0] === "program.bin");
    assert.deepEqual([plans.length, way?.way], [1, "pieces"]);
    assert.ok((way?.bytes ?? Infinity) < 30_000, `${way?.bytes} bytes for 15 changes`);
    assert.equal(bytes, described + plan.bytes);
    const log = await nginx.finish();
    assert.ok(sum(log) <= 1.1 * bytes, `${sum(log)} bytes sent in ${log.length} requests, ${bytes} planned`);
    const sent = log.reduce((total, one) => total + one.sent, 0);
    const price = bytes + plan.requests * requestCost;
    t.diagnostic(`bodies ${(sum(log) / bytes).toFixed(3)} of ${bytes} bytes planned; with headers ${(sent / price).toFixed(3)} of ${price}, ${log.length} requests, ${plan.requests} of them planned`);
    assert.ok(sent > sum(log) && sent <= 1.1 * price, `${sent} bytes sent with headers in ${log.length} requests, ${price} planned with requests`);
  });

  test(`${client}: where nginx is killed in mid-download the next distribution point goes on at the byte`, async () => {
    const [first, second] = [await Nginx.start(tree, { directives: "limit_rate 4m;" }), await Nginx.start(tree)];
    const sources = [first.url, second.url].map(open);
    const cache = new LocalCache(join(folder, `cache-${caches++}`));
    let received = 0;
    let at: number | undefined;
    let start: number | undefined;
    await fetchVersion(cache, sources, { ...newer, earlierContentIds: [] }, {
      ...quick,
      onPlanned: ({ plan }) => void (start = plan.runs[0]?.start),
      onProgress: ({ done }) => {
        received = done;
        if (done > 1_000_000) void first.kill();
      },
      onSourceFailed: ({ source }) => {
        assert.equal(source, first.url);
        at ??= received;
      },
    });
    for (const source of sources) await source.close();
    await isWhole(cache);
    const log = await second.finish();
    const [resumed] = log.filter(({ path }) => path.endsWith("/content.wim"));
    assert.ok(at !== undefined && at > 1_000_000 && at < newer.storedBytes, `cut off after ${at} bytes`);
    assert.equal(resumed?.range.split("-")[0], `bytes=${(start ?? 0) + at}`);
  });

  test(`${client}: from an nginx without ranges whole files come, in one pass; one with ranges is preferred`, async () => {
    const without = await Nginx.start(tree, { directives: "max_ranges 0;" });
    const alone = open(without.url);
    const cache = await diskWithOlder();
    const failed: string[] = [];
    const plans: PlannedVersion[] = [];
    await fetchVersion(cache, [alone], wanted, { ...quick, onPlanned: (planned) => void plans.push(planned), onSourceFailed: ({ reason }) => void failed.push(reason) });
    await isWhole(cache);
    assert.deepEqual(failed, ["whole files only are sent, no ranges"]);
    assert.deepEqual([plans.at(-1)?.plan.requests, new Set(plans.at(-1)?.plan.ways.map(({ way }) => way))], [1, new Set(["whole"])]);
    const other = await Nginx.start(tree);
    const ranged = open(other.url);
    const again = await diskWithOlder();
    await fetchVersion(again, [alone, ranged], wanted, { ...quick, onSourceFailed: ({ reason }) => void failed.push(reason) });
    for (const source of [alone, ranged]) await source.close();
    await isWhole(again);
    assert.equal(failed.length, 1, "what is known is not told again");
    const asked = (await other.finish()).filter(({ range }) => range !== "-");
    assert.ok(asked.length > 0 && asked.every(({ status }) => status === 206));
    const log = await without.finish();
    const wholes = log.filter(({ path, bytes }) => path.endsWith("/content.wim") && bytes > newer.storedBytes * 0.5);
    assert.equal(wholes.length, 1, JSON.stringify(log));
  });
}

test("nginx lists nothing: an id is all one needs, and none is given away", async () => {
  const nginx = await Nginx.start(tree);
  for (const path of ["/", "/content", "/content/", `/content/${newer.contentId}`, `/content/${newer.contentId}/`]) {
    const answer = await request(nginx.url + path);
    const text = await answer.body.text();
    assert.ok([301, 403].includes(answer.statusCode), `${path}: ${answer.statusCode}`);
    assert.ok(!text.includes(older.contentId), path);
  }
});
