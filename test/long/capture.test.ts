import assert from "node:assert/strict";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { TestContext } from "node:test";
import { runProgram } from "@prestage/disk";
import { openWimFile } from "@prestage/wim";
import { debianImage } from "../../demo/debian-image.ts";
import type { ImportedObject } from "../../demo/factory.ts";
import { withDataVolume } from "../support/disk-faults.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { FileServer } from "../support/file-server.ts";
import { runToItsEnd, withMachine } from "../support/machines.ts";

const limit = { timeout: 60 * 60_000 };
const sharePassword = "of the share: a,b=c";
let fixture: FaultSite;
let server: FileServer;
let reference: StagedDisk;
let sequenceId = "";

const line = (id: string, type: string, settings: string) => `  - { id: ${id}, name: ${id}, type: ${type}, with: { ${settings} } }\n`;
const command = (id: string, text: string) => line(id, "run-command-line", `command: ${JSON.stringify(text)}`);

/** A Debian package of one file, which says its version. */
async function makeDeb(folder: string, version: string): Promise<string> {
  const tree = join(folder, `tree-${version}`);
  await mkdir(join(tree, "DEBIAN"), { recursive: true });
  await mkdir(join(tree, "usr/share/notice"), { recursive: true });
  await writeFile(join(tree, "DEBIAN/control"), `Package: notice\nVersion: ${version}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: of a test\n`);
  await writeFile(join(tree, "usr/share/notice/text"), `${version}\n`);
  // What its script sees of the EFI system partition: an update must see none while the deployment lasts.
  await writeFile(join(tree, "DEBIAN/postinst"), `#!/bin/sh\nif [ -d /boot/efi/EFI/debian ]; then touch /etc/esp-seen-by-${version}; fi\n`, { mode: 0o755 });
  const target = join(folder, version);
  await mkdir(target);
  await runProgram("dpkg-deb", ["--root-owner-group", "-b", tree, join(target, `notice_${version}_all.deb`)]);
  return target;
}

before(async () => {
  const image = await debianImage(() => undefined);
  fixture = await FaultSite.open("capture");
  server = await FileServer.start(join(fixture.folder, "share"), "nobody", sharePassword);
  const debs = join(fixture.folder, "debs");
  await mkdir(debs);
  const [first, second] = [await makeDeb(debs, "1"), await makeDeb(debs, "2")];
  const add = (args: string[]) => fixture.site.run<ImportedObject>(args);
  const osImage = await add(["os-image", "import", image, "--name", "Debian 12", "--index", "1"]);
  const notice = await add(["package", "import", first, "--name", "Notice", "--program", "Install=dpkg -i ./*.deb"]);
  const updates = await add(["package", "import", second, "--name", "Updates", "--program", "None=true"]);
  sequenceId = await fixture.addSequence("Deploy", [
    line("apply", "apply-os-image", `osImage: ${osImage.id}`),
    line("set-up", "set-up-operating-system", "computerName: REF-01, serialConsole: true, users: [{ name: ann }]"),
    line("restart", "restart", "to: installed"),
    line("notice", "install-package", `package: ${notice.id}, program: Install`),
    command("wish", "touch /var/run/reboot-required"),
    line("updates", "install-updates", `package: ${updates.id}`),
    command("updated", 'test "$(cat /usr/share/notice/text)" = 2 && test ! -e /var/run/reboot-required && test -e /etc/esp-seen-by-1 && test ! -e /etc/esp-seen-by-2 && test -d /boot/efi/EFI/debian && echo reference > /etc/reference && echo log > /var/log/own.log && test -s /etc/machine-id && test -s /etc/ssh/ssh_host_ed25519_key'),
    line("prepare", "prepare-capture", ""),
    line("back", "restart", "to: environment"),
    line("folder", "connect-network-folder", `path: //10.0.2.2/drawings, port: ${server.port}, account: 'EXAMPLE\\nobody', password: { secret: SHARE }, readOnly: false, variable: Images`),
    line("capture", "capture-os-image", 'to: "%Images%\\\\references", file: debian.wim, name: Reference, description: Debian of a reference computer, version: "1", compression: xpress'),
    line("local", "capture-os-image", "file: local.wim, name: Backup, everything: true, compression: none"),
    line("forth", "restart", "to: installed"),
    command("still", 'test "$(cat /etc/reference)" = reference && test -s /prestage/captured-images/local.wim'),
  ].join(""));
  const deployment = await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  await fixture.site.run(["deployment", "set", deployment, "--secret-variable", "SHARE"], undefined, sharePassword);
  reference = await fixture.stage(await fixture.createMedia("media", sequenceId, ["--os-image", osImage.id]), "reference", "8G");
}, limit);

after(async () => {
  server?.stop();
  await fixture?.close();
});

/** Deploys a disk to its end; every step has succeeded. */
async function deploy(t: TestContext, name: string, disk: StagedDisk): Promise<void> {
  await withMachine(t, fixture, name, { disk: disk.path }, async (on) => {
    const { status } = await runToItsEnd(fixture, on);
    const ended = status.filter((message) => message.kind === "step-finished").map((message) => [message.step?.id, message.outcome, message.exitCode ?? "", message.error?.message ?? "", message.seconds ?? 0]);
    t.diagnostic(JSON.stringify(ended));
    assert.deepEqual(ended.filter(([, outcome]) => outcome !== "succeeded"), []);
    if (name === "reference") assert.deepEqual(ended.filter(([id]) => id === "updates").map(([, , code]) => code), [3010]);
    assert.ok(!JSON.stringify(status).includes(sharePassword));
  });
}

const identity = (disk: StagedDisk) => withDataVolume(disk.path, async (reader) => {
  const text = async (path: string) => (await reader.readFile(path)).toString();
  return { machineId: await text("etc/machine-id"), hostKey: await text("etc/ssh/ssh_host_ed25519_key.pub"), name: await text("etc/hostname"), reference: await text("etc/reference"), notice: await text("usr/share/notice/text"), log: await reader.has("var/log/own.log"), prestage: await reader.has("prestage"), local: await reader.has("var/lib/prestage/captured-images/local.wim") };
});

test("a reference computer is updated, prepared, restarted into the boot environment, captured to a share and beside the deployment, and goes on in its own system", limit, async (t) => {
  await deploy(t, "reference", reference);
  assert.deepEqual(await readdir(join(fixture.folder, "share/drawings/references")), ["debian.wim"]);
  const { machineId, hostKey, name, reference: own, notice, log, prestage, local } = await identity(reference);
  assert.match(machineId, /^[0-9a-f]{32}\n$/);
  assert.match(hostKey, /^ssh-ed25519 /);
  assert.deepEqual([name, own, notice, log, prestage, local], ["REF-01\n", "reference\n", "2\n", true, false, true]);
  const wim = await openWimFile(join(fixture.folder, "share/drawings/references/debian.wim"));
  try {
    const [image] = wim.xml.images;
    assert.deepEqual([image?.name, image?.description], ["Reference", "Debian of a reference computer"]);
    const names = (await wim.readImage(1)).root.children.map((entry) => entry.name);
    assert.ok(names.includes("usr") && !names.includes("prestage"), names.join(" "));
  } finally {
    await wim.close();
  }
});

test("what was captured is imported and deployed to another computer, which is one of its own", limit, async (t) => {
  const image = join(fixture.folder, "share/drawings/references/debian.wim");
  assert.ok((await stat(image)).size > 50 << 20);
  const osImage = await fixture.site.run<ImportedObject>(["os-image", "import", image, "--name", "Reference", "--index", "1"]);
  const again = await fixture.addSequence("Deploy", [
    line("apply", "apply-os-image", `osImage: ${osImage.id}`),
    line("set-up", "set-up-operating-system", "computerName: OFFICE-02, serialConsole: true, users: []"),
    line("restart", "restart", "to: installed"),
    command("proof", 'test "$(cat /etc/reference)" = reference && test "$(hostname)" = OFFICE-02 && dpkg --audit && id ann && test -s /etc/machine-id'),
  ].join(""));
  assert.equal(again, sequenceId, "a revision of the same sequence");
  const office = await fixture.stage(await fixture.createMedia("media-2", sequenceId, ["--os-image", osImage.id]), "office", "8G");
  await deploy(t, "office", office);
  const [first, second] = [await identity(reference), await identity(office)];
  assert.deepEqual([second.name, second.reference, second.notice, second.log, second.prestage, second.local], ["OFFICE-02\n", "reference\n", "2\n", false, false, false]);
  assert.match(second.machineId, /^[0-9a-f]{32}\n$/);
  assert.notEqual(second.machineId, first.machineId);
  assert.match(second.hostKey, /^ssh-ed25519 /);
  assert.notEqual(second.hostKey, first.hostKey);
});
