import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram } from "@prestage/disk";
import { aliasPattern, deviceAliases } from "../facts/device-aliases.ts";
import { contentOf, makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { choosePackages, fittingDevices } from "./auto-apply-drivers.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const ids = ["ABC00011", "ABC00012", "ABC00013", "ABC00014", "ABC00015"];

/** A kernel module that has aliases and nothing else, as the real modinfo reads it. */
async function makeModule(path: string, aliases: readonly string[]): Promise<void> {
  await writeFile(`${path}.info`, `${["license=GPL", ...aliases.map((alias) => `alias=${alias}`)].join("\0")}\0`);
  await runProgram("objcopy", ["-I", "binary", "-O", "elf64-x86-64", "--rename-section", ".data=.modinfo", `${path}.info`, path]);
  await rm(`${path}.info`);
}

test("packages whose modules or lists fit this computer's own devices are applied, the best for each, and no other", async () => {
  const devices = await deviceAliases();
  const [device = "", second = ""] = devices.filter((alias) => !/[*?[\]]/.test(alias));
  assert.ok(device !== "" && second !== "", "this computer has devices");
  const run = async (choose: string) => {
    const content = ids.map((id, i) => contentOf(id, { kind: "driver-package", models: i === 4 ? ["No such model*"] : [] }));
    const fixture = await makeRunFixture([{ type: "auto-apply-drivers", with: { driverPackages: ids, choose } }, { type: "run-command-line", with: { command: "exit 1" } }], content);
    const place = (i: number, path: string) => join(fixture.folder, "content", ids[i] ?? "", path);
    const modules = async (i: number, kernel: string, name: string, aliases: string[]) => {
      await mkdir(place(i, `modules/${kernel}`), { recursive: true });
      await makeModule(place(i, `modules/${kernel}/${name}.ko`), aliases);
    };
    await modules(0, "any", "loose", [`${device.slice(0, -2)}*`]);
    await modules(1, release(), "exact", ["pci:v0000FFFFd*", device]);
    await modules(2, "any", "other", ["usb:v0000p0000d*dc*"]);
    await modules(4, "any", "model", [device]);
    await mkdir(place(3, "firmware"), { recursive: true });
    await writeFile(place(3, "firmware/second.bin"), "firmware");
    await writeFile(place(3, "modaliases"), `# for the second device\n${second}\n`);
    const context = await fixture.context({ environment: "installed" });
    await runSequence(context, { bootId: "1", machine });
    await context.status.flush();
    const finished = fixture.kept.find((message) => message.kind === "step-finished");
    assert.equal(finished?.outcome, "succeeded", finished?.error?.message);
    const has = (path: string) => stat(join(fixture.folder, "lib", path)).then(() => true, () => false);
    const updates = `modules/${release()}/updates`;
    assert.match(await readFile(join(fixture.folder, "lib/modules", release(), "modules.alias"), "utf8"), /exact/, "the real depmod knows it");
    return Promise.all([`${updates}/loose.ko`, `${updates}/exact.ko`, `${updates}/other.ko`, "firmware/second.bin", `${updates}/model.ko`].map(has));
  };
  assert.deepEqual(await run("best"), [false, true, false, true, false]);
  assert.deepEqual(await run("all"), [true, true, false, true, false]);
});

test("where nothing fits nothing is changed", async () => {
  const fixture = await makeRunFixture([{ type: "auto-apply-drivers", with: { driverPackages: ["ABC00011"] } }, { type: "run-command-line", with: { command: "exit 1" } }], [contentOf("ABC00011", { kind: "driver-package", models: [] })]);
  const context = await fixture.context({ environment: "installed" });
  await runSequence(context, { bootId: "1", machine });
  await context.status.flush();
  const finished = fixture.kept.find((message) => message.kind === "step-finished");
  assert.deepEqual([finished?.outcome, /Nothing was changed/.test(finished?.outputTail ?? "")], ["succeeded", true]);
});

test("aliases fit as the kernel's tools read them", () => {
  const device = "pci:v00008086d00002723sv00008086sd00000084bc02sc80i00";
  for (const [pattern, fits] of [
    ["pci:v00008086d00002723sv*sd*bc*sc*i*", true], ["pci:v00008086d0000272[0-4]*", true], ["pci:v00008086d0000272[!0-4]*", false], ["pci:v0000808?d*", true], ["pci:v00008086d00002723", false], ["*", true], ["pci.v*", false], ["", false], ["*".repeat(30), true], ["*0".repeat(200), false], ["[", false], [`${"*a".repeat(18)}`, false],
  ] as const) assert.equal(aliasPattern(pattern).fits(device), fits, pattern);
  assert.deepEqual([...fittingDevices(["pci:*", "pci:v00008086*"], [device, "usb:v1"])], [[device, 13]]);
});

test("of two that fit alike the earlier is taken; one that is for the model always", () => {
  const of = (id: string, fits: [string, number][] | "model") => ({ id, name: id, fits: fits === "model" ? fits : new Map(fits) });
  const all = [of("a", [["x", 5]]), of("b", [["x", 5], ["y", 1]]), of("c", [["x", 4]]), of("d", "model"), of("e", [])];
  assert.deepEqual(choosePackages(all, "best").map((one) => one.id), ["a", "b", "d"]);
  assert.deepEqual(choosePackages(all, "all").map((one) => one.id), ["a", "b", "c", "d"]);
});

test("the devices of buses are found, each once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-buses-"));
  try {
    for (const [path, alias] of [["pci/devices/1", "pci:a"], ["pci/devices/2", "pci:a"], ["usb/devices/1", "usb:b"], ["usb/devices/2", ""]] as const) {
      await mkdir(join(folder, path), { recursive: true });
      await writeFile(join(folder, path, "modalias"), `${alias}\n`);
    }
    assert.deepEqual(await deviceAliases(folder), ["pci:a", "usb:b"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
