import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import { after, test } from "node:test";
import { runWimlib } from "@prestage/content";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const { folder, data, site, at, tree } = await cliSite({ patchLevel: 3 });
/** Any web server with ranges. */
let served = 0;
const web = createServer((request, response) => {
  void (async () => {
    const bytes = await readFile(join(folder, decodeURIComponent(new URL(String(request.url), "http://web").pathname.slice(1))));
    const [, first = "", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    const part = first === "" ? bytes : bytes.subarray(Number(first), Number(last) + 1);
    served += part.length;
    response.writeHead(first === "" ? 200 : 206, { "content-length": part.length }).end(part);
  })().catch(() => response.writeHead(404).end());
});
web.listen(0, "127.0.0.1");
after(() => void web.close());

test("a depot brings an older media up to the newer one over plain HTTP: the site's own bytes, and only what changed is fetched", async () => {
  const boot = join(folder, "boot.wim");
  await runWimlib(["capture", await tree("esp", { "EFI/BOOT/BOOTX64.EFI": "loader", "prestage/boot.env": "#".repeat(1024) }), boot, "1", "--unix-data", "--check", "--compress=LZX:20"]);
  await runWimlib(["append", await tree("agent", { "agent.mjs": "agent" }), boot, "2", "--unix-data", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  const large = randomBytes(3_000_000);
  const importTool = async (version: string) => at<{ id: string }>("package", "import", await tree("tool", { "large.bin": large, "version.txt": version.repeat(1000) }), "--name", "Tool", "--program", "Run=true");
  const tool = await importTool("one");
  await writeFile(join(folder, "sequence.yaml"), `name: Deploy\nsteps:\n  - { name: Tool, type: install-package, with: { package: ${tool.id}, program: Run } }\n`);
  const { id } = await at<{ id: string }>("sequence", "add", join(folder, "sequence.yaml"));
  const [first, second, made] = ["first.wim", "second.wim", "made.wim"].map((name) => join(folder, name)) as [string, string, string];
  const { mediaId } = await at<{ mediaId: string }>("media", "create", "--task-sequence", id, "-o", first);
  await importTool("two");
  const planned = async () => at<{ kind: string; state: string; bytes: number; ways: { paths: string[] }[] }[]>("media", "plan", mediaId);
  assert.deepEqual((await planned()).map(({ kind, state, ways }) => [kind, state, ways.map((way) => way.paths)]), [["package", "revised", [["version.txt"]]], ["boot-image", "hit", []]]);
  assert.match((await cli(["media", "plan", mediaId, "--files", "--data", data])).stdout, /Tool +version\.txt +(whole|patch)/);
  const rebuilt = await at<{ mediaId: string }>("media", "rebuild", mediaId, "-o", second);
  assert.notEqual(rebuilt.mediaId, mediaId);
  assert.equal((await at<{ mediaId: string }>("media", "rebuild", rebuilt.mediaId, "-o", join(folder, "same.wim"))).mediaId, rebuilt.mediaId, "nothing has changed since");
  const list = await cli(["media", "chunks", second, "--json"]);
  assert.equal(list.exitCode, 0, list.stdout + list.stderr);

  await runWimlib(["append", await tree("agent", { "agent.mjs": "a newer agent" }), boot, "3", "--unix-data", "--check"]);
  await runWimlib(["delete", boot, "2", "--check"]);
  await at("boot-image", "import", boot, "--name", "Boot");
  assert.deepEqual((await planned()).map(({ kind, state, bytes }) => [kind, state, kind === "boot-image" ? bytes : undefined]), [["package", "revised", undefined], ["boot-image", "revised", 0]]);
  assert.match((await cli(["media", "plan", mediaId, "--data", data])).stdout, /Boot image Boot: revision 2 is newer than the media's/);

  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/second.wim`;
  const dry = await at<{ reused: number; toFetch: number }>("media", "refresh", first, "--from", url, "--dry-run");
  const listed = served;
  const result = await at<{ reused: number; fetched: number }>("media", "refresh", first, "--from", url, "-o", made);
  assert.deepEqual(dry, { ...dry, reused: result.reused, toFetch: result.fetched });
  served -= listed; // the dry run fetched the list alone
  assert.ok((await readFile(made)).equals(await readFile(second)));
  assert.equal(served, result.fetched);
  assert.ok(result.fetched < 700_000 && result.reused > 2_500_000, JSON.stringify(result));
  assert.equal(await readFile(`${made}.sha256`, "utf8"), (await readFile(`${second}.sha256`, "utf8")).replace("second.wim", "made.wim"));
  await at("media", "refresh", first, "--from", second, "-o", join(folder, "from-file.wim"));

  for (const [args, code] of [
    [[join(folder, "none.wim"), "--from", url, "-o", made], "PRESTAGE_CLI_BAD_ARGUMENT"], [[first, "--from", url, "-o", first], "PRESTAGE_CLI_BAD_ARGUMENT"],
    [[first, "--from", url.replace("second", "none"), "-o", made], "PRESTAGE_CLI_BAD_ARGUMENT"], [[first, "--from", first, "-o", made], "PRESTAGE_CLI_FILE_UNREADABLE"],
  ] as const) {
    const refused = await cli(["media", "refresh", ...args, "--data", data, "--json"]);
    assert.deepEqual([refused.exitCode, (refused.json as { error: { code: string } }).error.code], [1, code], args.join(" "));
  }
  const foreign = join(folder, "foreign.json");
  await writeFile(foreign, await readFile(join(data, "keys/keyring.dsse.json")).then((bytes) => Buffer.from(JSON.stringify({ ...(JSON.parse(bytes.toString()) as object), payload: "e30=" }))));
  const untrusted = join(folder, "untrusted.wim");
  assert.equal((await cli(["media", "refresh", first, "--from", `${url}?token=1`, "-o", untrusted, "--keyring", foreign, "--json"])).exitCode, 1);
  assert.equal(await stat(untrusted).then(() => true, () => false), false, "what is not trusted keeps no name");
  const { size } = await stat(second);
  const file = await open(second, "r+");
  await file.write(Buffer.from("not what the list says"), 0, 22, size >> 1);
  await file.close();
  const altered = await cli(["media", "refresh", boot, "--from", url, "-o", join(folder, "altered.wim"), "--data", data, "--json"]);
  assert.equal((altered.json as { error: { code: string } }).error.code, "PRESTAGE_CONTENT_FETCH_FAILED");
});

test("a depot brings its bundle up to a newer one, over HTTP or from a folder: the same files, the same modes, only what changed fetched; cut off, it goes on", async () => {
  const large = randomBytes(3_000_000);
  const importTool = async (text: string) => at<{ id: string }>("package", "import", await tree("bundled", { "large.bin": large, "version.txt": text.repeat(1000) }), "--name", "Bundled", "--program", "Run=true");
  const { id: tool } = await importTool("one");
  await writeFile(join(folder, "bundled.yaml"), `name: Bundled\nsteps:\n  - { name: Tool, type: install-package, with: { package: ${tool}, program: Run } }\n`);
  const { id } = await at<{ id: string }>("sequence", "add", join(folder, "bundled.yaml"));
  const make = async (name: string) => {
    await at("media", "create", "--task-sequence", id, "-o", join(folder, `${name}.wim`));
    await at("stage", "--bundle", join(folder, name), "--media", join(folder, `${name}.wim`));
  };
  await make("bundle-1");
  await importTool("two");
  await make("bundle-2");
  const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/bundle-2`;
  const everything = async (name: string) => {
    const found: [string, string, number][] = [];
    for (const entry of await readdir(join(folder, name), { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) found.push([relative(join(folder, name), path), createHash("sha256").update(await readFile(path)).digest("hex"), (await stat(path)).mode & 0o777]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  };
  const expected = await everything("bundle-2");
  assert.equal(expected.find(([path]) => path === "runner/bin/node")?.[2], 0o755);

  await rename(join(folder, "bundle-2/media.wim"), join(folder, "away"));
  const cut = await cli(["media", "refresh", join(folder, "bundle-1"), "--from", url, "-o", join(folder, "made"), "--data", data, "--json"]);
  assert.deepEqual([cut.exitCode, await stat(join(folder, "made")).then(() => true, () => false)], [1, false]);
  await rename(join(folder, "away"), join(folder, "bundle-2/media.wim"));
  served = 0;
  const made = await at<{ fetched: number; kept: number; files: number }>("media", "refresh", join(folder, "bundle-1"), "--from", url, "-o", join(folder, "made"));
  assert.deepEqual(await everything("made"), expected);
  assert.equal(served, made.fetched);
  assert.ok(made.fetched < 500_000, JSON.stringify(made));
  await at("media", "refresh", join(folder, "bundle-1"), "--from", join(folder, "bundle-2"), "-o", join(folder, "made-too"));
  assert.deepEqual(await everything("made-too"), expected);

  const refused = async (from: string, output: string, code: string) => {
    const result = await cli(["media", "refresh", join(folder, "bundle-1"), "--from", from, "-o", join(folder, output), "--data", data, "--json"]);
    assert.deepEqual([result.exitCode, (result.json as { error: { code: string } }).error.code], [1, code]);
    assert.equal(output === "made" || (await stat(join(folder, output)).then(() => false, () => true)), true);
  };
  await refused(url, "made", "PRESTAGE_STAGING_BUNDLE");
  await refused(`${url}-none`, "none", "PRESTAGE_STAGING_BUNDLE");
  const list = await readFile(join(folder, "bundle-2/SHA256SUMS"), "utf8");
  for (const text of [list.replace("README.txt", "../README.txt"), list.replace("README.txt", "/README.txt"), list.replace("run.sh", "README.txt"), "no list"]) {
    await writeFile(join(folder, "bundle-2/SHA256SUMS"), text);
    await refused(url, "none", "PRESTAGE_STAGING_BUNDLE");
  }
  await writeFile(join(folder, "bundle-2/SHA256SUMS"), list);
  await writeFile(join(folder, "bundle-2/README.txt"), "altered");
  await refused(url, "none", "PRESTAGE_STAGING_BUNDLE");
});

test("a media built again keeps every option, and its password without anybody knowing it", async () => {
  const [{ taskSequence } = { taskSequence: { id: "" } }] = (await at<{ manifest: { taskSequence: { id: string } } }[]>("media", "list")).map((media) => media.manifest);
  const options = ["--dynamic", "--management-point", "https://one.example.com", "--distribution-point", "https://dp.example.com", "--unattended", "--unattended-error", "power-off", "--variable", "OSDTimeZone=UTC", "--no-unknown-computers", "--valid-from", "2026-01-01T00:00:00Z", "--valid-to", "2199-01-01T00:00:00Z", "--language", "fr", "--keyboard", "de", "--stop-if-damaged", "--support-shell", "--user-device-affinity", "approval", "--prestart-command", "true", "--created-by", "me", "--version", "1", "--comment", "first"];
  const first = await cli(["media", "create", "--task-sequence", taskSequence.id, ...options, "--password-stdin", "-o", join(folder, "options.wim"), "--data", data, "--json"], undefined, "a password");
  assert.equal(first.exitCode, 0, first.stdout + first.stderr);
  const { mediaId } = first.json as { mediaId: string };
  const again = await at<{ mediaId: string }>("media", "rebuild", mediaId, "--version", "2", "-o", join(folder, "options-2.wim"));
  const manifestOf = async (id: string) => (await at<{ manifest: Record<string, unknown> }>("media", "show", id)).manifest;
  assert.deepEqual(await manifestOf(again.mediaId), { ...(await manifestOf(mediaId)), version: "2" });
  const verifiers = await site.context.db.selectFrom("media_password").select(["media_id", "verifier"]).execute();
  assert.deepEqual(new Set(verifiers.map((one) => one.media_id)), new Set([mediaId, again.mediaId]));
  assert.equal(new Set(verifiers.map((one) => one.verifier)).size, 1);
  const removed = await cli(["media", "rebuild", mediaId, "-o", join(folder, "options.wim"), "--data", data, "--json"]);
  assert.equal((removed.json as { error: { code: string } }).error.code, "PRESTAGE_MEDIA_OUTPUT_EXISTS");
});
