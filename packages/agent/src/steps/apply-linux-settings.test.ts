import assert from "node:assert/strict";
import { mkdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { keyboardLayout, localeName, zoneName } from "@prestage/sequence";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { withSetting } from "./apply-linux-settings.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

async function apply(files: Record<string, string>, settings: object[], variables: Record<string, string> = {}) {
  const fixture = await makeRunFixture([...settings.map((one) => ({ type: "apply-linux-settings", with: { ...one }, continueOnError: true })), { type: "run-command-line", with: { command: "exit 1" } }]);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(fixture.folder, path)), { recursive: true });
    await writeFile(join(fixture.folder, path), text);
  }
  const context = await fixture.context({ variables: Object.entries(variables).map(([name, value]) => ({ name, value, source: "device" as const })) });
  await runSequence(context, { bootId: "1", machine });
  await context.status.flush();
  return { folder: fixture.folder, outcomes: fixture.kept.filter((message) => message.kind === "step-finished").slice(0, settings.length).map((message) => message.error?.code ?? message.outcome), read: (path: string) => readFile(join(fixture.folder, path), "utf8") };
}

const debian = { "etc/os-release": "ID=debian\n", "etc/debian_version": "12.5\n", "etc/timezone": "Etc/UTC\n", "usr/share/zoneinfo/Europe/Paris": "TZif", "usr/share/zoneinfo/Europe/Berlin": "TZif", "etc/default/keyboard": '# KEYBOARD\nXKBMODEL="pc105"\nXKBLAYOUT="us"\nXKBVARIANT=""\nBACKSPACE="guess"\n', "usr/lib/locale/locale-archive": "....fr_FR.utf8\0de_DE.utf8\0...." };

test("a Debian gets its time zone, language and keyboard; what else its files say stays, and again is the same", async () => {
  const settings = { timeZone: "Europe/Paris", locale: "fr_FR.UTF-8", keyboard: "ch:fr" };
  const { folder, outcomes, read } = await apply(debian, [settings, settings]);
  assert.deepEqual(outcomes, ["succeeded", "succeeded"]);
  assert.equal(await readlink(join(folder, "etc/localtime")), "/usr/share/zoneinfo/Europe/Paris");
  assert.equal(await read("etc/timezone"), "Europe/Paris\n");
  assert.equal(await read("etc/default/locale"), 'LANG="fr_FR.UTF-8"\n');
  assert.equal(await read("etc/default/keyboard"), '# KEYBOARD\nXKBMODEL="pc105"\nXKBLAYOUT="ch"\nXKBVARIANT="fr"\nBACKSPACE="guess"\n');
});

test("another Linux gets systemd's files; the reference's variables are taken as Windows writes them", async () => {
  const { "etc/debian_version": _, "etc/timezone": _zone, ...fedora } = debian;
  const { folder, outcomes, read } = await apply(fedora, [{}], { OSDTimeZone: "W. Europe Standard Time", OSDSystemLocale: "de-DE", OSDInputLocale: "0407:00000407" });
  assert.deepEqual(outcomes, ["succeeded"]);
  assert.equal(await readlink(join(folder, "etc/localtime")), "/usr/share/zoneinfo/Europe/Berlin");
  assert.equal(await read("etc/locale.conf"), 'LANG="de_DE.UTF-8"\n');
  assert.equal(await read("etc/vconsole.conf"), 'XKBLAYOUT="de"\nXKBVARIANT=""\nKEYMAP="de"\n');
});

test("what the system has not, leads out of it or is none fails the step, and nothing is written; without a system, too", async () => {
  const bad = [{ timeZone: "Europe/Atlantis" }, { timeZone: "../../../etc/passwd" }, { timeZone: "Europe" }, { locale: "it_IT.UTF-8" }, { locale: "$(id)" }, { keyboard: "fr;reboot\n" }, { timeZone: "Europe/Paris", keyboard: '"' }, {}];
  const { folder, outcomes, read } = await apply({ ...debian, "usr/share/zoneinfo/Europe/x": "" }, bad);
  assert.deepEqual(outcomes, ["PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID", "succeeded", "PRESTAGE_AGENT_STEP_INVALID", "PRESTAGE_AGENT_STEP_INVALID"]);
  await assert.rejects(readlink(join(folder, "etc/localtime")), { code: "ENOENT" });
  assert.match(await read("etc/default/keyboard"), /XKBLAYOUT="fr"/, "what comes after a semicolon is another keyboard, and left out");
  await symlink("/etc/passwd", join(folder, "usr/share/zoneinfo/Europe/Out"));
  assert.deepEqual((await apply({}, [{ timeZone: "Europe/Paris" }])).outcomes, ["PRESTAGE_DISK_FILE_MISSING"]);
});

test("names of Windows become those of Linux", () => {
  assert.deepEqual(["Romance Standard Time", "Asia/Tokyo", "UTC", "Nowhere Standard Time"].map(zoneName), ["Europe/Paris", "Asia/Tokyo", "Etc/UTC", undefined]);
  assert.deepEqual(["fr-CH", "C.UTF-8", "de_DE.UTF-8@euro", "de"].map(localeName), ["fr_CH.UTF-8", "C.UTF-8", "de_DE.UTF-8@euro", "de"]);
  assert.deepEqual(["100c:0000100c", "en-GB", "us:dvorak", "0455:00000455", "FR"].map(keyboardLayout), [{ layout: "ch", variant: "fr" }, { layout: "gb", variant: "" }, { layout: "us", variant: "dvorak" }, undefined, { layout: "fr", variant: "" }]);
  assert.equal(withSetting("", "LANG", "C"), 'LANG="C"\n');
  assert.equal(withSetting("A=1\nLANG=x\n\n", "LANG", "C"), 'A=1\nLANG="C"\n');
});
