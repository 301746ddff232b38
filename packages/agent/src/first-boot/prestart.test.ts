import assert from "node:assert/strict";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ContentLibrary, importFolder } from "@prestage/content";
import { TerminalScreen } from "../screens/terminals.ts";
import { runPrestart, withPrestart } from "./prestart.ts";

const root = await mkdtemp(join(tmpdir(), "prestage-prestart-"));
after(() => rm(root, { recursive: true, force: true }));

const folder = join(root, "run");
async function run(command: string, variables: { name: string; value: string }[] = [], content?: { objectId: string; contentId: string }) {
  const logged: string[] = [];
  const manifest = { variables, content: content === undefined ? [] : [{ ...content, kind: "package" as const, name: "p", revision: 1 }], prestart: { command, ...(content && { package: content.objectId }) } };
  const set = await runPrestart({ manifest, dataRoot: root, folder, screen: new TerminalScreen(), signal: new AbortController().signal, log: (line) => void logged.push(line) });
  return { set, logged };
}

test("a media without one runs nothing", async () => {
  assert.deepEqual(await runPrestart({ manifest: { variables: [], content: [] }, dataRoot: root, folder, screen: new TerminalScreen(), signal: new AbortController().signal, log: () => undefined }), []);
});

test("it reads the media's variables and sets others; the last value counts, what is unchanged is not its own; its output is logged", async () => {
  const { set, logged } = await run('echo "asset $(prestage-variable asset)"; prestage-variable OSDComputerName PC-1; prestage-variable OSDComputerName "PC = 2"; prestage-variable ASSET 42; prestage-variable Kept same', [{ name: "Asset", value: "7" }, { name: "Kept", value: "same" }]);
  assert.deepEqual(set, [{ name: "ASSET", value: "42" }, { name: "OSDComputerName", value: "PC = 2" }]);
  assert.ok(logged.includes("prestart: asset 7"));
  assert.deepEqual(withPrestart([{ name: "Asset", value: "7" }, { name: "B", value: "b" }], set), [{ name: "B", value: "b" }, ...set]);
  await assert.rejects(readdir(folder), { code: "ENOENT" });
});

test("another exit code than 0 stops, and so does what is no variable or one of the system's own", async () => {
  for (const command of ["exit 3", "echo nonsense >> $PRESTAGE_VARIABLES", "prestage-variable _SMSTSSiteCode XYZ", "prestage-variable 'a b' c"]) await assert.rejects(run(command), { code: "PRESTAGE_AGENT_PRESTART_FAILED" });
});

test("it runs in a copy of its package's files, each verified: one that is damaged, or missing, runs nothing", async () => {
  const source = join(root, "source");
  await mkdir(source);
  await writeFile(join(source, "ask.sh"), "prestage-variable FromPackage yes\n");
  const library = new ContentLibrary(join(root, "library"));
  const { contentId } = await importFolder(library, source);
  const version = await library.open(contentId);
  const place = join(root, "prestage/content", contentId);
  await mkdir(join(place, "files"), { recursive: true });
  for (const name of ["index.json", "chunks.bin"]) await copyFile(join(version.folder, name), join(place, name));
  await writeFile(join(place, "files/ask.sh"), "prestage-variable FromPackage yes\n");
  const content = { objectId: "ABC00001", contentId };
  assert.deepEqual((await run("sh ./ask.sh", [], content)).set, [{ name: "FromPackage", value: "yes" }]);
  await writeFile(join(place, "files/ask.sh"), "prestage-variable FromPackage nay\n");
  await assert.rejects(run("sh ./ask.sh", [], content));
  await assert.rejects(run("sh ./ask.sh", [], { ...content, contentId: "0".repeat(64) }), { code: "PRESTAGE_AGENT_PRESTART_FAILED" });
});
