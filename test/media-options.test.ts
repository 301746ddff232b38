import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { after, test } from "node:test";
import { generateSigningKey, signRenewal } from "@prestage/trust";
import { registerMedia } from "../packages/site/src/fixtures/test-device.ts";
import { dataDirectory, startSite } from "../packages/site/src/fixtures/test-site.ts";
import { AgentInProcess } from "./support/agent-in-process.ts";
import { meetSite } from "../packages/agent/src/first-boot/contact.ts";

const site = await startSite(await dataDirectory());
const expired = await registerMedia(site, "e".repeat(64), { validTo: "2026-01-01T00:00:00Z" });

test("an expired media goes no further; once the site renewed it, the same disk does, and keeps the renewal", async () => {
  const agent = await AgentInProcess.start(site, expired);
  await assert.rejects(meetSite(agent.contact), { code: "PRESTAGE_MEDIA_EXPIRED" });
  await site.must(`/media/${expired}/renew`, "POST", { validTo: "2199-01-01T00:00:00Z" });
  await meetSite(agent.contact);
  await agent.event(/^@@prestage renewal \{"validTo":"2199-01-01T00:00:00/);
  await site.context.db.updateTable("media").set({ renewal: null }).where("media_id", "=", expired).execute();
  await meetSite((await agent.restart(site)).contact);
});

test("a renewal signed by another key, or of another media, counts for nothing and is logged", async () => {
  const forged = await registerMedia(site, "f".repeat(64), { validTo: "2026-01-01T00:00:00Z" });
  const document = { format: "prestage-renewal-v1", mediaId: forged, validTo: "2199-01-01T00:00:00Z", issued: new Date().toISOString() } as const;
  const media = site.context.keys.signing.media;
  for (const envelope of [signRenewal(document, generateSigningKey()), signRenewal({ ...document, mediaId: expired }, media), Buffer.from("{}")]) {
    await site.context.db.updateTable("media").set({ renewal: envelope }).where("media_id", "=", forged).execute();
    const agent = await AgentInProcess.start(site, forged);
    await assert.rejects(meetSite(agent.contact), { code: "PRESTAGE_MEDIA_EXPIRED" });
    assert.ok(agent.logged.some((line) => /renewal from the management point counts for nothing/.test(line)));
    assert.equal(await agent.state.renewal(), undefined);
  }
});

test("through a proxy, typed at the computer, the site is reached in a tunnel; a proxy that is not there is no way round it", async () => {
  const media = await registerMedia(site, "d".repeat(64));
  const agent = await AgentInProcess.start(site, media);
  const asked: string[] = [];
  const proxy = createServer().on("connect", (request, client) => {
    asked.push(String(request.url));
    const { hostname, port } = new URL(`http://${String(request.url)}`);
    const server = connect(Number(port), hostname, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      server.pipe(client).pipe(server);
    });
    for (const socket of [client, server]) socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  try {
    agent.contact.client.useProxy(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    await meetSite(agent.contact);
    assert.ok(asked.length > 0 && asked.every((host) => host === new URL(agent.contact.client.url).host));
    agent.contact.client.useProxy("http://127.0.0.1:1");
    await assert.rejects(agent.contact.client.fetchTime(), { code: "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" });
    agent.contact.client.useProxy("");
    await agent.contact.client.fetchTime();
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

/** Another address of the same site, which can go away. */
async function otherAddress(): Promise<{ url: string; close: () => Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((client) => {
    const { hostname, port } = new URL(site.running.url);
    const behind = connect(Number(port), hostname);
    client.pipe(behind).pipe(client);
    for (const socket of [client, behind]) sockets.add(socket.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
  after(close);
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

for (const mode of ["dynamic", "site-based"] as const) {
  test(`${mode} media: the policy names another management point, then the first one goes away`, async () => {
    const first = await otherAddress();
    const media = await registerMedia(site, (mode === "dynamic" ? "1" : "2").repeat(64), { managementPoints: { mode, urls: [first.url] }, unattended: true });
    site.context.configuration.publicUrls = [site.running.url];
    const agent = await AgentInProcess.start(site, media);
    const enrolling = agent.enrol(`MODE-${mode}`);
    const code = /"code":"([A-Z2-7]{6})"/.exec(await agent.event(/"code":"/))?.[1];
    await site.must(`/approvals/${String(code)}`, "POST", { decision: "approve" });
    const { keyrings } = await enrolling;
    assert.equal(agent.contact.client.url, first.url);
    const choosing = agent.choose(keyrings);
    choosing.catch(() => undefined);
    await agent.event(/nothing-offered/);
    await first.close();
    const restarted = await agent.restart(site);
    if (mode === "dynamic") {
      assert.equal(agent.contact.client.url, site.running.url);
      await agent.contact.client.fetchTime();
      assert.deepEqual(await agent.state.managementPoints(), [site.running.url]);
      await meetSite(restarted.contact);
      assert.equal(restarted.contact.client.url, site.running.url);
    } else {
      assert.deepEqual(await agent.state.managementPoints(), []);
      await assert.rejects(agent.contact.client.fetchTime(), { code: "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" });
      assert.equal(restarted.contact.client.url, first.url);
    }
    agent.stop.abort(new Error("the test has ended"));
    await assert.rejects(choosing);
  });
}

test("dynamic media falls back on its own management point when none the policy named answers", async () => {
  const media = await registerMedia(site, "3".repeat(64), { managementPoints: { mode: "dynamic", urls: [site.running.url] } });
  const gone = await otherAddress();
  await gone.close();
  const agent = await AgentInProcess.start(site, media);
  await mkdir(agent.state.folder, { recursive: true });
  await agent.state.keepManagementPoints([gone.url]);
  await meetSite(agent.contact);
  assert.equal(agent.contact.client.url, site.running.url);
  assert.ok(agent.logged.some((line) => line.startsWith(`management point ${gone.url} failed`)));
});

for (const makeAvailableTo of ["MediaAndPxe", "MediaAndPxeHidden"] as const) {
  test(`SMSTSPreferredAdvertID runs its deployment without asking, only available though it is (${makeAvailableTo}), before a required one`, async () => {
    const media = await registerMedia(site, (makeAvailableTo === "MediaAndPxe" ? "4" : "5").repeat(64));
    const agent = await AgentInProcess.start(site, media);
    const enrolling = agent.enrol(`PREFERRED-${makeAvailableTo}`);
    const code = /"code":"([A-Z2-7]{6})"/.exec(await agent.event(/"code":"/))?.[1];
    await site.must(`/approvals/${String(code)}`, "POST", { decision: "approve" });
    const { keyrings, deviceId } = await enrolling;
    const taskSequenceId = (await site.must("/task-sequences", "POST", { yaml: "name: One\nsteps:\n  - { name: Run, type: run-command-line, with: { command: 'true' } }\n" }))["id"];
    const deploy = async (purpose: string, to: string) => String((await site.must("/deployments", "POST", { taskSequenceId, deviceId, purpose, makeAvailableTo: to }))["id"]);
    const preferred = await deploy("available", makeAvailableTo);
    await deploy("required", "MediaAndPxe");
    agent.contact.manifest.variables.push({ name: "smstspreferredadvertid", value: `{${preferred}}` });
    await agent.choose(keyrings);
    assert.ok(agent.events.some((event) => event.startsWith(`@@prestage chosen {"deploymentId":"${preferred}"`)), agent.events.at(-1));
    assert.ok(!agent.events.some((event) => event.includes('"screen":"choose"')));
  });
}
