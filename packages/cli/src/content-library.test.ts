import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { ContentLibrary, fetchVersion, LocalCache } from "@prestage/content";
import { distributionPointSource } from "./distribution-point-source.ts";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const { folder, data, at } = await cliSite();
const refused = async (...args: string[]) => ((await cli([...args, "--data", data, "--json"])).json as { error: { code: string; message: string } }).error;

interface Tool { id: string; contentId: string; storageSha256: string }
const large = randomBytes(700_000);
async function importTool(name: string, version: string, ...more: string[]): Promise<Tool> {
  const source = join(folder, name);
  await mkdir(source, { recursive: true });
  await writeFile(join(source, "data.bin"), Buffer.concat([large, Buffer.from(name + version)]));
  return at<Tool>("application", "import", source, "--name", name, "--install", "true", "--detect-file", "/x", ...more);
}
const stored = (contentId: string) => stat(join(data, "content", contentId)).then(() => true, () => false);

test("the library is validated; a damaged version is named and mended by importing it again", async () => {
  const tool = await importTool("validated", "1");
  assert.deepEqual((await at<{ faults: unknown[] }>("content", "validate")).faults, []);
  const wim = join(data, "content", tool.contentId, "content.wim");
  const file = await open(wim, "r+");
  await file.write(Buffer.from("x"), 0, 1, 300_000);
  await file.close();
  await rm(join(data, "content", tool.contentId, "chunks.bin"));
  const bad = await cli(["content", "validate", "--data", data]);
  assert.equal(bad.exitCode, 1);
  assert.match(bad.stdout, new RegExp(`${tool.contentId.slice(0, 16)} +content\\.wim +expected SHA-256`));
  assert.match(bad.stdout, /chunks\.bin/);
  assert.match(bad.stderr, /PRESTAGE_CLI_LIBRARY_DAMAGED/);
  const sequence = join(folder, "validated.yaml");
  await writeFile(sequence, `name: T\nsteps:\n  - { name: Restart, type: restart }\n  - { name: Tool, type: install-application, with: { application: ${tool.id} } }\n`);
  const linted = async () => (await at<{ findings: { rule: string; message: string; step?: { name: string } }[] }>("sequence", "lint", sequence)).findings;
  const [finding, ...more] = await linted();
  assert.deepEqual([finding?.rule, finding?.step?.name, more], ["content-not-whole", "Tool", []]);
  assert.match(finding?.message ?? "", /\(validated\) was damaged in the library when it was validated \(20\S+Z\): (content\.wim|chunks\.bin): /);
  assert.equal((await importTool("validated", "1")).contentId, tool.contentId);
  assert.deepEqual(await linted(), [], "imported again, it is as it should be");
  assert.deepEqual((await at<{ faults: unknown[] }>("content", "validate")).faults, []);
  assert.deepEqual(await linted(), []);
});

test("what something refers to is not removed, and what nothing needs any more is collected", async () => {
  const first = await importTool("collected", "1");
  const second = await importTool("collected", "2");
  const dependent = await importTool("dependent", "1", "--depends-on", first.id);
  await writeFile(join(folder, "sequence.yaml"), `name: Uses it\nsteps:\n  - { name: Tool, type: install-application, with: { application: ${dependent.id} } }\n`);
  await at("sequence", "add", join(folder, "sequence.yaml"));
  for (const [id, why] of [[first.id, /application dependent/], [dependent.id, /task sequence Uses it/]] as const) {
    const error = await refused("application", "remove", id);
    assert.equal(error.code, "PRESTAGE_SITE_CONFLICT");
    assert.match(error.message, why);
  }
  assert.equal((await refused("application", "remove", first.id, "--revision", "7")).code, "PRESTAGE_SITE_NOT_FOUND");
  assert.deepEqual(await at("application", "remove", first.id, "--revision", "1"), { id: first.id, revisions: [1] });
  assert.deepEqual((await at<{ removed: string[] }>("content", "collect")).removed, [], "nothing that has just come");
  const library = new ContentLibrary(data);
  const needed = new Set([second.contentId, dependent.contentId, ...(await readdir(join(data, "content"))).filter((id) => id !== first.contentId)]);
  assert.deepEqual((await library.collect(needed, { graceMs: 0 })).removed, [first.contentId]);
  assert.deepEqual([await stored(first.contentId), await stored(second.contentId)], [false, true]);
  await at("content", "validate");
});

test("what two objects have in common is stored once, by itself and by command, and a removed one leaves it to the other", async () => {
  const common = randomBytes(3_000_000);
  const [application, packaged] = [join(folder, "as-application"), join(folder, "as-package")];
  for (const source of [application, packaged]) {
    await mkdir(source);
    await writeFile(join(source, "common.bin"), common);
    await writeFile(join(source, "own.txt"), source);
  }
  const first = await at<Tool>("application", "import", application, "--name", "Shared", "--install", "true", "--detect-file", "/x");
  const second = await at<Tool>("package", "import", packaged, "--name", "Shared too", "--program", "Run=true");
  const { sharedBytes } = await at<{ sharedBytes: number }>("content", "share");
  assert.ok(sharedBytes > 2_900_000, `${sharedBytes} bytes`);
  assert.deepEqual([first, second].map(({ contentId }) => contentId).filter((id) => !existsSync(join(data, "content", id, "content.wim"))), [first.contentId]);
  assert.deepEqual((await at<{ faults: unknown[] }>("content", "validate")).faults, []);
  const library = new ContentLibrary(data);
  const others = (await readdir(join(data, "content"))).filter((id) => id !== second.contentId);
  await library.collect(new Set(others), { graceMs: -1 });
  assert.equal((await library.open(first.contentId)).storedBytes > 2_900_000, true);
  const again = await at<Tool>("package", "import", packaged, "--name", "Shared too", "--program", "Run=true");
  assert.equal(again.contentId, second.contentId);
  assert.deepEqual((await at<{ faults: unknown[] }>("content", "validate")).faults, []);
});

test("a published tree serves as a distribution point from any web server; published again nothing is written, and what went is pruned", async () => {
  const tool = await importTool("published", "1");
  const tree = join(folder, "www");
  const first = await at<{ written: number; versions: number }>("content", "publish", tree);
  assert.ok(first.written > 700_000);
  assert.equal((await at<{ written: number }>("content", "publish", tree)).written, 0);
  const web = createServer((request, response) => {
    void readFile(join(tree, String(request.url))).then((bytes) => {
      const [, start = "0", end = String(bytes.length - 1)] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
      const part = bytes.subarray(Number(start), end === "" ? undefined : Number(end) + 1);
      response.writeHead(request.headers.range === undefined ? 200 : 206, { "content-length": part.length }).end(part);
    }, () => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => void web.listen(0, "127.0.0.1", resolve));
  const source = distributionPointSource(`http://127.0.0.1:${(web.address() as AddressInfo).port}`, { query: async () => undefined });
  try {
    const version = await new ContentLibrary(data).open(tool.contentId);
    const cache = new LocalCache(join(folder, "cache"));
    await fetchVersion(cache, [source], { ...version, earlierContentIds: [] });
    assert.ok((await readFile(cache.filePath(tool.contentId, "data.bin"))).equals(await readFile(join(folder, "published", "data.bin"))));
  } finally {
    await source.close();
    web.close();
  }
  await mkdir(join(tree, "content", "mine"));
  const next = await importTool("published", "2");
  const pruned = await at<{ removed: string[] }>("content", "publish", tree, "--prune");
  assert.ok(pruned.removed.includes(tool.contentId) && !pruned.removed.includes(next.contentId));
  assert.ok((await readdir(join(tree, "content"))).includes("mine"), "what is no version is left alone");
  assert.ok((await readdir(join(tree, "content"))).includes(next.contentId));
  assert.ok(await stored(tool.contentId), "the library keeps it");
});

test("a solid .esd is imported as an OS image: compressed anew once, its images told by what was stored", async () => {
  const tree = join(folder, "system");
  await mkdir(join(tree, "etc"), { recursive: true });
  await writeFile(join(tree, "etc/hostname"), "image");
  await writeFile(join(tree, "data"), randomBytes(300_000));
  const esd = join(folder, "install.esd");
  await promisify(execFile)("wimlib-imagex", ["capture", tree, esd, "The system", "--unix-data", "--solid"]);
  const { definition, storedBytes } = await at<{ storedBytes: number; definition: { platform: string; images: { index: number; name: string }[] } }>("os-image", "import", esd, "--name", "From an esd", "--index", "1");
  assert.deepEqual([definition.platform, definition.images.map(({ index, name }) => [index, name])], ["linux", [[1, "The system"]]]);
  assert.ok(storedBytes > 300_000);
});
