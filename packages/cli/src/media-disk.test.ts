import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const { folder, data, site, at, tree } = await cliSite();

/** Alters one byte of the disk where `bytes` lie. */
async function damage(disk: string, bytes: Buffer): Promise<void> {
  const at = (await readFile(disk)).indexOf(bytes);
  assert.ok(at > 0);
  const handle = await open(disk, "r+");
  await handle.write(Buffer.of((bytes[0] ?? 0) ^ 1), 0, 1, at);
  await handle.close();
}

test("a damaged disk on the shelf is named file by file, and mended by a command from the media or the site's own distribution point", async () => {
  const boot = join(folder, "boot.wim");
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": "#".repeat(1024) }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  const agent = randomBytes(50_000);
  await runWimlib(["append", await tree("agent", { "agent.mjs": agent }), boot, "2", "--unix-data", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  const payload = randomBytes(600_000);
  const tool = await at<{ id: string; contentId: string }>("package", "import", await tree("tool", { "data.bin": payload }), "--name", "Tool", "--program", "Run=true");
  await writeFile(join(folder, "sequence.yaml"), `name: Deploy\nsteps:\n  - { name: Tool, type: install-package, with: { package: ${tool.id}, program: Run } }\n`);
  const { id } = await at<{ id: string }>("sequence", "add", join(folder, "sequence.yaml"));
  const media = join(folder, "media.wim");
  await at("media", "create", "--task-sequence", id, "-o", media);
  const disk = join(folder, "disk.img");
  // From a stick whose file system holds no file as large: the pieces are verified where they lie, and laid down.
  const { parts } = (await cli(["wim", "split", media, `${media}.001`, "--size", "300k", "--json"])).json as { parts: unknown[] };
  assert.ok(parts.length > 1);
  await at("media", "verify", `${media}.001`);
  await at("stage", `${media}.001`, "--disk", disk, "--size", "1400M");
  assert.deepEqual((await at<{ damaged: unknown[] }>("media", "verify", "--disk", disk)).damaged, []);

  await damage(disk, payload.subarray(400_000, 400_064));
  await damage(disk, agent.subarray(9000, 9064));
  const bad = await cli(["media", "verify", "--disk", disk, "--data", data]);
  assert.equal(bad.exitCode, 1);
  assert.match(bad.stdout, new RegExp(`/prestage/content/${tool.contentId}/files/data.bin: expected SHA-256 \\w+, found \\w+; wrong: \\d+ bytes at \\d+`));
  assert.match(bad.stdout, /\/prestage\/agent\/agent.mjs: /);

  const point = await cli(["media", "repair", "--disk", disk, "--from", site.url, "--data", data, "--json"]);
  assert.deepEqual((point.json as { error: { code: string } }).error.code, "PRESTAGE_STAGING_NOT_REPAIRABLE", "the agent is no content");
  await at("media", "repair", "--disk", disk, "--from", media);
  await damage(disk, payload.subarray(400_000, 400_064));
  const mended = await at<{ repaired: { path: string; fetched: number; written: number }[] }>("media", "repair", "--disk", disk, "--from", site.url);
  assert.equal(mended.repaired.length, 1);
  assert.ok((mended.repaired[0]?.fetched ?? 0) > 0 && (mended.repaired[0]?.fetched ?? 0) < 200_000, JSON.stringify(mended));
  assert.equal(mended.repaired[0]?.written, 4096);
  assert.deepEqual((await at<{ damaged: unknown[] }>("media", "verify", "--disk", disk)).damaged, []);
  const log = (await readFile(join(data, "logs/dp-access.ndjson"), "utf8")).trim().split("\n").map((line) => JSON.parse(line) as { deviceId: string });
  assert.ok(log.every((line) => line.deviceId === "administrator"));

  // The same disk, still on the shelf, brought up to the next media.
  const revised = await at<{ contentId: string }>("package", "import", await tree("tool", { "data.bin": Buffer.concat([payload.subarray(0, 300_000), Buffer.from("revised"), payload.subarray(300_007)]) }), "--name", "Tool", "--program", "Run=true");
  assert.notEqual(revised.contentId, tool.contentId);
  const next = join(folder, "media-2.wim");
  await at("media", "create", "--task-sequence", id, "-o", next);
  type Refreshed = { outcome: string; changed: number; removed: number; reused: number; receiptFile: string };
  const [planned] = await at<Refreshed[]>("stage", next, "--refresh", disk, "--dry-run");
  assert.equal(planned?.outcome, "planned");
  const [refreshed] = await at<Refreshed[]>("stage", next, "--refresh", disk);
  assert.deepEqual([refreshed?.outcome, refreshed?.changed, refreshed?.removed], ["refreshed", planned?.changed, planned?.removed]);
  assert.ok((refreshed?.reused ?? 0) > 400_000, JSON.stringify(refreshed));
  await at("media", "verify", "--disk", disk);
  await at("receipt", "import", refreshed?.receiptFile ?? "");
  assert.equal((await at<Refreshed[]>("stage", next, "--refresh", disk))[0]?.outcome, "current");
  const human = await cli(["stage", next, "--refresh", disk, "--data", data]);
  assert.match(human.stdout, /disk\.img +current +0 files, 0 B/);
  assert.equal(((await cli(["stage", next, "--refresh", disk, "--wipe", "disk.img", "--json"])).json as { error: { code: string } }).error.code, "PRESTAGE_CLI_BAD_ARGUMENT");
});

test("neither or both of media and disk: said, not guessed", async () => {
  for (const args of [["media", "verify"], ["media", "verify", "a.wim", "--disk", "b.img"], ["media", "repair", "--disk", "b.img", "--from", "nothing here"]]) {
    const result = await cli([...args, "--json"]);
    assert.deepEqual([(result.json as { error: { code: string } }).error.code, result.exitCode], ["PRESTAGE_CLI_BAD_ARGUMENT", 1], args.join(" "));
  }
});
