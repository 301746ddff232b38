import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { approveWhenShown, waitForSequence } from "../../demo/deploy.ts";
import { alterByte, alterEspByte } from "../support/disk-faults.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 20 * 60_000 };
let fixture: FaultSite;
let sequenceId: string;
let staged: StagedDisk;

before(async () => {
  fixture = await FaultSite.open("refused-start");
  const tools = await fixture.importRandom("package", "Tools", randomBytes(100_000));
  sequenceId = await fixture.addSequence("Try it", `  - { id: use, name: Use the package, type: run-command-line, with: { package: ${tools.id}, command: test -s data.bin } }\n`);
  staged = await fixture.stage(await fixture.createMedia("media", sequenceId), "staged");
}, limit);

after(() => fixture?.close());

test("one byte altered in a file of the agent stops the computer, and no packet is sent", limit, async (t) => {
  const disk = await fixture.copy(staged, "agent");
  await alterByte(disk.path, "prestage/agent/agent.mjs", 300_000);
  await stopsSilently(t, disk, "agent", "PRESTAGE_AGENT_START_FILES_DAMAGED", "/prestage/agent/agent.mjs");
});

test("one byte altered on the EFI system partition stops the computer, and no packet is sent", limit, async (t) => {
  const disk = await fixture.copy(staged, "esp");
  await alterEspByte(disk.path, "EFI/BOOT/mmx64.efi", 4000);
  await stopsSilently(t, disk, "esp", "PRESTAGE_AGENT_START_FILES_DAMAGED", "ESP/EFI/BOOT/mmx64.efi");
});

test("a media signed by another site is refused, and no packet is sent", limit, async (t) => {
  const other = await FaultSite.open("other-site", { bootImage: fixture.bootImage });
  try {
    const tools = await other.importRandom("package", "Tools", randomBytes(100_000));
    const sequence = await other.addSequence("Theirs", `  - { id: use, name: Use the package, type: run-command-line, with: { package: ${tools.id}, command: "true" } }\n`);
    const disk = await other.stage(await other.createMedia("media", sequence), "other");
    await stopsSilently(t, disk, "other", "PRESTAGE_TRUST_SIGNATURE_INVALID");
  } finally {
    await other.close();
  }
});

test("an expired media is refused by the site's time, whatever the computer's clock says", limit, async (t) => {
  const media = await fixture.createMedia("expired", sequenceId, ["--valid-to", new Date(Date.now() + 1000).toISOString()]);
  const disk = await fixture.stage(media, "expired");
  await withMachine(t, fixture, "expired", { disk: disk.path, rtcBase: "2020-01-01T00:00:00" }, async ({ event }) => {
    assert.equal((await event<{ code: string }>("error")).code, "PRESTAGE_MEDIA_EXPIRED");
  });
  assert.deepEqual(await fixture.site.run<unknown[]>(["device", "list"]), [], "it never enrolled");
});

test("an unknown computer is refused where the media allows known ones only; with a record it is let in when a key is pressed", limit, async (t) => {
  const disk = await fixture.stage(await fixture.createMedia("known", sequenceId, ["--no-unknown-computers"]), "known");
  await withMachine(t, fixture, "known", { disk: disk.path }, async ({ machine, event, press }) => {
    const { lines } = await event<{ lines: string[] }>("refused");
    assert.match(lines.join(" "), /not known to the site/);
    await fixture.site.run(["device", "add", "--name", "EXPECTED-1", "--mac-address", "52:54:00:12:34:56"]);
    press(" ");
    assert.equal((await approveWhenShown(fixture.site, machine)).name, "EXPECTED-1");
    await event("nothing-offered");
  });
});

test("with the clock at 2099 a computer is told that nothing is offered, and a key searches again", limit, async (t) => {
  const disk = await fixture.copy(staged, "2099");
  await withMachine(t, fixture, "2099", { disk: disk.path, rtcBase: "2099-01-01T00:00:00" }, async ({ machine, event, press }) => {
    const device = await approveWhenShown(fixture.site, machine);
    const { title } = await event<{ title: string }>("nothing-offered");
    assert.equal(title, "No task sequence for this computer");
    await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "ClientsMediaAndPxe" });
    press(" ");
    const status = await waitForSequence(fixture.site, machine, device.id);
    const end = status.find((record) => record.message.kind === "sequence-finished")?.message;
    assert.equal(end?.outcome, "succeeded");
    assert.ok(Math.abs(Date.parse(end?.time ?? "") - Date.now()) < 600_000, end?.time);
  });
});

/** The screen says why, a key powers off, and the capture is empty from power on to power off. */
async function stopsSilently(t: Parameters<typeof withMachine>[0], disk: StagedDisk, name: string, code: string, words = ""): Promise<void> {
  await withMachine(t, fixture, name, { disk: disk.path }, async ({ machine, event, packets, press }) => {
    const error = await event<{ code: string; cause: string }>("error");
    assert.equal(error.code, code);
    assert.ok(error.cause.includes(words), error.cause);
    press("x");
    assert.equal((await machine.waitForExit()).reason, "guest-shutdown");
    assert.deepEqual(packets(), []);
  });
}
