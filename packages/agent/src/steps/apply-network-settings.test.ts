import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeVariables } from "@prestage/sequence";
import { wiredAdapters } from "../facts/wired-adapters.ts";
import { makeRunFixture } from "../fixtures/run-fixture.ts";
import { runSequence } from "../run/run-sequence.ts";
import { adaptersOfVariables, chooseAdapters } from "./apply-network-settings.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };

test("the last step's settings are in the applied system, from the step or from the array variables; without a system it fails", async () => {
  const adapters = [{ mac: "52-54-00-12-34-56", addresses: "10.17.0.20/24", gateways: ["10.17.0.1"] }];
  const fixture = await makeRunFixture([
    { type: "apply-network-settings", with: { adapters: [...adapters, { name: "enp2s0", dhcp: "true" }] } },
    { type: "apply-network-settings" },
    { type: "apply-network-settings", with: { adapters: [{ name: "enp3s0", addresses: ["10.17.0.20/40"] }] } },
  ]);
  await mkdir(join(fixture.folder, "etc"));
  await writeFile(join(fixture.folder, "etc/os-release"), "ID=debian\n");
  const values = { OSDAdapterCount: "1", OSDAdapter0MACAddress: "52:54:00:AA:BB:CC", OSDAdapter0EnableDHCP: "false", OSDAdapter0IPAddressList: "10.18.0.9,10.19.0.9", OSDAdapter0SubnetMask: "255.255.255.0, 255.255.254.0", OSDAdapter0Gateways: "10.18.0.1", OSDAdapter0DNSServerList: "10.18.0.2", OSDDNSSuffixSearchOrder: "example.org,example.net" };
  const variables = Object.entries(values).map(([name, value]) => ({ name, value, source: "device" as const }));
  assert.deepEqual(await runSequence(await fixture.context({ variables }), { bootId: "1", machine }), { result: "failed" });
  await (await fixture.context()).status.flush();
  assert.deepEqual(fixture.kept.filter((message) => message.kind === "step-finished").map((message) => message.error?.code ?? message.outcome), ["succeeded", "succeeded", "PRESTAGE_DISK_BAD_SETTING"]);
  const folder = join(fixture.folder, "etc/systemd/network");
  assert.deepEqual(await readdir(folder), ["05-prestage-0.network"]);
  assert.match(await readFile(join(folder, "05-prestage-0.network"), "utf8"), /MACAddress=52:54:00:aa:bb:cc\nType=ether\n\n\[Network\]\nDHCP=no\nAddress=10\.18\.0\.9\/24\nAddress=10\.19\.0\.9\/23\nGateway=10\.18\.0\.1\nDNS=10\.18\.0\.2\nDomains=example\.org example\.net\n/);
  const empty = await makeRunFixture([{ type: "apply-network-settings", with: { adapters } }]);
  assert.deepEqual(await runSequence(await empty.context(), { bootId: "1", machine }), { result: "failed" });
  assert.ok(empty.events.some((event) => event.includes("PRESTAGE_DISK_FILE_MISSING")));
});

test("an entry without address and name takes the next wired adapter that no other names", () => {
  const plain = { addresses: [], gateways: [], dnsServers: [], searchDomains: [] };
  const present = [{ name: "eth0", mac: "52:54:00:00:00:01" }, { name: "eth1", mac: "52:54:00:00:00:02" }];
  assert.deepEqual(chooseAdapters([plain, { ...plain, mac: "52-54-00-00-00-01", dhcp: false }], present).map(({ match, dhcp }) => ({ match, dhcp })), [{ match: { mac: "52:54:00:00:00:02" }, dhcp: true }, { match: { mac: "52:54:00:00:00:01" }, dhcp: false }]);
  assert.throws(() => chooseAdapters([plain, plain, plain], present), { code: "PRESTAGE_AGENT_STEP_INVALID" });
});

test("array variables that do not fit together are refused", () => {
  const of = (values: Record<string, string>) => () => adaptersOfVariables(makeVariables(Object.entries(values).map(([name, value]) => ({ name, value, source: "device" as const }))));
  assert.deepEqual(of({})(), []);
  for (const values of [{ OSDAdapterCount: "17" }, { OSDAdapterCount: "x" }, { OSDAdapterCount: "1", OSDAdapter0IPAddressList: "10.0.0.1" }, { OSDAdapterCount: "1", OSDAdapter0IPAddressList: "10.0.0.1", OSDAdapter0SubnetMask: "255.0.255.0" }]) assert.throws(of(values), { code: "PRESTAGE_AGENT_STEP_INVALID" }, JSON.stringify(values));
});

test("wired adapters are the computer's own: no bridges, radios or loopbacks", async () => {
  const folder = await mkdtemp(join(tmpdir(), "prestage-net-"));
  const make = async (name: string, index: number, ...folders: string[]) => {
    await mkdir(join(folder, name), { recursive: true });
    for (const [file, text] of [["type", name === "lo" ? "772" : "1"], ["address", `52:54:00:00:00:0${index}`], ["ifindex", String(index)]] as const) await writeFile(join(folder, name, file), `${text}\n`);
    for (const one of folders) await mkdir(join(folder, name, one));
  };
  try {
    await make("lo", 1, "device");
    await make("br0", 2);
    await make("wlan0", 3, "device", "phy80211");
    await make("b", 4, "device");
    await make("a", 9, "device");
    assert.deepEqual((await wiredAdapters(folder)).map((one) => one.name), ["b", "a"]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
