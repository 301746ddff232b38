import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { mock, test } from "node:test";
import type { Device, PolicyAnswer } from "@prestage/contract";
import { generateSigningKey, openTrustedKeyring, signKeyring } from "@prestage/trust";
import { SiteSecrets } from "../packages/agent/src/run/secret-access.ts";
import { openKeptPolicy } from "../packages/agent/src/management-point/open-policy.ts";
import { registerClaim, registerMedia, TestDevice } from "../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../packages/site/src/fixtures/test-site.ts";
import { AgentInProcess } from "./support/agent-in-process.ts";

// The site's own clock: the computer's, which the tests set wrong, is `Date` in this process.
let siteClock = 0;
const realNow = () => performance.timeOrigin + performance.now();
const folder = await dataDirectory();
const site = await startSite(folder, { now: () => new Date(realNow() + siteClock) });
const media = await registerMedia(site, "a".repeat(64));
const password = "of this media";
const withPassword = await registerMedia(site, "b".repeat(64), { passwordRequired: true });
const unattended = await registerMedia(site, "c".repeat(64), { passwordRequired: true, unattended: true });
for (const id of [withPassword, unattended]) await site.must(`/media/${id}/password`, "PUT", { password });
const unknownComputers = ((await site.admin("/collections")).json as { id: string; builtIn: string | null }[]).find((one) => one.builtIn === "all-unknown-computers")?.id ?? "";
const sequenceId = String((await site.must("/task-sequences", "POST", { yaml: "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' }, secrets: [JOIN] }\n" }))["id"]);
const deploymentId = String((await site.must("/deployments", "POST", { taskSequenceId: sequenceId, collectionId: unknownComputers, purpose: "required", makeAvailableTo: "MediaAndPxe" }))["id"]);
const keyringOfTheFactory = site.context.keys.keyringEnvelope;
const device = async (id: string) => (await site.must(`/devices/${id}`)) as unknown as Device;
const approve = (code: string) => site.must(`/approvals/${code}`, "POST", { decision: "approve" });
const codeIn = (event: string) => /"code":"([A-Z2-7]{6})"/.exec(event)?.[1] ?? "";

test("the claim on its disk lets a computer in without anyone; nothing is asked, and no key leaves the disk", async () => {
  const claim = await registerClaim(site, unattended);
  const agent = await AgentInProcess.start(site, unattended, { claim });
  const { deviceId } = await agent.enrol();
  assert.deepEqual([(await device(deviceId)).proof, agent.events.some((event) => /approval|password/.test(event))], ["claim", false]);
  const again = await agent.restart(site);
  assert.equal((await again.enrol()).deviceId, deviceId, "the same computer after a restart");
});

test("the password is typed at the computer: a wrong one is said to be wrong and may be typed again; what was typed stands nowhere", async () => {
  const agent = await AgentInProcess.start(site, withPassword);
  const enrolled = agent.enrol();
  await agent.event(/screen \{"screen":"password"/);
  agent.screen.typed("wrong password!\r");
  await agent.event(/wrong-password/);
  await agent.event(/"screen":"password".*"note":"The password was wrong/);
  agent.screen.typed(`${password}\r`);
  const { deviceId } = await enrolled;
  assert.equal((await device(deviceId)).proof, "password");
  const files = (await readdir(agent.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const kept = (await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), "latin1")))).join("");
  for (const text of [password, "wrong password!"]) assert.ok(!`${agent.events.join("")}${agent.logged.join("")}${kept}`.includes(text));
});

test("while a password could be typed an administrator may approve, and the screen goes on by itself", async () => {
  const agent = await AgentInProcess.start(site, withPassword);
  const enrolled = agent.enrol();
  await approve(codeIn(await agent.event(/screen \{"screen":"password"/)));
  assert.equal((await device((await enrolled).deviceId)).proof, "approval");
});

test("unattended media with a password and no claim waits for approval and never for a key", async () => {
  const agent = await AgentInProcess.start(site, unattended);
  const enrolled = agent.enrol();
  const shown = await agent.event(/screen \{"screen":"(approval|password)"/);
  assert.match(shown, /"approval"/);
  await approve(codeIn(shown));
  await enrolled;
});

test("a cloned disk: the first is in, the second shows a code and waits, and is let in by a decision alone", async () => {
  const claim = await registerClaim(site, withPassword);
  const [first, second] = [await AgentInProcess.start(site, withPassword, { claim }), await AgentInProcess.start(site, withPassword, { claim })];
  await first.enrol("FIRST");
  const enrolled = second.enrol("SECOND");
  const shown = await second.event(/screen \{"screen":"(approval|password)"/);
  assert.match(shown, /"approval"/, "the password is no way round a conflict");
  assert.ok(second.events.some((event) => event.includes("claim-conflict")));
  const [conflict] = ((await site.admin("/conflicts")).json as { id: string; claimId: string }[]).filter((one) => one.claimId === claim.keyId);
  await site.must(`/conflicts/${conflict?.id ?? ""}`, "POST", { resolution: "accept-second" });
  await enrolled;
  await assert.rejects(first.contact.client.policy({ mediaId: withPassword }), { code: "PRESTAGE_AGENT_REVOKED" });
  assert.match(first.revoked?.message ?? "", /PRESTAGE_SITE_REVOKED/);
});

test("a claim key that is damaged on the disk is as none: the computer waits for approval", async () => {
  const claim = await registerClaim(site, media);
  const agent = await AgentInProcess.start(site, media, { claim: { ...generateSigningKey(), keyId: claim.keyId } });
  const enrolled = agent.enrol();
  await approve(codeIn(await agent.event(/"screen":"approval"/)));
  await enrolled;
});

for (const [name, offset] of [["a day ahead", 86_400_000], ["a year behind", -365 * 86_400_000], ["forty years behind", -40 * 365.25 * 86_400_000], ["forty years ahead", 40 * 365.25 * 86_400_000]] as const) {
  test(`a computer's clock ${name} is set by the site's signed time, and everything goes on`, async () => {
    const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
    mock.timers.enable({ apis: ["Date"], now: realNow() + offset });
    try {
      const { keyrings } = await agent.enrol();
      assert.ok(Math.abs((agent.clockSetTo[0]?.getTime() ?? 0) - realNow()) < 5000, String(agent.clockSetTo[0]));
      const { answer } = await agent.choose(keyrings);
      assert.ok(answer.taskSequence !== undefined);
    } finally {
      mock.timers.reset();
    }
  });
}

test("the same device key goes on after an outage of any length: its signatures are made in the site's time of now, no new approval", async () => {
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings } = await agent.enrol();
  await agent.choose(keyrings);
  const before = ((await site.admin("/audit?limit=5000")).json as { action: string }[]).filter((line) => line.action.startsWith("enrolment")).length;
  try {
    for (const hours of [2, 24 * 30]) {
      siteClock = hours * 3_600_000;
      const message = { number: hours, time: new Date().toISOString(), kind: "restart" as const, environment: "boot" as const };
      await agent.contact.client.sendStatus([message]);
      assert.deepEqual(await agent.contact.client.contentUrls(["0".repeat(64)]).then((urls) => urls.queries), {});
    }
  } finally {
    siteClock = 0;
  }
  assert.equal(((await site.admin("/audit?limit=5000")).json as { action: string }[]).filter((line) => line.action.startsWith("enrolment")).length, before);
});

test("a policy of an older number is refused, also after a restart: the highest one is journalled", async () => {
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings } = await agent.enrol();
  const old = await agent.contact.client.policy({ mediaId: media });
  await agent.choose(keyrings);
  await agent.state.endRun();
  const again = await agent.restart(site);
  const replaying = new Proxy(again.contact.client, { get: (client, name) => (name === "policy" ? async (): Promise<PolicyAnswer> => old : typeof client[name as "url"] === "function" ? (client[name as "fetchTime"] as () => unknown).bind(client) : client[name as "url"]) });
  await assert.rejects(again.choose(keyrings, { client: replaying }), (error: Error & { code: string }) => error.code === "PRESTAGE_AGENT_POLICY_REFUSED" && /old policy was replayed/.test(error.message));
});

test("secrets come sealed to this computer, for the deployment it chose", async () => {
  await site.must("/secrets", "PUT", { scope: "deployment", ownerId: deploymentId, name: "JOIN", value: "for the step alone" });
  const agent = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings } = await agent.enrol();
  const open = async () => new SiteSecrets({ client: agent.contact.client, sealingKey: await agent.state.sealingKey(), deviceKeyId: agent.deviceKey.keyId, deploymentId, siteCode: "ABC", screen: agent.screen, signal: agent.stop.signal, log: agent.contact.log }).open(["JOIN"]);
  await assert.rejects(open(), { code: "PRESTAGE_AGENT_SECRET_UNAVAILABLE" }, "before it chose the deployment");
  await agent.choose(keyrings);
  assert.deepEqual(await open(), { JOIN: "for the step alone" });
});

test("a challenge of another site is refused", async () => {
  const other = await startSite(join(folder, "other"), { siteCode: "XYZ" });
  await registerMedia(other, media);
  const here = new TestDevice(site, media);
  const { signEnrolment } = await import("@prestage/trust");
  const { json } = await other.call("/mp/v1/enrolment/challenge", { method: "POST", body: here.first });
  const answer = await site.call("/mp/v1/enrolment", { method: "POST", body: signEnrolment(here.first, String(json["challenge"]), here.key) });
  assert.deepEqual([answer.status, answer.json["code"]], [400, "PRESTAGE_TRUST_CHALLENGE_INVALID"]);
  // And this site's computer trusts nothing of the other: neither its time nor its TLS.
  const agent = await AgentInProcess.start(other, media, { keyring: keyringOfTheFactory });
  await assert.rejects(agent.contact.client.fetchTime(), (error: Error & { code: string }) => error.code === "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" && /signature/.test(error.message));
  await assert.rejects(agent.contact.client.challenge(here.first), { code: "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" });
  await other.stop();
});

test("a keyring rotated while a disk lay on the shelf is followed, kept, and what was chosen under the old one stays good", async () => {
  const early = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media) });
  const { keyrings: first } = await early.enrol();
  const { answer } = await early.choose(first);
  await site.must("/keyring/rotate", "POST", { roles: ["media", "policy", "time", "url"] });
  await site.must("/keyring/rotate", "POST", { roles: ["root", "policy", "time"] });
  const shelf = await AgentInProcess.start(site, media, { claim: await registerClaim(site, media), keyring: keyringOfTheFactory });
  const { keyrings } = await shelf.enrol();
  assert.deepEqual(keyrings.map((keyring) => keyring.version), [1, 2, 3]);
  await shelf.choose(keyrings);
  // After a restart the disk knows what it learnt, though its boot image does not.
  const again = await shelf.restart(site, { keyring: keyringOfTheFactory });
  assert.equal(again.contact.keyrings.at(-1)?.version, 3);
  const kept = { deviceKeyId: early.deviceKey.keyId, floor: new Date(0) };
  const later = await early.restart(site, { keyring: keyringOfTheFactory });
  const { keyrings: all } = await later.enrol();
  assert.equal(openKeptPolicy(answer, { ...kept, keyrings: all }).policy.keyringVersion, 1);
});

test("a keyring whose root changed without the old one's signature is refused, and nothing of it is kept", async () => {
  const chain = site.context.keys.keyringChain;
  const newest = openTrustedKeyring(chain.at(-1) ?? Buffer.alloc(0));
  const foreign = generateSigningKey();
  const forged = signKeyring({ ...newest, version: newest.version + 1, roles: { ...newest.roles, root: [foreign.public], policy: [foreign.public] } }, [foreign]);
  chain.push(forged);
  try {
    const agent = await AgentInProcess.start(site, media);
    await assert.rejects(agent.contact.client.fetchKeyrings(false), (error: Error & { code: string }) => error.code === "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" && /PRESTAGE_TRUST_SIGNATURE_INVALID/.test(error.message));
    assert.equal((await agent.state.keyrings(newest)).length, 1);
    agent.stop.abort(new Error("seen enough"));
    await assert.rejects(agent.enrol());
    assert.equal((await agent.state.keyrings(newest)).length, 1);
  } finally {
    chain.pop();
  }
});
