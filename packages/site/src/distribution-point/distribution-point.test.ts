import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import { test } from "node:test";
import { importFolder } from "@prestage/content";
import { generateSigningKey, signUrlQuery } from "@prestage/trust";
import { dataDirectory, startSite } from "../fixtures/test-site.ts";
import type { AccessRecord } from "./access-log.ts";

const folder = await dataDirectory();
const site = await startSite(folder);
await mkdir(join(folder, "source"));
await writeFile(join(folder, "source/random.bin"), randomBytes(3_000_000));
const version = await importFolder(site.context.library, join(folder, "source"));
const wim = await readFile(version.wimPath);
const later = Math.floor(Date.now() / 1000) + 600;
const pathOf = (file: string, id = version.contentId) => `/content/${id}/${file}`;
const query = (path: string, { device = "device-1", expires = later, key = site.context.keys.signing.url } = {}) => signUrlQuery(path, device, expires, key);
const signed = (file: string, headers: Record<string, string> = {}, method = "GET") => site.call(`${pathOf(file)}?${query(pathOf(file))}`, { headers, method });

/** The log's lines once there are `count` of them: a line is written after its answer has ended. */
async function log(count: number): Promise<AccessRecord[]> {
  for (;;) {
    const lines = (await readFile(join(folder, "data/logs/dp-access.ndjson"), "utf8").catch(() => "")).split("\n").filter(Boolean).map((line) => JSON.parse(line) as AccessRecord);
    if (lines.length >= count) return lines;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
let logged = 0;
async function lastLine(): Promise<AccessRecord> {
  const lines = await log(++logged);
  assert.equal(lines.length, logged);
  return lines[logged - 1]!;
}

test("a whole file, and every kind of range of RFC 9110, with one exact line in the log each", async () => {
  const size = wim.length;
  const cases: [Record<string, string>, number, [number, number]][] = [
    [{}, 200, [0, size - 1]], [{ range: "bytes=0-0" }, 206, [0, 0]], [{ range: `bytes=${size - 1}-` }, 206, [size - 1, size - 1]], [{ range: "bytes=-1000" }, 206, [size - 1000, size - 1]],
    [{ range: "bytes=1000-2000000" }, 206, [1000, 2_000_000]], [{ range: `bytes=500-${"9".repeat(30)}` }, 206, [500, size - 1]], [{ range: `bytes=-${"9".repeat(30)}` }, 206, [0, size - 1]],
    [{ range: "bytes=0-1,5-6" }, 200, [0, size - 1]], [{ range: "items=0-1" }, 200, [0, size - 1]], [{ range: "bytes=9-11", "if-range": `"${version.contentId}"` }, 206, [9, 11]], [{ range: "bytes=9-11", "if-range": '"other"' }, 200, [0, size - 1]],
  ];
  for (const [headers, status, [first, last]] of cases) {
    const answer = await signed("content.wim", headers);
    const name = JSON.stringify(headers);
    assert.equal(answer.status, status, name);
    assert.ok(answer.body.equals(wim.subarray(first, last + 1)), name);
    assert.deepEqual([answer.headers["content-range"], answer.headers["accept-ranges"], answer.headers.etag], [status === 206 ? `bytes ${first}-${last}/${size}` : undefined, "bytes", `"${version.contentId}"`], name);
    const { time, ...line } = await lastLine();
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000);
    assert.deepEqual(line, { contentId: version.contentId, file: "content.wim", deviceId: "device-1", range: [first, last], bytes: last - first + 1, status }, name);
  }
});

test("many at once, some of whom go away in the middle: each of the others gets its own bytes", async () => {
  const path = pathOf("content.wim");
  const target = `${site.running.url}${path}?${query(path)}`;
  const before = (await log(logged)).length;
  const asked = Array.from({ length: 60 }, (_, i) => {
    const first = (i * 7919 * 37) % (wim.length - 700_000);
    return new Promise<void>((resolve, reject) => {
      get(target, { agent: false, ca: site.context.keys.authority.certificate, headers: { range: `bytes=${first}-${first + 699_999}` } }, (answer) => {
        const parts: Buffer[] = [];
        if (i % 5 === 0) return void answer.once("data", () => answer.destroy()).on("error", () => resolve()).on("close", () => resolve());
        answer.on("data", (part: Buffer) => void parts.push(part)).on("error", reject).on("end", () => (Buffer.concat(parts).equals(wim.subarray(first, first + 700_000)) ? resolve() : reject(new Error(`other bytes from ${first} on`))));
      }).on("error", reject);
    });
  });
  await Promise.all(asked);
  logged = (await log(before + asked.length)).length;
});

test("a range past the end is 416 with the file's size", async () => {
  for (const range of [`bytes=${wim.length}-`, "bytes=-0", `bytes=${"9".repeat(40)}-`]) {
    const answer = await signed("content.wim", { range });
    assert.deepEqual([answer.status, answer.headers["content-range"], answer.body.length], [416, `bytes */${wim.length}`, 0]);
    const { status, bytes, range: sent } = await lastLine();
    assert.deepEqual([status, bytes, sent], [416, 0, null]);
  }
});

test("the other files of a version are served too, an empty one as well, and HEAD sends no body", async () => {
  for (const file of ["index.json", "chunks.bin", "storage.json"]) {
    assert.ok((await signed(file)).body.equals(await readFile(join(version.folder, file))));
    await lastLine();
  }
  const head = await signed("content.wim", {}, "HEAD");
  assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, String(wim.length), 0]);
  assert.equal((await lastLine()).bytes, 0);
  await writeFile(join(folder, "source/random.bin"), "small: no chunks");
  const small = await importFolder(site.context.library, join(folder, "source"));
  const path = pathOf("chunks.bin", small.contentId);
  const empty = await site.call(`${path}?${query(path)}`);
  assert.deepEqual([empty.status, empty.body.length], [200, 0]);
  assert.equal((await lastLine()).range, null);
});

test("without a signature, with another's, an expired one, or one for another path, device or time: 403 and no byte", async () => {
  const path = pathOf("content.wim");
  const good = new URLSearchParams(query(path));
  const change = (name: string, value: string) => {
    const changed = new URLSearchParams(good);
    changed.set(name, value);
    return changed.toString();
  };
  const refused: Record<string, string> = {
    none: "", "another site's": query(path, { key: generateSigningKey() }), "another role's": query(path, { key: site.context.keys.signing.media }), expired: query(path, { expires: Math.floor(Date.now() / 1000) - 1 }),
    "another file's": query(pathOf("index.json")), "another version's": query(pathOf("content.wim", "0".repeat(64))), "another device": change("device", "device-2"), "longer life": change("expires", String(later + 3600)),
    "no expiry": change("expires", ""), "not a number": change("expires", "NaN"), "no signature": change("signature", ""), "odd signature": change("signature", "a".repeat(86)),
  };
  for (const [name, text] of Object.entries(refused)) {
    const answer = await site.call(`${path}?${text}`);
    assert.deepEqual([answer.status, answer.json["code"]], [403, "PRESTAGE_TRUST_URL_SIGNATURE"], name);
    const line = await lastLine();
    assert.deepEqual([line.status, line.bytes, line.range, line.deviceId], [403, 0, null, null], name);
  }
});

test("no path leads out of the content folder", async () => {
  for (const path of ["/content/../keys/root.pem", "/content/%2e%2e/keys/root.pem", `/content/${version.contentId}/../../keys/root.pem`, `/content/${version.contentId}/..%2f..%2f..%2fkeys%2froot.pem`, `/content/${version.contentId}/`, `/content/${version.contentId}/files`, "/content/", `/content/${version.contentId.toUpperCase()}/content.wim`]) {
    const answer = await site.call(`${path}?${query(path)}`);
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
  }
  const absent = pathOf("content.wim", "0".repeat(64));
  assert.equal((await site.call(`${absent}?${query(absent)}`)).status, 404);
  assert.equal((await lastLine()).status, 404);
});

test("a client that goes away in the middle is logged with what was sent, and the server goes on", async () => {
  const path = pathOf("content.wim");
  await new Promise<void>((resolve, reject) => {
    const sent = get(`${site.running.url}${path}?${query(path)}`, { agent: false, ca: site.context.keys.authority.certificate }, (answer) => {
      answer.once("data", () => {
        answer.on("error", () => resolve()).on("close", () => resolve());
        answer.destroy();
      });
    });
    sent.on("error", reject);
  });
  const line = await lastLine();
  assert.deepEqual([line.status, line.range?.[0], line.bytes], [200, 0, (line.range?.[1] ?? 0) + 1]);
  assert.ok(line.bytes > 0);
  assert.equal((await signed("index.json")).status, 200);
});

test("a version whose data lies in part with a newer one is served as it was", async () => {
  const shared = randomBytes(2_000_000);
  const versions = [];
  for (const own of ["older", "newer"]) {
    await mkdir(join(folder, own));
    await writeFile(join(folder, own, "shared.bin"), shared);
    await writeFile(join(folder, own, "own.bin"), randomBytes(400_000));
    versions.push(await importFolder(site.context.library, join(folder, own)));
  }
  const older = versions[0]!;
  const bytes = await readFile(older.wimPath);
  assert.ok((await site.context.library.share()).shared.includes(older.contentId));
  await assert.rejects(readFile(older.wimPath), { code: "ENOENT" });
  const path = pathOf("content.wim", older.contentId);
  const fetched = (headers: Record<string, string>) => site.call(`${path}?${query(path)}`, { headers });
  assert.ok((await fetched({})).body.equals(bytes));
  for (const [first, last] of [[0, 0], [0, bytes.length - 1], [bytes.length - 5, bytes.length - 1], [300_000, 2_300_000]] as const) {
    assert.ok((await fetched({ range: `bytes=${first}-${last}` })).body.equals(bytes.subarray(first, last + 1)), `${first}-${last}`);
  }
});
