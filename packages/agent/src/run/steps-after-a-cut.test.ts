import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import type { ApplicationDefinition, PolicyContent } from "@prestage/contract";
import { mountExt4, readPartitionTable, runProgram, unmount } from "@prestage/disk";
import { stepTypeOf, stepTypes } from "@prestage/sequence";
import type { Step } from "@prestage/sequence";
import { deviceAliases } from "../facts/device-aliases.ts";
import { cuts, runThroughCut } from "../fixtures/cut-run.ts";
import { withLoopDisk } from "../fixtures/loop-disk.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { listed } from "../fixtures/listed.ts";
import { placeOfFolder } from "../steps/network-folders.ts";
import type { RunContext } from "./run-context.ts";

/** What a row's run has besides its own folder. */
interface Place { disk: string; partitions: string[] }
const nowhere: Place = { disk: "/dev/null", partitions: [] };

/** A kind of step that is run here, cut and begun again. The step is the last of `steps`; all that comes before it is there when it begins. */
interface Row {
  steps: (place: Place) => Partial<Step>[];
  environment?: "boot" | "installed";
  content?: (root: string) => PolicyContent[];
  /** Files of the system that is worked on. */
  files?: Record<string, string>;
  prepare?: (root: string, place: Place) => Promise<void>;
  change?: (root: string, place: Place) => Partial<RunContext>;
  /** Around one run. */
  within?: (use: (place: Place) => Promise<void>) => Promise<void>;
  /** The state after, in place of every file of the system. */
  look?: (root: string, place: Place) => Promise<unknown>;
  /** A step behind it fails, so that the run does not clean up what it mounted. */
  failsAfter?: true;
  /**
   * For what must not be done twice, how it is known to be done after a cut behind it. probe: the step's `once`, so it is not begun again; detection: the
   * application's own rule, so it is begun, and nothing is installed. Left out: doing it twice is doing it once.
   */
  onceBy?: "probe" | "detection";
}
/** A kind that needs more than a folder and a disk: the test, by its file and what its name holds, that runs it a second time. */
interface Elsewhere { file: string; test: string }
/** The same, and those tests kill it in the middle, at several places, and compare what is there after the next run with one that was not killed. */
interface CutElsewhere { cut: Elsewhere[] }
/** A kind for Windows alone: no Windows is started in any test; what it would do there is checked by its text. */
interface OnWindows { windows: string }

const application = (command: string, file: string): ApplicationDefinition => ({ kind: "application", installCommand: command, detection: [{ type: "file", path: file }], successCodes: [0], restartCodes: [], dependencies: [] });
const package_ = (id: string, programs: { name: string; command: string }[] = []) => contentOf(id, { kind: "package", programs: programs.map((one) => ({ ...one, successCodes: [0] })) });
/** Says something, so that it can be cut there, and then leaves a line: as many lines as times it was done. */
const leavesALine = "echo begun; sleep 0.3; echo done >> $(prestage-variable Place)/work";
const once = { file: "/work", property: "size", greater: 0 } as const;
const debian = { "etc/os-release": "ID=debian\n", "etc/debian_version": "12.5\n", "etc/timezone": "Etc/UTC\n", "usr/share/zoneinfo/Europe/Paris": "TZif", "usr/lib/locale/locale-archive": "fr_FR.utf8\0" };
const people = { "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000::/home/ann:/bin/bash\n", "etc/group": "root:x:0:\nann:x:1000:\nsudo:x:27:ann\n", "etc/shadow": "root:*:19000::::::\n", "etc/login.defs": "UID_MIN 1000\nUID_MAX 60000\n", "home/ann/letter": "dear" };
const localStore: Partial<Step> = { type: "request-state-store", with: { action: "capture", store: "local" } };

const rows: Record<string, Row | Elsewhere | CutElsewhere | OnWindows | "merged at the site"> = {
  "check-readiness": { steps: () => [{ type: "check-readiness", with: { memoryMiB: 1, processorMHz: 0 } }] },
  "set-dynamic-variables": { steps: () => [{ type: "set-dynamic-variables", with: { rules: [{ variable: { name: "_SMSTSPackageID", equals: "*" }, set: { Role: "desk" } }] } }] },
  "capture-network-settings": { steps: () => [{ type: "capture-network-settings" }] },
  "capture-system-settings": { environment: "boot", files: { "etc/hostname": "branch-07\n" }, steps: () => [{ type: "capture-system-settings" }] },
  "partition-disk": {
    environment: "boot", within: (use) => withEmptyDisk(160, use),
    steps: ({ disk }) => [{ type: "partition-disk", with: { disk, partitions: [{ name: "EFI", type: "efi", sizeMiB: 40 }, { name: "data", sizePercent: 100 }] } }],
    look: async (_, { disk }) => [(await readPartitionTable(disk)).partitions.map(({ name, type, size }) => [name, type, size]), await Promise.all([1, 2].map((number) => probed(`${disk}p${number}`)))],
  },
  "download-package-content": { content: () => [package_("ABC00005")], steps: () => [{ type: "download-package-content", with: { packages: ["ABC00005"], variable: "Got" } }] },
  "apply-os-image": { environment: "boot", files: { "old/file": "of the system before" }, prepare: (root) => makeImage(`${root}-image`), change: (root) => imageOf(`${root}-image`), steps: () => [{ type: "apply-os-image", with: { osImage: "ABC00003" } }], look: (root) => thenRemove(`${root}-image`, listed(root)) },
  "apply-windows-settings": { environment: "boot", files: { "Windows/System32/x": "" }, steps: () => [{ type: "apply-windows-settings", with: { timeZone: "UTC", computerName: "BRANCH-07" } }] },
  "set-up-operating-system": { cut: [
    { file: "packages/agent/src/steps/set-up-operating-system.test.ts", test: "set-up-operating-system on Linux, killed wherever it flushes what it has written, and begun again" },
    { file: "test/windows-shaped.test.ts", test: "set-up-operating-system of a Windows, killed wherever it flushes what it has written, and begun again" },
  ] },
  "apply-linux-settings": { environment: "boot", files: debian, steps: () => [{ type: "apply-linux-settings", with: { timeZone: "Europe/Paris", locale: "fr_FR.UTF-8" } }] },
  "apply-network-settings": { environment: "boot", files: debian, steps: () => [{ type: "apply-network-settings", with: { adapters: [{ mac: "52:54:00:12:34:56", addresses: ["10.17.0.20/24"], gateways: ["10.17.0.1"] }] } }] },
  "apply-data-image": {
    environment: "boot", files: { "etc/os-release": "" }, within: (use) => withLoopDisk(100, [20, 20, 40], (disk, partitions) => use({ disk, partitions })),
    prepare: async (root, { partitions: [, , free = ""] }) => {
      await runProgram("mke2fs", ["-q", "-F", "-t", "ext4", free]);
      await makeImage(`${root}/content`);
    },
    change: (root, place) => ({ ...imageOf(`${root}/content`), ...deployedOn(place) }),
    steps: ({ disk }) => [{ type: "apply-data-image", with: { osImage: "ABC00003", disk, partition: 3, wipe: true, mountPoint: "/srv/maps" } }],
    look: async (root, { partitions: [, , free = ""] }) => [await onExt4(free, `${root}/look`, listed), (await listed(join(root, "etc"))).map(([path]) => path)],
  },
  restart: { steps: () => [{ type: "restart", with: { to: "installed" } }, { type: "set-variable", with: { name: "After", value: "the restart" } }, { type: "restart", with: { to: "installed" } }] },
  "join-directory": { cut: [
    { file: "packages/agent/src/steps/join-directory.test.ts", test: "killed when the server has answered, or wherever it flushes what it has written, and begun again" },
    { file: "test/long/join-directory.test.ts", test: "killed while it joins an Active Directory, and begun again" },
  ] },
  "join-workgroup": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "encrypt-disk": { file: "packages/agent/src/steps/encrypt-disk.test.ts", test: "the volume is made, opened, kept with what is in it when the step is run again, and never opened without a key" },
  "connect-network-folder": {
    within: async (use) => {
      const place = placeOfFolder(drawings);
      await mkdir(place, { recursive: true });
      await runProgram("mount", ["-t", "tmpfs", drawings, place]);
      try {
        await use(nowhere);
      } finally {
        await runProgram("umount", [place], { accept: [0, 1, 32] });
      }
    },
    failsAfter: true,
    steps: () => [{ type: "connect-network-folder", with: { path: drawings, variable: "Drawings" } }],
    look: async () => (await readFile("/proc/mounts", "utf8")).split("\n").filter((line) => line.includes("of-a-cut")).length,
  },
  "request-state-store": { environment: "boot", files: people, steps: () => [localStore] },
  "capture-user-state": {
    environment: "boot", files: people, steps: () => [localStore, { type: "capture-user-state" }],
    look: async (root) => {
      const store = join(root, "prestage/user-state");
      const { users } = JSON.parse(await readFile(join(store, "user-state.json"), "utf8")) as { users: { name: string }[] };
      return [await readdir(store).then((names) => names.toSorted()), users.map(({ name }) => name), (await runProgram("wimlib-imagex", ["dir", join(store, "user-state.wim"), "1"])).output.replace(/\/?user-\S+/g, "")];
    },
  },
  "restore-user-state": { file: "packages/agent/src/steps/user-state/user-state.test.ts", test: "homes are captured in the boot environment and put back in another system under its own numbers; what that has already stays" },
  "capture-local-groups": { environment: "boot", files: people, steps: () => [localStore, { type: "capture-local-groups" }], look: async (root) => (JSON.parse(await readFile(join(root, "prestage/user-state/local-groups.json"), "utf8")) as { groups: unknown }).groups },
  "restore-local-groups": { file: "packages/agent/src/steps/user-state/user-state.test.ts", test: "who is in which local group is kept, and put back where the user is known; groups are made, nobody is taken out" },
  "release-state-store": { files: { "prestage/user-state/user-state.json": "{}", "prestage/user-state/user-state.wim": "x" }, steps: () => [{ type: "release-state-store", with: { store: "%Place%/prestage/user-state", remove: true } }], look: async (root) => readdir(join(root, "prestage/user-state")) },
  "apply-driver-package": { content: () => [contentOf("ABC00011", { kind: "driver-package", models: [] })], files: drivers(), steps: () => [{ type: "apply-driver-package", with: { driverPackage: "ABC00011" } }] },
  "auto-apply-drivers": {
    content: () => [contentOf("ABC00011", { kind: "driver-package", models: [] })], files: drivers(),
    prepare: async (root) => writeFile(join(root, "content/ABC00011/modaliases"), `${(await deviceAliases()).filter((alias) => !/[*?[\]]/.test(alias))[0] ?? ""}\n`),
    steps: () => [{ type: "auto-apply-drivers", with: { driverPackages: ["ABC00011"] } }],
  },
  "install-updates": { cut: [{ file: "packages/agent/src/steps/install-updates.test.ts", test: "killed in the middle of dpkg, at each script of the packages, and begun again" }] },
  "install-application": { onceBy: "detection", content: (root) => [contentOf("ABC00004", application(leavesALine, `${root}/work`))], steps: () => [{ type: "install-application", with: { application: "ABC00004" } }] },
  "install-package": { content: () => [package_("ABC00005", [{ name: "Apply", command: leavesALine }])], onceBy: "probe", steps: () => [{ type: "install-package", with: { package: "ABC00005", program: "Apply" }, once }] },
  "run-command-line": { onceBy: "probe", steps: () => [{ type: "run-command-line", with: { command: leavesALine }, once }] },
  "run-script": { onceBy: "probe", steps: () => [{ type: "run-script", with: { script: leavesALine }, once }] },
  "enable-bitlocker": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "disable-bitlocker": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "install-features": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "set-up-recovery-environment": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "apply-local-policy": { windows: "packages/sequence/src/windows/windows.test.ts" },
  "record-deployment": { files: debian, steps: () => [{ type: "record-deployment", with: { more: { ImageVersion: "2026.11" } } }], look: async (root) => (await readFile(join(root, "etc/prestage-deployment"), "utf8")).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, "TIME") },
  "prepare-capture": {
    files: { "var/lib/dpkg/status": "", "var/cache/apt/archives/a_1_all.deb": "x", "etc/krb5.keytab": "key", "etc/sssd/sssd.conf": "[sssd]", "etc/krb5.conf": "# Written by the deployment.\n[libdefaults]\n" },
    prepare: async (root) => {
      for (const path of ["info", "updates", "triggers"]) await mkdir(join(root, "var/lib/dpkg", path), { recursive: true });
    },
    steps: () => [{ type: "prepare-capture" }],
  },
  "capture-os-image": { file: "packages/agent/src/steps/capture/capture.test.ts", test: "cut short, what was there stays; the next attempt begins anew, and adds its image once" },
  "set-variable": { steps: () => [{ type: "set-variable", with: { name: "Role", value: "kiosk" } }] },
  "run-task-sequence": "merged at the site",
};
const drawings = "//files.example.org/of-a-cut";

test("every step type has its row, and what a row names is there", async () => {
  assert.deepEqual(Object.keys(rows).toSorted(), stepTypes.map(({ type }) => type).toSorted());
  for (const [type, row] of Object.entries(rows)) {
    const definition = stepTypeOf(type);
    if (row === "merged at the site") assert.equal(definition?.mergedAtSite, true, type);
    else if ("windows" in row) {
      assert.ok(definition !== undefined);
      assert.deepEqual(definition.platforms, ["windows"], type);
      assert.ok(definition.windows !== undefined && (await textOf(row.windows)).includes("stepTypes.filter((one) => one.windows !== undefined)"), type);
    } else if ("cut" in row) {
      for (const { file, test: name } of row.cut) {
        const text = await textOf(file);
        assert.ok(text.includes(name) && text.includes(type) && text.includes("runOrKill("), `${type}: ${file}`);
      }
    } else if ("file" in row) {
      const text = await textOf(row.file);
      assert.ok(text.includes(row.test) && text.includes(type), type);
    }
  }
});

for (const [type, row] of Object.entries(rows)) {
  if (typeof row === "string" || !("steps" in row)) continue;
  test(`${type}: cut and begun again, everything is as after one run that was not`, { timeout: 120_000 }, async (t) => {
    const ends = [];
    for (const cut of cuts) ends.push(await runRow(row, cut));
    const [whole, inIt, behind] = ends;
    assert.ok(whole !== undefined && inIt !== undefined && behind !== undefined);
    assert.deepEqual([whole.happened, whole.begun, whole.outcome], [false, 1, "succeeded"], whole.log);
    assert.deepEqual([behind.happened, behind.begun], [true, row.onceBy === "probe" ? 1 : 2]);
    // That it was started was on the disk before it did anything: the next start of the agent knows it from there.
    if (inIt.happened) assert.equal(inIt.begun, 2);
    else t.diagnostic("it says nothing while it runs: cut behind it alone");
    for (const end of [inIt, behind]) assert.deepEqual([end.outcome, end.variables, end.state], [whole.outcome, whole.variables, whole.state], end.log);
  });
}

/** What others wrote, which nobody knows to be harmless when it is done twice. */
const ofOthers = ["run-command-line", "run-script", "install-package", "install-application"];

test("what runs programs of others is known to be done by a probe or a detection, and leaves one line", () => {
  const known = Object.entries(rows).flatMap(([type, row]) => (typeof row === "object" && "steps" in row && row.onceBy !== undefined ? [type] : []));
  assert.deepEqual(known.toSorted(), ofOthers.toSorted());
});

for (const [type, row] of Object.entries(rows)) {
  if (typeof row === "string" || !("steps" in row) || row.onceBy === "probe") continue;
  test(`${type}: cut behind it, a probe that says it was done keeps it from being begun again; one that does not, does not`, { timeout: 120_000 }, async () => {
    const [done, not] = [await runRow(row, "behind it", { variable: "Place", exists: true }), await runRow(row, "behind it", { variable: "Place", notExists: true })];
    assert.deepEqual([done.happened, done.begun, done.outcome], [true, 1, "succeeded"], done.log);
    assert.match(done.log, /done before the interruption/);
    assert.deepEqual([not.begun, not.outcome], [2, "succeeded"], not.log);
    assert.deepEqual(done.state, not.state, done.log);
  });
}

test("of the programs of a list, those that had ended before the cut are not run again; after one that was not interrupted, all are", async () => {
  const program = (name: string) => ({ name, command: `echo begun; sleep 0.3; echo ${name} >> ../../work` });
  const variables = ["First", "Second"].map((name, i) => ({ name: `PKG00${i + 1}`, value: `ABC00005:${name}`, source: "device" as const }));
  // The list's first program has ended when its place in the list is journalled: the first variable that the step sets.
  for (const cut of ["in it", "behind it"] as const) {
    const fixture = await makeRunFixture([{ type: "install-package", with: { baseVariable: "PKG" } }], [package_("ABC00005", [program("First"), program("Second")])]);
    const end = await runThroughCut(fixture, "s1", cut, { environment: "installed", variables, log: () => undefined });
    assert.deepEqual([end.happened, end.begun, end.outcome], [true, 2, "succeeded"]);
    assert.equal(await readFile(join(fixture.folder, "work"), "utf8"), "First\nSecond\n", cut);
  }
  const fixture = await makeRunFixture([{ type: "install-package", with: { baseVariable: "PKG" } }], [package_("ABC00005", [program("First"), program("Second")])]);
  const end = await runThroughCut(fixture, "s1", "never", { environment: "installed", variables: [...variables, { name: "PrestageProgramsDone", value: "s1 2", source: "device" }], log: () => undefined });
  assert.deepEqual([end.begun, end.outcome], [1, "succeeded"]);
  assert.equal(await readFile(join(fixture.folder, "work"), "utf8"), "First\nSecond\n");
});

async function runRow(row: Row, cut: (typeof cuts)[number], probe?: Step["once"]) {
  const ends: (Awaited<ReturnType<typeof runThroughCut>> & { state: unknown; log: string })[] = [];
  await (row.within ?? ((use) => use(nowhere)))(async (place) => {
    const given = row.steps(place);
    const steps = given.map((step, i) => (probe === undefined || i < given.length - 1 ? step : { ...step, once: probe }));
    const content: PolicyContent[] = [];
    const fixture = await makeRunFixture([...steps, ...(row.failsAfter === true ? [{ type: "run-command-line", with: { command: "exit 1" } }] : [])], content);
    const root = fixture.folder;
    // Some content names the folder.
    content.push(...(row.content?.(root) ?? []));
    for (const [path, text] of Object.entries(row.files ?? {})) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    await row.prepare?.(root, place);
    const variables = [{ name: "Place", value: root, source: "device" as const }];
    const end = await runThroughCut(fixture, `s${steps.length}`, cut, { environment: row.environment ?? "installed", unattended: true, variables, ...row.change?.(root, place) });
    const said = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(root, "ROOT").replaceAll(place.disk, "DISK")) as unknown;
    ends.push({ ...end, variables: said(end.variables) as [string, string][], state: said(await (row.look ?? listed)(root, place)), log: `cut: ${cut}\n${fixture.logged.join("\n")}` });
  });
  const [end] = ends;
  assert.ok(end !== undefined);
  return end;
}

async function thenRemove<T>(path: string, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } finally {
    await rm(path, { recursive: true });
  }
}

function textOf(file: string): Promise<string> {
  return readFile(join(import.meta.dirname, "../../../..", file), "utf8");
}

function drivers(): Record<string, string> {
  return { "content/ABC00011/firmware/a.bin": "firmware", [`lib/modules/${release()}/modules.builtin`]: "", [`lib/modules/${release()}/modules.order`]: "" };
}

const deployedOn = ({ disk, partitions: [esp = "", data = ""] }: Place): Partial<RunContext> => ({ disk: { device: disk, espPartition: esp, espGuid: "", dataPartition: data, dataGuid: "", dataFileSystemUuid: "" } });

/** A small image that lies beside the system. */
async function makeImage(folder: string): Promise<void> {
  const source = `${folder}-source`;
  for (const path of ["boot", "etc", "usr"]) await mkdir(join(source, path), { recursive: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(source, "etc/os-release"), "ID=debian\n");
  await symlink("os-release", join(source, "etc/link"));
  await runProgram("wimlib-imagex", ["capture", source, join(folder, "image.wim"), "--unix-data", "--norpfix", "--compress=none"]);
  await rm(source, { recursive: true });
}

function imageOf(folder: string): Partial<RunContext> {
  const content = contentOf("ABC00003", { kind: "os-image", platform: "linux", images: [{ index: 1, name: "small", bytes: 1 }] });
  const found = { content, folder };
  return { content: { ensure: async () => found, checkOut: async () => ({ ...found, release: async () => undefined }), ensureImage: async (_, image) => ({ content, wim: join(folder, "image.wim"), image, references: [] }) } };
}

/** An empty disk of the kernel's own, which makes nodes of its partitions by itself. */
async function withEmptyDisk(sizeMiB: number, use: (place: Place) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "prestage-cut-disk-"));
  const image = join(folder, "disk.img");
  await writeFile(image, "");
  await truncate(image, sizeMiB << 20);
  const disk = (await runProgram("losetup", ["--find", "--show", "--partscan", image])).output.trim();
  try {
    await use({ disk, partitions: [] });
  } finally {
    await runProgram("partx", ["--delete", disk], { accept: [0, 1] });
    await runProgram("losetup", ["--detach", disk]);
    await rm(folder, { recursive: true });
  }
}

async function probed(device: string): Promise<string[]> {
  const { output } = await runProgram("blkid", ["-p", "-o", "export", "-s", "TYPE", "-s", "LABEL", device], { accept: [0, 2] });
  return output.split("\n").filter((line) => /^(TYPE|LABEL)=/.test(line)).toSorted();
}

async function onExt4<T>(device: string, place: string, look: (root: string) => Promise<T>): Promise<T> {
  await mountExt4(device, place);
  try {
    return await look(place);
  } finally {
    await unmount(place);
  }
}
