import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { ExportedObject } from "@prestage/sequence/import";
import { findExportContent } from "./export-content.ts";
import { zip } from "./fixtures/zip.ts";

const folder = await mkdtemp(join(tmpdir(), "prestage-export-content-"));
after(() => rm(folder, { recursive: true, force: true }));
const object = (guid: string, images?: string[]): ExportedObject => ({ kind: images === undefined ? "package" : "os-image", guid, name: guid, version: "", sources: [], places: [`first-${guid}`, guid], enabled: true, notes: [], ...(images !== undefined && { images }) });
const temporaries = async () => (await readdir(tmpdir())).filter((name) => name.startsWith("prestage-content-"));

test("content is found beside an export by its object's folder, whatever its case; a file or a link in place of a folder is none", async () => {
  const beside = join(folder, "Desk_files");
  await mkdir(join(beside, "ps1"), { recursive: true });
  await mkdir(join(beside, "first-PS2"));
  await writeFile(join(beside, "PS3"), "");
  await symlink(beside, join(beside, "PS4"));
  await writeFile(join(folder, "Desk.zip"), zip([["a", "b"]]));
  const { objects, temporary } = await findExportContent(join(folder, "Desk.zip"), ["PS1", "PS2", "PS3", "PS4", "PS5"].map((id) => object(id)), true);
  assert.deepEqual([objects.map((one) => one.sources), temporary], [[["PS1"], ["first-PS2"]], undefined]);
});

test("of an image the .wim it names is taken, else the only one; of several none", async () => {
  for (const [id, names] of [["PS1", ["other.wim", "W11.WIM"]], ["PS2", ["only.wim", "readme.txt"]], ["PS3", ["a.wim", "b.wim"]]] as const) {
    await mkdir(join(folder, "Images_files", id), { recursive: true });
    for (const name of names) await writeFile(join(folder, "Images_files", id, name), "");
  }
  await mkdir(join(folder, "Images_files", "PS4/sources"), { recursive: true });
  await writeFile(join(folder, "Images_files", "PS4/sources/install.wim"), "");
  const { objects } = await findExportContent(join(folder, "Images.zip"), ["PS1", "PS2", "PS3", "PS4"].map((id) => object(id, ["w11.wim", "sources/install.wim"])), true);
  assert.deepEqual(objects.map((one) => one.sources), [["PS1/w11.wim"], ["PS2/only.wim"], ["PS4/sources/install.wim"]]);
});

test("content within the .zip is unpacked into a folder of its own, or only looked at", async () => {
  const path = join(folder, "Whole.zip");
  await writeFile(path, zip([["SMS_Package/PS1/object.xml", "<a/>"], ["Whole_files/PS1/bin/set up.exe", "program"], ["Whole_files/PS1/empty/", ""]]));
  for (const [contents, expected] of [[true, "program"], [false, ""]] as const) {
    const { folder: { root }, objects, temporary } = await findExportContent(path, [object("PS1"), object("PS2")], contents);
    assert.ok(temporary !== undefined && temporary === root);
    assert.deepEqual(objects.map((one) => one.guid), ["PS1"]);
    assert.equal(await readFile(join(root, "PS1/bin/set up.exe"), "utf8"), expected);
    assert.deepEqual([(await readdir(root)).length, (await lstat(join(root, "PS1/empty"))).isDirectory()], [1, true]);
    await rm(temporary, { recursive: true });
  }
  await writeFile(path, zip([["SMS_Package/PS1/object.xml", "<a/>"]]));
  assert.equal((await findExportContent(path, [object("PS1")], true)).temporary, undefined);
});

test("names that lead out, links, passwords, files given twice and what is no .zip are refused, and leave nothing", async () => {
  const before = await temporaries();
  const path = join(folder, "Bad.zip");
  const link = zip([["Bad_files/PS1/a", "1"], ["Bad_files/PS1/link", "/etc/passwd"]], (name) => (name.endsWith("link") ? { mode: 0o120777 } : {}));
  const locked = zip([["Bad_files/PS1/a", "1"]], () => ({ flags: 1 }));
  const tooLong = `Bad_files/${"a/".repeat(70)}b`;
  for (const bytes of [link, locked, ...[["Bad_files/../../evil"], ["Bad_files/PS1/..\\evil"], ["/Bad_files/PS1/a"], ["Bad_files/PS1/./a"], ["Bad_files/PS1/C:a"], ["Bad_files/PS1/a", "Bad_files/PS1/a"], ["Bad_files/PS1/a", "Bad_files/PS1/a/b"], [tooLong]].map((names) => zip(names.map((name) => [name, "x"] as const))), Buffer.from("PK no zip")]) {
    await writeFile(path, bytes);
    await assert.rejects(findExportContent(path, [object("PS1")], true), { code: "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN" }, bytes.toString("latin1", 0, 80));
  }
  // Small files that say to be larger than any disk.
  await writeFile(path, zip(Array.from({ length: 40 }, (_, i) => [`Bad_files/PS1/${i}`, "1"] as const), () => ({ size: 0xffff_fff0 })));
  await assert.rejects(findExportContent(path, [object("PS1")], false), { code: "PRESTAGE_SEQUENCE_IMPORT_UNKNOWN", message: /room for it/ });
  assert.deepEqual(await temporaries(), before);
});
