import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DiskBus } from "@prestage/lab";
import { approveWhenShown, silenceMs, waitForSequence } from "../../demo/deploy.ts";
import { runProgram } from "../../demo/program.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 30 * 60_000 };
let fixture: FaultSite;
let staged: StagedDisk;

before(async () => {
  fixture = await FaultSite.open("hardware", { profile: "hardware" });
  const tools = await fixture.importRandom("package", "Tools", randomBytes(100_000));
  const secureBoot = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  const sequence = await fixture.addSequence("Try it", [
    `  - { id: use, name: Use the package, type: run-command-line, with: { package: ${tools.id}, command: test -s data.bin } }`,
    `  - { id: secure, name: Say whether Secure Boot is on, type: run-command-line, with: { command: "echo secure boot $(tail -c 1 ${secureBoot} | xxd -p)" } }`,
    "",
  ].join("\n"));
  await fixture.deploy(sequence, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  staged = await fixture.stage(await fixture.createMedia("media", sequence), "staged", "2G");
}, limit);

after(() => fixture?.close());

for (const [bus, secureBoot] of [["nvme", true], ["sata", false], ["usb", false]] as const satisfies readonly (readonly [DiskBus, boolean])[]) {
  test(`the hardware profile starts from ${bus}${secureBoot ? " with Secure Boot on" : ""}`, limit, async (t) => {
    const disk = await fixture.copy(staged, bus);
    // cx16: QEMU 7.2's emulation of it crashes 6.12 kernels.
    await withMachine(t, fixture, bus, { disk: disk.path, bus, secureBoot, cpu: "qemu64,cx16=off" }, async ({ machine }) => {
      const device = await approveWhenShown(fixture.site, machine);
      const messages = (await waitForSequence(fixture.site, machine, device.id)).map((record) => record.message);
      assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded");
      const said = messages.find((message) => message.kind === "step-finished" && message.step?.id === "secure")?.outputTail ?? "";
      assert.match(said, secureBoot ? /secure boot 01/ : /secure boot 00/);
    });
  });
}

test("F10 puts the log on a USB stick and on nothing else", limit, async (t) => {
  const disk = await fixture.copy(staged, "with-stick");
  const stick = join(fixture.folder, "stick.img");
  await writeFile(stick, "");
  await truncate(stick, 64 * 1024 * 1024);
  await runProgram("mkfs.vfat", ["-n", "LOGS", stick]);
  await withMachine(t, fixture, "stick", { disk: disk.path, bus: "nvme", network: "none", cpu: "qemu64,cx16=off", extraDisks: [{ path: stick, bus: "usb" }] }, async ({ machine, event, press }) => {
    await event("waiting", { with: '"network"' });
    press("\u001b[21~");
    await event("overlay", { with: "log-stick" });
    await machine.serial.waitFor(/LOGS/, { timeoutMs: silenceMs }); // the list is there
    press("1");
    const outcome = await event<{ kind: string; folder: string }>("log-stick");
    assert.equal(outcome.kind, "copied", JSON.stringify(outcome));
    const listed = await runProgram("mdir", ["-b", "-/", "-i", stick, "::"]);
    assert.ok(listed.includes(`${outcome.folder}/recent.log`) && listed.split("\n").every((line) => line === "" || line.includes(outcome.folder)), listed);
    assert.match(await runProgram("mtype", ["-i", stick, `::/${outcome.folder}/recent.log`]), /network/);
  });
});
