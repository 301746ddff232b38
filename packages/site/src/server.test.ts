import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { managementPointPaths } from "@prestage/contract";
import { parseConfiguration } from "./configuration.ts";
import { registerMedia, TestDevice } from "./fixtures/test-device.ts";
import { dataDirectory, startSite } from "./fixtures/test-site.ts";

const folder = await dataDirectory();
const data = join(folder, "data");
const start = () => startSite(folder);
let site = await start();

test("keys and token are root's alone, and nowhere in the database's files or the log", async () => {
  for (const path of [...(await readdir(join(data, "keys"))).filter((name) => name !== "tls-ca.pem").map((name) => `keys/${name}`), "admin-token"]) assert.equal((await stat(join(data, path))).mode & 0o077, 0, path);
  assert.equal((await stat(join(data, "keys"))).mode & 0o777, 0o700);
  await site.call("/v1/site", { headers: { authorization: `Bearer ${site.context.keys.adminToken}` } });
  const log = await readFile(join(data, "logs/site.log"), "utf8");
  assert.ok(!log.includes(site.context.keys.adminToken));
});

test("a second server on the same data directory is refused, from this process and from another", async () => {
  await assert.rejects(start(), { code: "PRESTAGE_SITE_IN_USE", message: new RegExp(String(process.pid)) });
  const script = `
    const { parseConfiguration, serve } = await import(${JSON.stringify(new URL("index.ts", import.meta.url).href)});
    await serve(parseConfiguration({ dataDirectory: process.argv[1], host: "127.0.0.1", port: 0 })).catch((error) => console.log(error.code));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, data], { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  await once(child, "close");
  assert.equal(said.trim(), "PRESTAGE_SITE_IN_USE");
  assert.equal((await site.admin("/site")).status, 200, "the first one is not disturbed");
});

test("a restart keeps keys, token, objects, devices and their numbers; an interrupted job is told as failed", async () => {
  const media = await registerMedia(site, "a".repeat(64));
  const device = new TestDevice(site, media);
  const id = await device.enrol("KEPT");
  const { number } = await device.policy();
  await site.must("/task-sequences", "POST", { yaml: "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n" });
  const job = await site.context.db.insertInto("job").values({ kind: "import", state: "running" }).returning("id").executeTakeFirstOrThrow();
  const before = { token: site.context.keys.adminToken, keyring: site.context.keys.keyringEnvelope, ca: site.context.keys.authority.certificate, sequences: (await site.admin("/task-sequences")).json, devices: (await site.admin("/devices")).json, collections: (await site.admin("/collections")).json };
  await site.stop();
  await assert.rejects(stat(join(data, "server.pid")), { code: "ENOENT" });
  site = await start();
  assert.deepEqual({ token: site.context.keys.adminToken, keyring: site.context.keys.keyringEnvelope, ca: site.context.keys.authority.certificate, sequences: (await site.admin("/task-sequences")).json, devices: (await site.admin("/devices")).json, collections: (await site.admin("/collections")).json }, before);
  const again = Object.assign(Object.create(TestDevice.prototype) as TestDevice, device, { site });
  assert.equal((await again.policy()).number, number + 1, "the number goes on: an older policy would be refused by the device");
  assert.equal((await again.post(managementPointPaths.status, { messages: [{ number: 1, time: "2026-01-01T00:00:00Z", kind: "enrolled", environment: "boot" }] })).json["highest"], 1);
  assert.equal((await again.ask()).json["deviceId"], id);
  const told = await site.must(`/jobs/${job.id}`);
  assert.deepEqual([told["state"], (told["error"] as { code: string }).code], ["failed", "PRESTAGE_SITE_JOB_INTERRUPTED"]);
});

test("a lock left by a process that is gone, or by one of the same id before the computer restarted, is taken over", async () => {
  await site.stop();
  const child = spawn("true");
  await once(child, "close");
  for (const left of [`${child.pid} 1 x\n`, `${process.ppid} 1 another-boot\n`, `${process.pid}\n`, "", "nonsense"]) {
    await writeFile(join(data, "server.pid"), left);
    site = await start();
    assert.equal((await site.admin("/site")).status, 200);
    await site.stop();
  }
});

test("site.json names address and CA for programs on this machine; it holds no secret", async () => {
  site = await start();
  const told = JSON.parse(await readFile(join(data, "site.json"), "utf8")) as Record<string, string>;
  assert.deepEqual([told["url"], told["siteCode"], told["ca"]], [site.running.url, "ABC", site.context.keys.authority.certificate]);
  assert.deepEqual(Object.keys(told), ["url", "siteCode", "ca"]);
});

test("a configuration with a mistake is refused with its place", () => {
  for (const [input, place] of [[{}, "dataDirectory"], [{ dataDirectory: "/x", siteCode: "abc" }, "siteCode"], [{ dataDirectory: "/x", port: 70_000 }, "port"], [{ dataDirectory: "/x", publicUrls: ["x"] }, "publicUrls"], [{ dataDirectory: "/x", typo: 1 }, "typo"]] as const) {
    assert.throws(() => parseConfiguration(input), { code: "PRESTAGE_SITE_CONFIGURATION", message: new RegExp(place) });
  }
});
