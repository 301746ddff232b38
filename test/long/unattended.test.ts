import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { approveWhenShown, waitForSequence } from "../../demo/deploy.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 20 * 60_000 };
let fixture: FaultSite;
let staged: StagedDisk;
let deployments: string[];

before(async () => {
  fixture = await FaultSite.open("unattended");
  const tools = await fixture.importRandom("package", "Tools", randomBytes(100_000));
  const sequences = [];
  for (const name of ["First", "Second"]) sequences.push(await fixture.addSequence(name, `  - { id: use, name: Use the package, type: run-command-line, with: { package: ${tools.id}, command: test -s data.bin } }\n`));
  staged = await fixture.stage(await fixture.createMedia("media", sequences[0] ?? "", ["--unattended"]), "staged");
  deployments = await Promise.all(sequences.map((id) => fixture.deploy(id, { purpose: "available", makeAvailableTo: "MediaAndPxe" })));
}, limit);

after(() => fixture?.close());

test("an unattended computer asks nothing: with two task sequences it says so and looks again by itself, with one it runs it, though it is only available", limit, async (t) => {
  const disk = await fixture.copy(staged, "asks-nothing");
  await withMachine(t, fixture, "asks-nothing", { disk: disk.path }, async ({ machine, event }) => {
    const device = await approveWhenShown(fixture.site, machine);
    const { lines } = await event<{ lines: string[] }>("ambiguous");
    for (const id of deployments) assert.ok(lines.some((line) => line.startsWith(id)), lines.join("\n"));
    await fixture.site.run(["deployment", "set", deployments[1] ?? "", "--enabled", "no"]);
    assert.equal((await event<{ deploymentId: string }>("chosen")).deploymentId, deployments[0]);
    const status = await waitForSequence(fixture.site, machine, device.id);
    assert.equal(status.find((record) => record.message.kind === "sequence-finished")?.message.outcome, "succeeded");
  });
});
