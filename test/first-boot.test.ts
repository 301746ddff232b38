import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { StatusRecord } from "@prestage/contract";
import type { CapturedPacket } from "@prestage/lab";
import { approveWhenShown, waitForSequence } from "../demo/deploy.ts";
import type { ImportedObject } from "../demo/factory.ts";
import { freePort, hostFromGuest } from "../demo/site-process.ts";
import { bytesSent, largestChunk } from "./support/access-log.ts";
import { alterByte, espHash, hashFile, volumeTree } from "./support/disk-faults.ts";
import { FaultSite } from "./support/fault-site.ts";
import type { StagedDisk } from "./support/fault-site.ts";
import { packetsIn, withMachine } from "./support/machines.ts";

/** The real agent on a real staged disk against a real site; the media is small: it installs no system. */
let fixture: FaultSite;
let application: ImportedObject;
let tools: ImportedObject;
let sequenceId: string;
let media: string;
let staged: StagedDisk;

before(async () => {
  fixture = await FaultSite.open("first-boot");
  application = await fixture.importRandom("application", "Application", randomBytes(400_000));
  const data = randomBytes(300_000);
  tools = await fixture.importRandom("package", "Tools", data);
  const sum = createHash("sha256").update(data).digest("hex");
  sequenceId = await fixture.addSequence("Try it", `  - id: use\n    name: Use the package\n    type: run-command-line\n    with: { package: ${tools.id}, command: 'sha256sum data.bin | grep -q ^${sum}' }\n`);
  // The first management point of the list is dead for every test here.
  const dead = `https://${hostFromGuest}:${await freePort()}`;
  media = await fixture.createMedia("media", sequenceId, ["--application", application.id, "--management-point", dead, "--management-point", fixture.site.guestUrl]);
  staged = await fixture.stage(media, "staged");
}, { timeout: 20 * 60_000 });

after(() => fixture?.close());

test("one byte altered in the manifest stops the computer, and no packet is sent", { timeout: 20 * 60_000 }, async (t) => {
  const disk = await fixture.copy(staged, "manifest");
  await alterByte(disk.path, "prestage/manifest.dsse.json", 1000);
  await withMachine(t, fixture, "manifest", { disk: disk.path }, async ({ machine, event, packets, press }) => {
    assert.equal((await event<{ code: string }>("error")).code, "PRESTAGE_TRUST_SIGNATURE_INVALID");
    press("x");
    assert.equal((await machine.waitForExit()).reason, "guest-shutdown", "a key powers the computer off");
    assert.deepEqual(packets(), [], "from power on to power off");
  });
});

test("one byte altered in an application is named before any contact, and for what the sequence uses only the bad chunk is fetched; with a dead clock and a dead management point", { timeout: 20 * 60_000 }, async (t) => {
  const disk = await fixture.copy(staged, "altered");
  for (const { contentId } of [application, tools]) await alterByte(disk.path, `prestage/content/${contentId}/files/data.bin`, 200_000);
  const deployment = await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  const capture = join(fixture.logs, "altered", "capture.pcap");
  let packetsAtVerified: CapturedPacket[] | undefined;
  const events = { onEvent: (name: string) => void (name === "verified" && (packetsAtVerified ??= packetsIn(capture))) };
  const status = await withMachine(t, fixture, "altered", { disk: disk.path, rtcBase: "1970-01-01T00:00:00", events }, async ({ machine, event, packets }) => {
    const { damaged } = await event<{ damaged: { name: string; detail: string }[] }>("verified");
    const names = damaged.map((one) => one.name).sort();
    assert.deepEqual(names, [application, tools].map(({ contentId }) => `/prestage/content/${contentId}/files/data.bin`).sort());
    for (const { detail } of damaged) assert.match(detail, /^(chunk|span) at \d+ \(\d+ bytes\): expected [0-9a-f]{16}, found [0-9a-f]{16}$/);
    assert.deepEqual(packetsAtVerified, [], "verification is over before the first packet");
    const device = await approveWhenShown(fixture.site, machine);
    const records = await waitForSequence(fixture.site, machine, device.id);
    assert.ok(packets().length > 0);
    return records;
  });
  const messages = status.map((record) => record.message);
  assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded", JSON.stringify(messages.slice(-3)));
  assert.equal(messages.filter((message) => message.kind === "file-damaged").length, 2);
  const fetched = await bytesSent(fixture.site, tools.contentId);
  const chunk = fetched.get("content.wim") ?? 0;
  assert.ok(chunk > 0 && chunk <= largestChunk, JSON.stringify([...fetched]));
  assert.deepEqual([...fetched.keys()].sort(), ["content.wim", "storage.json.zst"], "index and chunk list are on the disk");
  assert.equal((await bytesSent(fixture.site, application.contentId)).size, 0, "what no step uses is not fetched");
  assertDated(status);
  await fixture.site.run(["deployment", "set", deployment, "--enabled", "no"]);
});

test("without a network nothing changes but the log and the state; the management point may start later; a hidden deployment is not offered, the screen says why, and a key searches again; other disks stay as they are", { timeout: 20 * 60_000 }, async (t) => {
  const disk = await fixture.copy(staged, "later");
  const second = await fixture.stage(media, "second");
  const usb = join(fixture.folder, "usb.img");
  await writeFile(usb, randomBytes(8 << 20));
  const others = async () => [await hashFile(second.path), await hashFile(usb)];
  const without = ["prestage/log", "prestage/state"];
  const before = { others: await others(), esp: await espHash(disk.path), tree: await volumeTree(disk.path, { without }) };
  const deployment = await fixture.deploy(sequenceId, { purpose: "available", makeAvailableTo: "MediaAndPxeHidden" });
  const extraDisks = [{ path: second.path, bus: "virtio", readOnly: false }, { path: usb, bus: "usb", readOnly: false }] as const;
  await withMachine(t, fixture, "later", { disk: disk.path, extraDisks }, async ({ machine, event, press }) => {
    await machine.setLink(false);
    await event("waiting", { with: '"failures":2' });
    await machine.pause();
    const snapshot = await fixture.copy(disk, "without-network");
    assert.deepEqual(await volumeTree(snapshot.path, { without }), before.tree);
    assert.equal(await espHash(snapshot.path), before.esp);
    await machine.resume();
    await fixture.restart(async () => {
      await machine.setLink(true);
      const waiting = await event<{ code: string }>("waiting", { with: '"management-point"' });
      assert.equal(waiting.code, "PRESTAGE_AGENT_NO_MANAGEMENT_POINT");
    });
    const device = await approveWhenShown(fixture.site, machine);
    const nothing = await event<{ title: string; lines: string[] }>("nothing-offered");
    assert.equal(nothing.title, "No task sequence for this computer");
    assert.ok(nothing.lines.join(" ").length > 20, nothing.lines.join(" "));
    await fixture.site.run(["deployment", "set", deployment, "--make-available-to", "MediaAndPxe"]);
    const mark = machine.serial.mark();
    press(" ");
    await event("screen", { with: '"choose"', since: mark });
    press("\r");
    assert.equal((await event<{ deploymentId: string }>("chosen")).deploymentId, deployment);
    const status = await waitForSequence(fixture.site, machine, device.id);
    assert.equal(status.find((record) => record.message.kind === "sequence-finished")?.message.outcome, "succeeded");
  });
  assert.deepEqual(await others(), before.others);
});

/** Messages sent after the site's time was known carry it, whatever the clock said. */
function assertDated(status: readonly StatusRecord[]): void {
  const now = Date.now();
  const late = status.filter(({ message }) => message.kind === "step-finished" || message.kind === "sequence-finished");
  assert.ok(late.length >= 2);
  for (const { message } of late) assert.ok(Math.abs(Date.parse(message.time) - now) < 10 * 60_000, message.time);
}
