import assert from "node:assert/strict";
import { test } from "node:test";
import { openKeptPolicy } from "../packages/agent/src/management-point/open-policy.ts";
import { registerClaim, registerMedia } from "../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../packages/site/src/fixtures/test-site.ts";
import { AgentInProcess } from "./support/agent-in-process.ts";

const site = await startSite(await dataDirectory());
const taskSequenceId = String((await site.must("/task-sequences", "POST", { yaml: "name: System\nsteps:\n  - { name: Disk, type: partition-disk, with: { disk: /dev/nothing } }\n" }))["id"]);
const highImpact = { headline: "Set up anew", texts: ["One.", "Two.", "Three."] };

test("before a required deployment of an operating system is chosen the agent shows its texts; a key goes on, and the debugger's variable comes with it", async () => {
  const media = await registerMedia(site, "a".repeat(64));
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings, deviceId } = await agent.enrol("HIGH-IMPACT");
  const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "required", makeAvailableTo: "MediaAndPxe", highImpact, debug: true }))["id"]);
  const chosen = agent.choose(keyrings);
  assert.match(await agent.event(/"screen":"high-impact"/), /"title":"Set up anew"/);
  assert.equal(await agent.state.readRun(), undefined, "nothing is chosen while it counts down: a power cut here begins anew");
  agent.screen.typed("\r");
  const { answer } = await chosen;
  assert.match(await agent.event(/high-impact-over/), /"by":"key"/);
  const { policy } = openKeptPolicy(answer, { keyrings, deviceKeyId: agent.deviceKey.keyId, floor: new Date(agent.contact.manifest.floor) });
  assert.deepEqual([policy.selected?.deploymentId, policy.selected?.variables], [deploymentId, [{ name: "TSDebugMode", value: "true", source: "deployment" }]]);
});

test("a deployment that is withdrawn while its texts are read is not run: the computer looks for another", async () => {
  const media = await registerMedia(site, "c".repeat(64));
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings, deviceId } = await agent.enrol("WITHDRAWN");
  const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "required", makeAvailableTo: "MediaAndPxe", highImpact }))["id"]);
  const chosen = agent.choose(keyrings);
  await agent.event(/"screen":"high-impact"/);
  await site.must(`/deployments/${deploymentId}`, "PATCH", { enabled: false });
  agent.screen.typed("\r");
  await agent.event(/nothing-offered/);
  agent.stop.abort(new Error("enough"));
  await assert.rejects(chosen, /enough/);
  assert.equal(await agent.state.readRun(), undefined);
});

test("an available deployment shows none", async () => {
  const media = await registerMedia(site, "b".repeat(64), { unattended: true });
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings, deviceId } = await agent.enrol("AVAILABLE");
  await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose: "available", makeAvailableTo: "MediaAndPxe", highImpact });
  await agent.choose(keyrings);
  assert.equal(agent.events.some((event) => event.includes("high-impact")), false);
});
