import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Conflict, Device, StatusRecord } from "@prestage/contract";
import { waitForSequence } from "../../demo/deploy.ts";
import { runProgram } from "../../demo/program.ts";
import { FaultSite } from "../support/fault-site.ts";
import type { StagedDisk } from "../support/fault-site.ts";
import { withMachine } from "../support/machines.ts";

const limit = { timeout: 20 * 60_000 };
const secret = "a-join-token-of-this-test";
let fixture: FaultSite;
let staged: StagedDisk;

/** A registered depot stages a disk; its receipt is at the site. One step needs a secret. */
before(async () => {
  fixture = await FaultSite.open("claims");
  const key = join(fixture.folder, "depot-key.pem");
  // At the depot, which has no site.
  const made = await runProgram(process.execPath, [fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url)), "depot", "init", "--name", "Depot 3", "--key-file", key, "--json"]);
  const depot = JSON.parse(made) as { publicFile: string };
  await fixture.site.run(["depot", "register", depot.publicFile]);
  const sequenceId = await fixture.addSequence("Join", "  - { id: join, name: Join the domain, type: run-command-line, secrets: [JOIN_TOKEN], with: { command: 'echo \"token of ${#JOIN_TOKEN} characters, $JOIN_TOKEN\"; test -n \"$JOIN_TOKEN\"' } }\n");
  const deployment = await fixture.deploy(sequenceId, { purpose: "required", makeAvailableTo: "MediaAndPxe" });
  await fixture.site.run(["deployment", "set", deployment, "--secret-variable", "JOIN_TOKEN"], undefined, secret);
  staged = await fixture.stage(await fixture.createMedia("media", sequenceId), "staged", "1536M", ["--depot-key", key]);
  await fixture.site.run(["receipt", "import", staged.receiptFile]);
}, limit);

after(() => fixture?.close());

test("the claim on the disk lets the computer in without anybody's approval, a secret reaches the step that names it and nothing else; a second disk with the same claim waits, and both are shown as a conflict", limit, async (t) => {
  const clone = await fixture.copy(staged, "clone");
  const first = await withMachine(t, fixture, "first", { disk: staged.path }, async ({ machine, event }) => {
    const device = await event<{ deviceId: string }>("enrolled");
    const status = await waitForSequence(fixture.site, machine, device.deviceId);
    assertSucceeded(status);
    return device.deviceId;
  });
  assert.deepEqual(await fixture.site.run<Device[]>(["approval", "list"]), [], "nobody was asked");

  await withMachine(t, fixture, "clone", { disk: clone.path }, async ({ machine, event }) => {
    const { code } = await event<{ code: string }>("claim-conflict");
    const conflicts = await fixture.site.run<Conflict[]>(["conflict", "list"]);
    const [waiting] = await fixture.site.run<Device[]>(["approval", "list"]);
    assert.equal(waiting?.approvalCode, code);
    assert.deepEqual(conflicts.map((one) => [one.first.id, one.second.id, one.resolution]), [[first, waiting.id, null]]);
    await fixture.site.run(["conflict", "resolve", conflicts[0]?.id ?? "", "--resolution", "accept-second"]);
    const device = await event<{ deviceId: string }>("enrolled");
    assertSucceeded(await waitForSequence(fixture.site, machine, device.deviceId));
  });

  for (const name of ["first/serial.log", "clone/serial.log"]) assert.ok(!(await readFile(join(fixture.logs, name), "utf8")).includes(secret), name);
  for (const disk of [staged.path, clone.path]) assert.ok(!(await readFile(disk)).includes(secret), disk);
});

function assertSucceeded(status: readonly StatusRecord[]): void {
  const messages = status.map(({ message }) => message);
  assert.equal(messages.find((message) => message.kind === "sequence-finished")?.outcome, "succeeded", JSON.stringify(messages.slice(-3)));
  const step = messages.find((message) => message.kind === "step-finished");
  assert.match(step?.outputTail ?? "", new RegExp(`token of ${secret.length} characters, (?!${secret})`), "what the step printed is redacted");
}
