import assert from "node:assert/strict";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { ContentObject } from "@prestage/contract";
import { cliSite } from "./fixtures/cli-site.ts";
import { cli } from "./fixtures/run-cli.ts";

const head = await cliSite({ patches: false });
const branch = await cliSite({ patches: false, siteCode: "XYZ" });
const file = join(head.folder, "content.wim");
const keyring = join(head.data, "keys/keyring.dsse.json");
const codeOf = async (...args: string[]) => ((await cli([...args, "--json"])).json as { error: { code: string } }).error.code;
let sources = 0;
const importTool = async (name: string, text: string, ...more: string[]) => head.at<ContentObject>("application", "import", await head.tree(`source-${sources++}`, { "data.txt": text }), "--name", name, "--install", "sh x", "--detect-file", "/x", ...more);
interface Imported { written: string[]; objects: { id: string; was: string; revision: number }[] }

test("content goes from one site to another, with what it depends on, under ids of its own; twice it is the same", async () => {
  const base = await importTool("Base", "base");
  const tool = await importTool("Tool", "tool", "--depends-on", base.id);
  const exported = await head.at<{ versions: number; objects: { id: string }[] }>("content", "export", tool.id, "-o", file);
  assert.deepEqual([exported.versions, exported.objects.map(({ id }) => id)], [2, [base.id, tool.id]]);
  assert.equal(await codeOf("content", "export", tool.id, "-o", file, "--data", head.data), "PRESTAGE_CONTENT_EXPORT_EXISTS");
  assert.equal(await codeOf("content", "import", file, "--data", branch.data), "PRESTAGE_TRUST_SIGNATURE_INVALID");
  const { written, objects } = await branch.at<Imported>("content", "import", file, "--trust", keyring);
  assert.deepEqual([written.length, objects.map(({ was }) => was)], [2, [base.id, tool.id]]);
  const [here] = await branch.at<ContentObject[]>("application", "show", objects[1]?.id ?? "");
  assert.ok(here !== undefined && here.id.startsWith("XYZ") && here.contentId === tool.contentId && here.definition.kind === "application");
  assert.deepEqual([here.definition.installCommand, here.definition.dependencies], ["sh x", [objects[0]?.id]]);
  assert.deepEqual((await branch.at<{ faults: unknown[] }>("content", "validate")).faults, []);
  const again = await branch.at<Imported>("content", "import", file, "--trust", keyring);
  assert.deepEqual([again.written, again.objects], [[], objects]);
  const changed = await importTool("Tool", "tool, revised", "--update", tool.id, "--depends-on", base.id);
  const next = join(head.folder, "next.wim");
  await head.at("content", "export", changed.id, "-o", next);
  const revised = await branch.at<Imported>("content", "import", next, "--trust", keyring);
  assert.deepEqual(revised.objects.map(({ id, revision }) => [id, revision]), [[objects[0]?.id, 1], [objects[1]?.id, 2]]);
});

test("a folder a web server serves is filled without a site; an altered file writes nothing", async () => {
  const www = join(head.folder, "www");
  const result = await cli(["content", "import", file, "--to", www, "--trust", keyring, "--json"]);
  assert.equal(result.exitCode, 0, result.stdout);
  for (const id of await readdir(join(www, "content"))) for (const name of ["content.wim", "index.json.zst", "storage.json"]) assert.ok((await readFile(join(www, "content", id, name))).equals(await readFile(join(head.data, "content", id, name))));
  assert.equal(await codeOf("content", "import", file, "--to", join(head.folder, "none"), "--data", "/nonexistent"), "PRESTAGE_CLI_BAD_ARGUMENT");
  const handle = await open(file, "r+");
  await handle.write(Buffer.from("altered"), 0, 7, 5000);
  await handle.close();
  for (const to of [["--to", join(head.folder, "none")], []]) assert.equal(await codeOf("content", "import", file, ...to, "--data", head.data), "PRESTAGE_CONTENT_EXPORT_ALTERED");
  assert.equal(await stat(join(head.folder, "none")).catch(() => undefined), undefined);
});

test("what is confidential leaves the site only when that is said, and never for a folder that is served", async () => {
  const secret = await importTool("Secret", "secret", "--confidential");
  const output = join(head.folder, "secret.wim");
  assert.equal(await codeOf("content", "export", secret.id, "-o", output, "--data", head.data), "PRESTAGE_SITE_CONFLICT");
  await head.at("content", "export", secret.id, "-o", output, "--confidential");
  assert.equal(await codeOf("content", "import", output, "--to", join(head.folder, "none"), "--trust", keyring), "PRESTAGE_CLI_BAD_ARGUMENT");
  const { objects } = await branch.at<Imported>("content", "import", output, "--trust", keyring);
  assert.equal((await branch.at<ContentObject[]>("application", "show", objects[0]?.id ?? ""))[0]?.confidential, true);
});
