import assert from "node:assert/strict";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runProgram } from "@prestage/disk";
import type { ImportedObject } from "../../demo/factory.ts";
import { debFolder } from "../../demo/real-content.ts";
import { withDataVolume } from "../support/disk-faults.ts";
import { FileServer } from "../support/file-server.ts";
import { NfsServer } from "../support/nfs-server.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { debianImage } from "../../demo/debian-image.ts";
import { runToItsEnd, withMachine } from "../support/machines.ts";

const limit = { timeout: 40 * 60_000 };
const passphrase = "recovery of this test's records";
/** What the steps run in the installed system, with what minbase lacks of their libraries. */
const tools = ["cryptsetup-bin", "libcryptsetup12", "libargon2-1", "libjson-c5", "libdevmapper1.02.1", "dmsetup", "libpopt0", "wimtools", "libwim15", "libfuse2", "libntfs-3g89", "libxml2", "libicu72", "cifs-utils", "libtalloc2", "libwbclient0", "libcap-ng0", "libbsd0", "libmd0", "libc-l10n", "locales"];
/** mount.nfs4 with its libraries. They are unpacked alone: none of the services of nfs-common is wanted. */
const nfsTools = ["nfs-common", "libtirpc3", "libtirpc-common", "libgssapi-krb5-2", "libkrb5-3", "libk5crypto3", "libkrb5support0", "libkeyutils1"];
const sharePassword = "of the share: a,b=c";
let server: FileServer;
let nfs: NfsServer;
let fixture: FaultSite;
let staged: StagedDisk;
let data = "";

before(async () => {
  const quiet = (): void => undefined;
  const [image, debs, nfsDebs] = [await debianImage(quiet), await debFolder("step-tools", tools, quiet, {}), await debFolder("nfs-tools", nfsTools, quiet, {})];
  fixture = await FaultSite.open("steps-on-disks");
  server = await FileServer.start(join(fixture.folder, "share"), "nobody", sharePassword);
  nfs = await NfsServer.start(join(fixture.folder, "nfs"));
  const folder = join(fixture.folder, "maps");
  await mkdir(folder);
  await writeFile(join(folder, "map"), "town\n");
  await runProgram("wimlib-imagex", ["capture", folder, join(fixture.folder, "maps.wim"), "Maps", "--unix-data"]);
  const add = (args: string[]) => fixture.site.run<ImportedObject>(args);
  const osImage = await add(["os-image", "import", image, "--name", "Debian 12", "--index", "1"]);
  const maps = await add(["os-image", "import", join(fixture.folder, "maps.wim"), "--name", "Maps", "--index", "1"]);
  const toolPackage = await add(["package", "import", debs, "--name", "Tools", "--program", /* cifs-utils wants Python for what is not used */ "Install=dpkg --force-depends -i ./*.deb"]);
  const nfsPackage = await add(["package", "import", nfsDebs, "--name", "NFS", "--program", "Install=dpkg --force-depends --unpack ./*.deb"]);
  const drivers = async (name: string, alias: string): Promise<string> => {
    const source = join(fixture.folder, name);
    await mkdir(join(source, "firmware"), { recursive: true });
    await writeFile(join(source, "modaliases"), `${alias}\n`);
    await writeFile(join(source, `firmware/prestage-${name}.bin`), name);
    return (await add(["driver-package", "import", source, "--name", name])).id;
  };
  // virtio:d00000001: the machine's network card.
  const [fitting, other] = [await drivers("fitting", "virtio:d00000001v*"), await drivers("other", "pci:v0000DEADd*sv*sd*bc*sc*i*")];
  const line = (id: string, type: string, settings: string) => `  - { id: ${id}, name: ${id}, type: ${type}, with: { ${settings} } }\n`;
  const command = (id: string, text: string) => line(id, "run-command-line", `command: ${JSON.stringify(text)}`);
  const proof = 'test "$(cat /srv/maps/map)" = town && test "$(findmnt -n -o SOURCE /srv/records)" = /dev/mapper/records && ip -4 -o address | grep -q "10.0.2.77/24" && test "$(stat -c %U /home/ann/letter)" = ann';
  const sequenceId = await fixture.addSequence("Deploy", [
    line("partition", "partition-disk", "disk: /dev/vdb, partitions: [{ name: maps, sizeMiB: 100 }, { name: records, sizeMiB: 250, fileSystem: none }, { name: exchange, type: windows, variable: Exchange }]"),
    command("exchange-proof", "test %Exchange% = /dev/vdb3"),
    line("apply", "apply-os-image", `osImage: ${osImage.id}`),
    line("set-up", "set-up-operating-system", "computerName: CUT-01, serialConsole: true, users: [{ name: ann }]"),
    line("settings", "apply-linux-settings", "timeZone: Romance Standard Time, keyboard: 'ch:fr'"),
    line("maps", "apply-data-image", `osImage: ${maps.id}, disk: /dev/vdb, partition: 1, mountPoint: /srv/maps`),
    line("early-folder", "connect-network-folder", `path: //10.0.2.2/drawings, port: ${server.port}, account: 'EXAMPLE\\nobody', password: { secret: SHARE }, readOnly: false, variable: Early`),
    command("early-proof", 'test "$(cat %Early%/plan)" = "the plan" && cp /mnt/data/etc/os-release %Early%/from-boot'),
    line("network", "apply-network-settings", "adapters: [{ addresses: [10.0.2.77/24], gateways: [10.0.2.2], dnsServers: [10.0.2.3] }]"),
    command("letter", "echo dear > /mnt/data/home/ann/letter && chmod 640 /mnt/data/home/ann/letter"),
    line("store", "request-state-store", "action: capture, store: local"),
    line("capture", "capture-user-state", ""),
    command("in-a-group", "chroot /mnt/data groupadd --gid 1500 drawings && chroot /mnt/data usermod --append --groups drawings ann"),
    line("capture-groups", "capture-local-groups", ""),
    command("out-of-it", "chroot /mnt/data groupdel drawings"),
    command("lost", "rm /mnt/data/home/ann/letter"),
    line("restart", "restart", "to: installed"),
    line("tools", "install-package", `package: ${toolPackage.id}, program: Install`),
    line("language", "apply-linux-settings", "locale: de-DE"),
    command("settings-proof", `test "$(date -d 2026-07-01 +%Z)" = CEST && . /etc/default/keyboard && test "$XKBLAYOUT/$XKBVARIANT" = ch/fr && . /etc/default/locale && test "$(LC_ALL=$LANG locale mon | cut -d';' -f3)" = März`),
    line("store-again", "request-state-store", "action: restore, store: local"),
    line("restore", "restore-user-state", ""),
    line("restore-groups", "restore-local-groups", ""),
    command("group-proof", 'test "$(getent group drawings)" = drawings:x:1500:ann'),
    line("release", "release-state-store", "remove: true"),
    line("record", "record-deployment", 'more: { ImageVersion: "12" }'),
    line("drivers", "auto-apply-drivers", `driverPackages: [${fitting}, ${other}]`),
    command("drivers-proof", 'test "$(cat /lib/firmware/prestage-fitting.bin)" = fitting && ! test -e /lib/firmware/prestage-other.bin'),
    line("encrypt", "encrypt-disk", "disk: /dev/vdb, partition: 2, name: records, passphrase: { secret: RECOVERY }, mountPoint: /srv/records"),
    command("proof", `${proof} && echo kept > /srv/records/file && sync`),
    line("encrypt-again", "encrypt-disk", "disk: /dev/vdb, partition: 2, name: records, passphrase: { secret: RECOVERY }, mountPoint: /srv/records"),
    line("folder", "connect-network-folder", `path: //10.0.2.2/drawings, port: ${server.port}, account: 'EXAMPLE\\nobody', password: { secret: SHARE }, variable: Drawings`),
    command("folder-proof", 'test "$(cat %Drawings%/plan)" = "the plan" && ! touch %Drawings%/mine && ! ls /run/prestage/folders/credentials'),
    line("as-ann", "run-command-line", `command: ${JSON.stringify('test "$(id -un)" = ann && test "$HOME" = /home/ann && prestage-variable Who "$(id -un)"')}, account: { name: ann }`),
    line("keep-name", "capture-system-settings", ""),
    line("keep-addresses", "capture-network-settings", ""),
    command("kept-proof", 'test "%Who%" = ann && test "$(echo %OSDComputerName% | tr a-z A-Z)" = CUT-01 && test "%OSDAdapter0IPAddressList%" = 10.0.2.77 && test "%OSDAdapter0SubnetMask%" = 255.255.255.0'),
    line("nfs-tools", "install-package", `package: ${nfsPackage.id}, program: Install`),
    line("nfs", "connect-network-folder", `path: '10.0.2.2:/plans', port: ${nfs.port}, readOnly: false, variable: Plans`),
    command("nfs-proof", 'test "$(cat %Plans%/plan)" = "the plan" && test "$(findmnt -n -o FSTYPE %Plans%)" = nfs4 && cp /etc/os-release %Plans%/from-installed'),
    line("nfs-read-only", "connect-network-folder", `path: '10.0.2.2:/plans/', port: ${nfs.port}, variable: Same`),
    command("nfs-same", 'test "%Same%" = "%Plans%" && test "$(findmnt -n -o TARGET %Plans% | wc -l)" = 1'),
    line("restart-again", "restart", "to: installed"),
    command("nfs-again", 'test "$(cat %Plans%/plan)" = "the plan"'),
    command("proof-again", `${proof} && test "$(cat /srv/records/file)" = kept && echo proven > /etc/proven`),
  ].join(""));
  const deployment = await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  await fixture.site.run(["deployment", "set", deployment, "--secret-variable", "RECOVERY"], undefined, passphrase);
  await fixture.site.run(["deployment", "set", deployment, "--secret-variable", "SHARE"], undefined, sharePassword);
  const media = await fixture.createMedia("media", sequenceId, ["--os-image", osImage.id]);
  staged = await fixture.stage(media, "staged", "5G");
  data = join(fixture.folder, "data.img");
  await writeFile(data, "");
  await truncate(data, 512 << 20);
}, limit);

after(async () => {
  server?.stop();
  nfs?.stop();
  await fixture?.close();
});

test("a data image, an encrypted volume, mounted shares of SMB and NFS, static addresses, users' files and groups, and drivers that fit are there after every start; a command runs as another account; name and addresses are kept; time zone, language and keyboard are set", limit, async (t) => {
  await withMachine(t, fixture, "steps-on-disks", { disk: staged.path, extraDisks: [{ path: data, bus: "virtio" }] }, async (on) => {
    const { status } = await runToItsEnd(fixture, on);
    const ended = status.filter((message) => message.kind === "step-finished").map((message) => [message.step?.id, message.outcome, message.error?.message ?? ""]);
    t.diagnostic(JSON.stringify(ended));
    assert.deepEqual(ended.filter(([, outcome]) => outcome !== "succeeded"), []);
    assert.ok(![passphrase, sharePassword].some((secret) => JSON.stringify(status).includes(secret)));
  });
  assert.match(await readFile(join(fixture.folder, "share/drawings/from-boot"), "utf8"), /^ID=debian$/m);
  assert.match(await readFile(join(fixture.folder, "nfs/plans/from-installed"), "utf8"), /^ID=debian$/m);
  await withDataVolume(staged.path, async (reader) => {
    assert.equal((await reader.readFile("etc/proven")).toString(), "proven\n");
    assert.match((await reader.readFile("etc/prestage-deployment")).toString(), /^PRESTAGE_TASK_SEQUENCE="[A-Z0-9]{8}"\nPRESTAGE_TASK_SEQUENCE_NAME="Deploy"\n[^]*PRESTAGE_IMAGE_VERSION="12"\nPRESTAGE_TIME="/m);
    assert.match((await reader.readFile("etc/crypttab")).toString(), /^records UUID=[0-9a-f-]{36} \/etc\/cryptsetup-keys\.d\/records\.key luks,nofail$/m);
    assert.equal(await reader.has("prestage"), false);
  });
});
