import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { emptyHive } from "../registry/empty-hive.ts";
import { putKey } from "../registry/hive-edit.ts";
import { Hive } from "../registry/hive.ts";
import { createHash } from "node:crypto";
import { changeHive, currentControlSet } from "./change-hive.ts";
import { layWindowsBootFiles } from "./windows-boot-files.ts";

const guids = { diskGuid: "00112233-4455-6677-8899-aabbccddeeff", espGuid: "11111111-2222-3333-4444-555555555555", volumeGuid: "deadbeef-0102-0304-0506-070809101112" };
const at = new Date("2026-01-02T03:04:05Z");

async function inFolders(use: (volumeRoot: string, espRoot: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-boot-files-"));
  try {
    await use(join(folder, "volume"), join(folder, "esp"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function lay(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

const windows = { "Windows/Boot/EFI/bootmgfw.efi": "manager", "Windows/Boot/EFI/de-DE/bootmgfw.efi.mui": "texts", "Windows/Boot/Fonts/segmono_boot.ttf": "font", "Windows/Boot/Resources/bootres.dll": "resources", "Windows/Boot/EFI_EX/bootmgfw_EX.efi": "other", "windows/system32/winload.efi": "loader" };

test("the image's own boot files and a store come onto the ESP; again, only what is wrong is written", async () => {
  await inFolders(async (volumeRoot, espRoot) => {
    await lay(volumeRoot, Object.fromEntries(Object.entries(windows).map(([path, text]) => [path.replace(/^windows\/system32/i, "Windows/SYSTEM32"), text])));
    await symlink("/etc/passwd", join(volumeRoot, "Windows/Boot/EFI/link.efi"));
    const options = { volumeRoot, espRoot, ...guids };
    const first = await layWindowsBootFiles(options);
    assert.deepEqual([first.files, first.written], [5, 5]);
    const boot = join(espRoot, "EFI/Microsoft/Boot");
    const read = (name: string) => readFile(join(boot, name), "utf8");
    assert.deepEqual([await read("bootmgfw.efi"), await read("de-DE/bootmgfw.efi.mui"), await read("Fonts/segmono_boot.ttf"), await read("Resources/bootres.dll")], ["manager", "texts", "font", "resources"]);
    assert.ok(new Hive(await readFile(join(boot, "BCD"))).find(["Objects", "{9dea862c-5cdd-4e70-acc1-f32b344d4795}"]));
    await writeFile(join(boot, "bootmgfw.efi"), "half of it, and more bytes behind"); // as a cut leaves it
    assert.equal((await layWindowsBootFiles(options)).written, 1);
    assert.equal(await read("bootmgfw.efi"), "manager");
  });
});

test("an image without a boot manager, or without its loader, is refused before anything is written", async () => {
  for (const missing of ["bootmgfw.efi", "winload.efi"]) {
    await inFolders(async (volumeRoot, espRoot) => {
      await lay(volumeRoot, Object.fromEntries(Object.entries(windows).filter(([path]) => !path.endsWith(`/${missing}`)).map(([path, text]) => [path.replace("windows/system32", "Windows/System32"), text])));
      await assert.rejects(layWindowsBootFiles({ volumeRoot, espRoot, ...guids }), { code: "PRESTAGE_DISK_NO_BOOT_FILES", message: new RegExp(missing) });
      await assert.rejects(readFile(join(espRoot, "EFI/Microsoft/Boot/BCD")));
    });
  }
});

test("a hive is changed in place; one that a cut left half written is written again from what lies beside it", async () => {
  await inFolders(async (volumeRoot) => {
    await mkdir(volumeRoot, { recursive: true });
    const path = join(volumeRoot, "SYSTEM");
    const hive = putKey(emptyHive("ROOT", at), [], { keys: { Select: { values: { Current: { type: "dword", number: 2 } } }, ControlSet002: { keys: { Services: {} } } } }, at);
    await writeFile(path, hive);
    const change = (open: Hive) => [{ path: [currentControlSet(open), "Services"], key: { keys: { Agent: { values: { Start: { type: "dword" as const, number: 2 } } } } } }];
    assert.deepEqual(await changeHive(path, at, change), { changed: true });
    const changed = await readFile(path);
    assert.deepEqual(new Hive(changed).read(["ControlSet002", "Services", "Agent"]), { values: { Start: { type: "dword", number: 2 } } });
    assert.deepEqual(await changeHive(path, at, change), { changed: false });
    // Cut while it was written over: whole beside it, torn in its own place.
    await writeFile(`${path}.prestage`, Buffer.concat([changed, createHash("sha256").update(changed).digest()]));
    await writeFile(path, changed.subarray(0, 5000));
    assert.deepEqual(await changeHive(path, at, change), { changed: true });
    assert.ok((await readFile(path)).equals(changed));
    // Cut before: what lies beside it is not whole, and counts for nothing.
    await writeFile(`${path}.prestage`, changed.subarray(0, 5000));
    await writeFile(path, hive);
    assert.deepEqual(await changeHive(path, at, change), { changed: true });
    assert.ok((await readFile(path)).equals(changed));
    await assert.rejects(readFile(`${path}.prestage`));
    await assert.rejects(changeHive(join(volumeRoot, "none"), at, change), { code: "PRESTAGE_DISK_BAD_REGISTRY" });
  });
});
