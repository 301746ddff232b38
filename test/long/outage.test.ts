import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Device, StatusRecord } from "@prestage/contract";
import { approveWhenShown, silenceMs, waitForSequence } from "../../demo/deploy.ts";
import { hostFromGuest } from "../../demo/site-process.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 20 * 60_000 };
const outageMs = 2 * 3_600_000;
const clock = fileURLToPath(new URL("../support/shifted-clock.mjs", import.meta.url));
let fixture: FaultSite;
let staged: StagedDisk;
const held = new Map<string, ServerResponse>();
/** Steps ask here, and wait until they are let go. */
const gates = createServer((request, response) => void (held.set(String(request.url).slice(1), response), gates.emit(`asked ${String(request.url).slice(1)}`)));

before(async () => {
  gates.listen(0, "127.0.0.1");
  await once(gates, "listening");
  const gate = (name: string) => `wget -q -O - http://${hostFromGuest}:${(gates.address() as AddressInfo).port}/${name}`;
  fixture = await FaultSite.open("outage");
  const step = (id: string, command: string, more = "") => `  - { id: ${id}, name: Step ${id}, type: run-command-line, with: { command: '${command}'${more} } }\n`;
  const sequence = await fixture.addSequence("Long", [step("one", "echo one"), step("two", gate("two")), step("three", "echo three"), step("four", "echo four"), step("five", gate("five")), step("six", gate("six"))].join(""));
  await fixture.deploy(sequence, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  staged = await fixture.stage(await fixture.createMedia("media", sequence), "staged");
}, limit);

after(async () => {
  delete process.env["NODE_OPTIONS"];
  delete process.env["PRESTAGE_TEST_CLOCK_AHEAD"];
  gates.closeAllConnections();
  gates.close();
  await fixture?.close();
});

const statusOf = (deviceId: string) => fixture.site.run<StatusRecord[]>(["status", "list", "--device", deviceId]);

async function gateReached(name: string): Promise<void> {
  if (!held.has(name)) await once(gates, `asked ${name}`);
}

test("the site is away for two hours in the middle of a sequence, by its own clock: the steps go on, no status is lost or doubled, nobody approves again", limit, async (t) => {
  await withMachine(t, fixture, "outage", { disk: staged.path }, async ({ machine }) => {
    const device = await approveWhenShown(fixture.site, machine);
    await gateReached("two");
    process.env["NODE_OPTIONS"] = `--import=${clock}`;
    process.env["PRESTAGE_TEST_CLOCK_AHEAD"] = String(outageMs);
    await fixture.restart(async () => {
      held.get("two")?.end("go\n");
      await gateReached("five");
    });
    held.get("five")?.end("go\n");
    // Before step six ends the site has heard of step five: the computer has met it again, and knows its time.
    // The site is asked as an administrator would: the serial port says nothing of a message that has arrived.
    while (!(await statusOf(device.id)).some(({ message }) => message.kind === "step-finished" && message.step?.id === "five")) await delay(500);
    await gateReached("six");
    held.get("six")?.end("go\n");
    const status = (await waitForSequence(fixture.site, machine, device.id)).toSorted((a, b) => a.message.number - b.message.number);
    await machine.serial.waitFor(/@@prestage done /, { timeoutMs: silenceMs });
    assert.equal(status.find(({ message }) => message.kind === "sequence-finished")?.message.outcome, "succeeded");
    assert.deepEqual(status.map(({ message }) => message.number), status.map((_, i) => i + 1), "every message once");
    assert.equal(status.filter(({ message }) => message.kind === "enrolled").length, 1);
    assert.deepEqual(status.filter(({ message }) => message.kind === "step-finished").map(({ message }) => message.step?.id), ["one", "two", "three", "four", "five", "six"]);
    const six = status.find(({ message }) => message.kind === "step-finished" && message.step?.id === "six")?.message.time ?? "";
    assert.ok(Math.abs(Date.parse(six) - Date.now() - outageMs) < 600_000, `the computer goes by the site's time of now: ${six}`);
    assert.deepEqual(await fixture.site.run<Device[]>(["approval", "list"]), []);
    assert.equal((await fixture.site.run<Device[]>(["device", "list"])).length, 1);
  });
});
