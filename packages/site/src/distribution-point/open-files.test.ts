import assert from "node:assert/strict";
import { mkdtemp, readdir, readlink, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { generateSigningKey, signUrlQuery } from "@prestage/trust";
import { OpenFiles } from "./open-files.ts";
import { VerifiedUrls } from "./verified-urls.ts";

const folder = await mkdtemp(join(tmpdir(), "prestage-open-"));
after(() => rm(folder, { recursive: true }));
const opened = async () => (await Promise.all((await readdir("/proc/self/fd")).map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")))).filter((path) => path.startsWith(folder)).length;
async function closesTo(count: number): Promise<void> {
  while ((await opened()) !== count) await new Promise((resolve) => setImmediate(resolve));
}

test("a file is opened once for many, closed when nobody uses it and its time is over, and never under a user", async () => {
  let now = 0;
  const files = new OpenFiles(() => now);
  const path = join(folder, "one");
  await writeFile(path, "first");
  const [first, ...others] = await Promise.all(Array.from({ length: 20 }, () => files.acquire(path)));
  assert.ok(first !== undefined);
  assert.deepEqual([new Set([first, ...others].map((user) => user.handle)).size, first.size, await opened()], [1, 5, 1]);
  await writeFile(`${path}.new`, "second");
  await rename(`${path}.new`, path);
  now = 10_001;
  const later = await files.acquire(path);
  assert.equal(later.size, 6);
  for (const user of others) user.release();
  assert.equal((await first.handle.read(Buffer.alloc(5), 0, 5, 0)).bytesRead, 5);
  first.release();
  await closesTo(1);
  files.sweep();
  assert.equal(await opened(), 1);
  later.release();
  now += 10_001;
  files.sweep();
  await closesTo(0);
});

test("what is not there is asked for again each time, and however many are asked for few stay open", async () => {
  const files = new OpenFiles();
  await assert.rejects(files.acquire(join(folder, "absent")), { code: "ENOENT" });
  await writeFile(join(folder, "absent"), "now");
  (await files.acquire(join(folder, "absent"))).release();
  for (let i = 0; i < 300; i++) {
    await writeFile(join(folder, `many-${i}`), "");
    (await files.acquire(join(folder, `many-${i}`))).release();
  }
  await closesTo(128);
  files.sweep(true);
  await closesTo(0);
});

test("a URL that was good is refused once it has expired, or its key is another's", () => {
  const [key, other] = [generateSigningKey(), generateSigningKey()];
  const url = `/content/a/b?${signUrlQuery("/content/a/b", "device-1", 1000, key)}`;
  const [keys, others] = [[key.public], [other.public]];
  const urls = new VerifiedUrls();
  for (let i = 0; i < 2; i++) assert.equal(urls.check(url, keys, new Date(999_000)), "device-1");
  assert.throws(() => urls.check(url, keys, new Date(1_001_000)), { code: "PRESTAGE_TRUST_URL_SIGNATURE" });
  assert.throws(() => urls.check(url, others, new Date(999_000)), { code: "PRESTAGE_TRUST_URL_SIGNATURE" });
  assert.equal(urls.check(url, keys, new Date(999_000)), "device-1");
});
