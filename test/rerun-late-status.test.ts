import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { registerClaim, registerMedia } from "../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../packages/site/src/fixtures/test-site.ts";
import { AgentInProcess } from "./support/agent-in-process.ts";

const site = await startSite(await dataDirectory());

test("what a computer could not report of its last run is at the site before it asks what to run: a deployment that runs once does not run twice", async () => {
  const taskSequenceId = String((await site.must("/task-sequences", "POST", { yaml: "name: Once\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n" }))["id"]);
  const media = await registerMedia(site, "a".repeat(64));
  const first = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings, deviceId } = await first.enrol("ONCE");
  const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "required", makeAvailableTo: "MediaAndPxe", rerun: "never" }))["id"]);
  await first.choose(keyrings);
  // The site is gone while it runs, and fails.
  first.contact.status.setDeployment(deploymentId);
  first.contact.status.post({ kind: "sequence-started" });
  first.contact.status.post({ kind: "sequence-finished", outcome: "failed" });
  await first.state.endRun();
  const second = await first.restart(site);
  const again = await second.enrol("ONCE");
  after(() => second.contact.status.stop());
  second.contact.status.start(async (messages) => {
    await delay(200); // a site with much to do
    return second.contact.client.sendStatus(messages);
  });
  const chosen = second.choose(again.keyrings);
  chosen.catch(() => undefined);
  assert.equal(await Promise.race([chosen.then(() => "began by itself"), second.event(/"screen":"choose"/).then(() => "is asked about")]), "is asked about");
  second.stop.abort(new Error("enough"));
  await assert.rejects(chosen, /enough/);
});
