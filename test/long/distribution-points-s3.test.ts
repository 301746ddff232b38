import assert from "node:assert/strict";
import { chmod, copyFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";
import { ContentLibrary, fetchVersion, LocalCache } from "@prestage/content";
import type { PlannedVersion } from "@prestage/content";
import type { DistributionStatus } from "@prestage/contract";
import { HttpContentSource } from "../../packages/agent/src/content/http-source.ts";
import { cliSite } from "../../packages/cli/src/fixtures/cli-site.ts";
import { cli } from "../../packages/cli/src/fixtures/run-cli.ts";
import { noise } from "../../packages/content/src/fixtures/write-tree.ts";
import { Radosgw } from "../support/radosgw.ts";

const { folder, data, at, tree } = await cliSite({ patches: false });
const store = await Radosgw.start();
/** More than one part of an upload. */
const large = noise(20 * 1024 * 1024, 7);

interface Tool { id: string; contentId: string }
interface Published { written: number; versions: number; removed: string[] }
const importTool = async (name: string, source: string, ...more: string[]) => at<Tool>("application", "import", source, "--name", name, "--install", "true", "--detect-file", "/x", ...more);
const publish = (bucket: string, ...more: string[]) => at<Published>("content", "publish", `s3://${bucket}/prestage`, "--endpoint", store.endpoint, "--region", "default", "--credentials", store.credentials, ...more);
const refused = async (...args: string[]) => ((await cli([...args, "--data", data, "--json"])).json as { error: { code: string; message: string } }).error;

before(async () => {
  for (const name of ["deployment", "hidden"]) assert.ok(await store.bucket(name).createBucket());
  assert.ok(await store.bucket("listed", "public-read").createBucket());
});

test("content goes to a bucket once, in parts where it is large, and devices fetch a revised version from it by ranges", async () => {
  const first = await importTool("tool", await tree("tool-1", { "large.bin": large, "readme.txt": "one" }));
  const before_ = await publish("deployment", "--all");
  assert.ok(before_.written > large.length, `${before_.written}`);
  const second = await importTool("tool", await tree("tool-2", { "large.bin": Buffer.concat([large.subarray(0, 9_000_000), noise(40_000, 8), large.subarray(9_000_000)]), "readme.txt": "two" }), "--update", first.id);
  const after_ = await publish("deployment", "--all");
  assert.ok(after_.written > large.length && after_.written < 1.5 * large.length, "the older version is not sent again");
  assert.equal((await publish("deployment", "--all")).written, 0);
  const library = new ContentLibrary(data);
  const cache = new LocalCache(join(folder, "cache"));
  const source = new HttpContentSource(`${store.endpoint}/deployment/prestage`, "", async () => undefined);
  await fetchVersion(cache, [source], { ...(await library.open(first.contentId)), earlierContentIds: [] });
  const plans: PlannedVersion[] = [];
  const version = await library.open(second.contentId);
  const { bytes } = await fetchVersion(cache, [source], { ...version, earlierContentIds: [first.contentId] }, { onPlanned: (planned) => void plans.push(planned) });
  await source.close();
  assert.deepEqual(await readFile(cache.filePath(second.contentId, "large.bin")), await readFile(join(folder, "tool-2/large.bin")));
  assert.ok(plans[0]?.plan.ways.some(({ way }) => way === "chunks") && bytes < 0.05 * version.storedBytes, `${bytes} bytes`);
});

test("who has no key gets no list, and none is published to where one is given", async () => {
  for (const query of ["", "?list-type=2", "?list-type=2&prefix=prestage/content/", "?versions"]) {
    const answer = await fetch(`${store.endpoint}/deployment${query}`);
    assert.equal(answer.status, 403, query);
    await answer.body?.cancel();
  }
  const error = await refused("content", "publish", "s3://listed/prestage", "--endpoint", store.endpoint, "--region", "default", "--credentials", store.credentials);
  assert.equal(error.code, "PRESTAGE_SITE_S3_LISTED", error.message);
  assert.deepEqual(await store.bucket("listed").listObjects(), []);
});

test("without its ACL, and without a bucket's policy, nobody can read what was published: that is told", async () => {
  const error = await refused("content", "publish", "s3://hidden", "--endpoint", store.endpoint, "--region", "default", "--credentials", store.credentials, "--bucket-policy");
  assert.equal(error.code, "PRESTAGE_SITE_S3_NOT_READABLE", error.message);
});

test("what was altered in the bucket is sent again, what is not published any more is pruned", async () => {
  const tool = await importTool("altered", await tree("altered", { "small.txt": "small" }));
  await publish("deployment");
  const bucket = store.bucket("deployment", "public-read");
  const key = `prestage/content/${tool.contentId}/storage.json`;
  const right = await readFile(join(data, "content", tool.contentId, "storage.json"));
  await bucket.putObject(key, Buffer.from(right.toString().replace("prestage", "altered!")));
  assert.ok((await publish("deployment")).written >= right.length);
  assert.deepEqual(Buffer.from(await (await fetch(`${store.endpoint}/deployment/${key}`)).arrayBuffer()), right);
  await importTool("altered", await tree("altered-2", { "small.txt": "another" }), "--update", tool.id);
  const { removed } = await publish("deployment", "--prune");
  assert.ok(removed.includes(tool.contentId));
  assert.equal((await fetch(`${store.endpoint}/deployment/${key}`, { method: "HEAD" })).status, 403, "what is not there cannot be told from what is hidden");
  const keys = (await bucket.listObjects("/", "prestage/content/"))?.map((object) => object.Key.split("/")[2]);
  assert.equal(new Set(keys).size, 2);
});

test("a bucket is validated like any distribution point, with the addresses computers use, and what it lacks or has damaged is sent again", async () => {
  const url = `${store.endpoint}/deployment/prestage`;
  await at("distribution-point", "set", url, "--target", "s3://deployment/prestage", "--endpoint", store.endpoint, "--region", "default", "--credentials", store.credentials);
  await publish("deployment");
  const states = async (...more: string[]) => {
    const { exitCode } = await cli(["distribution-point", "validate", url, "--data", data, ...more]);
    return [exitCode, ...(await at<DistributionStatus[]>("distribution-point", "status", url)).map(({ state }) => state).toSorted()];
  };
  assert.deepEqual(await states(), [0, "whole", "whole"]);
  const bucket = store.bucket("deployment", "public-read");
  const [one, two] = await at<DistributionStatus[]>("distribution-point", "status", url);
  await bucket.deleteObject(`prestage/content/${one?.contentId}/index.json.zst`);
  const wim = `prestage/content/${two?.contentId}/content.wim`;
  const bytes = Buffer.from(await (await fetch(`${store.endpoint}/deployment/${wim}`)).arrayBuffer());
  bytes[bytes.length >> 1]! ^= 1;
  await bucket.putObject(wim, bytes);
  assert.deepEqual(await states("--full"), [1, "damaged", "missing"]);
  const done = await at<{ published: string[]; failed: string[] }>("distribution-point", "redistribute", url);
  assert.deepEqual([done.published.length, done.failed], [2, []]);
  assert.deepEqual(await states("--full"), [0, "whole", "whole"]);
});

test("keys come from a file nobody else may read, or the environment; wrong ones, no bucket and no store are told", async () => {
  const open = join(folder, "open-keys");
  await copyFile(store.credentials, open);
  await chmod(open, 0o644);
  const to = (bucket: string, endpoint: string, ...more: string[]) => refused("content", "publish", `s3://${bucket}`, "--endpoint", endpoint, "--region", "default", ...more);
  const cases: [string, Promise<{ code: string; message: string }>][] = [
    ["PRESTAGE_SITE_S3_CREDENTIALS", to("deployment", store.endpoint, "--credentials", open)], ["PRESTAGE_SITE_S3_CREDENTIALS", to("deployment", store.endpoint)],
    ["PRESTAGE_SITE_S3_FAILED", to("nobodys", store.endpoint, "--credentials", store.credentials)], ["PRESTAGE_SITE_S3_FAILED", to("deployment", "http://127.0.0.1:9", "--credentials", store.credentials)],
    ["PRESTAGE_CLI_BAD_ARGUMENT", refused("content", "publish", "s3://deployment")], ["PRESTAGE_CLI_BAD_ARGUMENT", refused("content", "publish", "/srv/x", "--endpoint", store.endpoint)],
    ["PRESTAGE_CLI_BAD_ARGUMENT", to("no_bucket", store.endpoint)],
  ];
  for (const [code, error] of cases) assert.equal((await error).code, code, (await error).message);
  process.env["AWS_ACCESS_KEY_ID"] = "testkey";
  process.env["AWS_SECRET_ACCESS_KEY"] = "not the secret";
  assert.equal((await to("deployment", store.endpoint)).code, "PRESTAGE_SITE_S3_FAILED");
});
