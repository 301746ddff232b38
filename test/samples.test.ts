import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { cli } from "../packages/cli/src/fixtures/run-cli.ts";
import { zip } from "../packages/cli/src/fixtures/zip.ts";

const root = join(import.meta.dirname, "..");
const folder = await mkdtemp(join(tmpdir(), "prestage-samples-"));
after(() => rm(folder, { recursive: true, force: true }));
const page = await readFile(join(root, "docs/import.md"), "utf8");

/** What is said of a source, as docs/import.md shows it: written into the folder `name`, and the folder's path is not told. */
async function said(source: string, name: string): Promise<string> {
  const { stdout, stderr, exitCode } = await cli(["sequence", "import", source, "-o", join(folder, name)]);
  assert.equal(exitCode, 3, stderr);
  return `${stdout.trimEnd()}\n${stderr.trimEnd()}`.replaceAll(`${folder}/`, "").split("\n").map((line) => (line === "" ? "" : `    ${line}`)).join("\n");
}

/** No sample's password is in anything that was written. */
async function assertNoPassword(name: string): Promise<void> {
  for (const file of await readdir(join(folder, name))) assert.ok(!(await readFile(join(folder, name, file), "utf8")).includes("not-a-real-one"), file);
}

function assertShown(command: string, text: string): void {
  const [, shown = ""] = page.split(`    ${command}\n\n`);
  assert.equal(shown.slice(0, text.length), text, `docs/import.md, behind ${command}`);
}

test("what becomes of the sample of a deployment share is what docs/import.md shows", async () => {
  const text = await said(join(root, "samples/mdt-share"), "office");
  assert.match(text, /disabled {3}Install \/ Own branding/);
  assertShown("prestage sequence import samples/mdt-share -o office", text);
  await assertNoPassword("office");
  const { json } = await cli(["sequence", "lint", join(folder, "office/OFFICE.yaml"), "--offline", "--json"]);
  const errors = (json as { findings: { level: string; rule: string; step?: { name: string } }[] }).findings.filter(({ level }) => level === "error");
  assert.deepEqual(errors.map(({ rule, step }) => [rule, step?.name]).toSorted(([, a = ""], [, b = ""]) => a.localeCompare(b)), ["Drawing board", "Inject Drivers", "Install Operating System"].map((name) => ["step-settings-invalid", name]), "nothing but the ids that are still to be filled in");
});

test("what becomes of the sample of an export is what docs/import.md shows", async () => {
  const sample = join(root, "samples/configmgr-export");
  const names = (await readdir(sample, { recursive: true })).filter((name) => name.endsWith("object.xml")).sort();
  await writeFile(join(folder, "desk.zip"), zip(await Promise.all(names.map(async (name) => [name, await readFile(join(sample, name), "utf8")] as const))));
  const text = await said(join(folder, "desk.zip"), "desk");
  assert.match(text, /disabled {3}In Windows \/ Join password/);
  assertShown("prestage sequence import desk.zip -o desk", text);
  await assertNoPassword("desk");
});
