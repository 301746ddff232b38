import assert from "node:assert/strict";
import { createServer } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
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
