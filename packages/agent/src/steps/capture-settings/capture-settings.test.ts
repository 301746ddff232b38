import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { makeVariables, windowsSettingsQueries } from "@prestage/sequence";
import { makeRunFixture } from "../../fixtures/run-fixture.ts";
import { Journal } from "../../journal/journal.ts";
import { runSequence } from "../../run/run-sequence.ts";
import { readCim } from "../../windows/cim.ts";
import { adaptersOfVariables, chooseAdapters } from "../apply-network-settings.ts";
import { adapterVariables } from "./kept-adapter.ts";
import { adaptersOfLinux } from "./network-of-linux.ts";
import { settingsOfWindows } from "./settings-of-windows.ts";

const machine = { restart: async () => undefined, cleanUp: async () => undefined };
const card = { name: "enp1s0", mac: "52:54:00:12:34:56" };
const other = { name: "enp2s0", mac: "52:54:00:12:34:57" };
const address = (local: string, prefixlen: number, more: Record<string, unknown> = {}) => ({ family: local.includes(":") ? "inet6" : "inet", local, prefixlen, scope: local.startsWith("fe80:") ? "link" : "global", ...more });

/** What apply-network-settings makes of the variables. */
function appliedFrom(variables: [string, string][], count: number) {
  const list = [...variables, ["OSDAdapterCount", String(count)] as [string, string]];
  return chooseAdapters(adaptersOfVariables(makeVariables(list.map(([name, value]) => ({ name, value, source: "task-sequence" as const })))), [card, other]);
}

test("addresses set by somebody are kept and set again by apply-network-settings; those of DHCP are DHCP again", () => {
  const kernel = [
    { ifname: "lo", addr_info: [address("127.0.0.1", 8, { scope: "host" })] },
    { ifname: "enp1s0", addr_info: [address("10.17.0.20", 23), address("10.17.0.21", 23), address("fd00::5", 64), address("fd00::abcd", 64, { dynamic: true }), address("fe80::1", 64)] },
    { ifname: "enp2s0", addr_info: [address("192.168.1.9", 24, { dynamic: true })] },
  ];
  const routes = [{ dst: "default", gateway: "10.17.0.1", dev: "enp1s0", protocol: "static" }, { dst: "default", gateway: "192.168.1.1", dev: "enp2s0", protocol: "dhcp" }, { dst: "default", gateway: "fe80::2", dev: "enp1s0", protocol: "ra" }];
  const kept = adaptersOfLinux([card, other], kernel, routes, "# x\nnameserver 127.0.0.53\nnameserver 10.17.0.2\nsearch a.example b.example\n");
  const variables = adapterVariables(kept);
  assert.equal(new Map(variables).get("OSDAdapter0SubnetMask"), "255.255.254.0,255.255.254.0,64");
  assert.deepEqual(appliedFrom(variables, kept.length), [
    { match: { mac: card.mac }, dhcp: false, addresses: ["10.17.0.20/23", "10.17.0.21/23", "fd00::5/64"], gateways: ["10.17.0.1"], dnsServers: ["10.17.0.2"], searchDomains: ["a.example", "b.example"] },
    { match: { mac: other.mac }, dhcp: true, addresses: [], gateways: [], dnsServers: [], searchDomains: [] },
  ]);
  for (const bad of [null, [{}], [{ ifname: 1 }], "x"]) assert.throws(() => adaptersOfLinux([card], bad, [], ""));
});

test("the real ip of this computer is understood, and its variables are journalled", async () => {
  const fixture = await makeRunFixture([{ type: "capture-network-settings", with: { membership: true } }]);
  assert.deepEqual(await runSequence(await fixture.context({ environment: "installed" }), { bootId: "1", machine }), { result: "succeeded" });
  const events = (await Journal.open(join(fixture.folder, "prestage/state/journal"))).events.flatMap((event) => (event.kind === "variable-set" ? [event.name] : []));
  assert.ok(events.includes("OSDAdapterCount") && !events.includes("OSDWorkgroupName"));
});

test("what Windows says of its adapters: those of the computer's own alone, addresses without DHCP, masks as lengths, and what it belongs to", () => {
  const lines = [
    '[{"MACAddress":"52:54:00:12:34:56","DHCPEnabled":false,"IPAddress":["10.17.0.20","fe80::1","fd00::5"],"IPSubnet":["255.255.254.0","64","64"],"DefaultIPGateway":["10.17.0.1","fe80::2"],"DNSServerSearchOrder":["10.17.0.2"],"DNSDomain":"a.example"},{"MACAddress":"52:54:00:12:34:57","DHCPEnabled":true,"IPAddress":["192.168.1.9"],"IPSubnet":["255.255.255.0"],"DefaultIPGateway":["192.168.1.1"],"DNSServerSearchOrder":["192.168.1.1"]},{"MACAddress":"00:15:5D:00:00:01","DHCPEnabled":false,"IPAddress":["172.20.0.1"],"IPSubnet":["255.255.240.0"]}]',
    '[{"Name":"Ethernet","PermanentAddress":"525400123456","HardwareInterface":true,"NdisPhysicalMedium":14},{"Name":"Ethernet 2","PermanentAddress":"525400123457","HardwareInterface":true,"NdisPhysicalMedium":14},{"Name":"vEthernet","PermanentAddress":"00155D000001","HardwareInterface":false,"NdisPhysicalMedium":0}]',
    '{"Name":"BRANCH-07","PartOfDomain":true,"Domain":"ad.example.org","Workgroup":null}', '{"RegisteredUser":"Ann","Organization":"","MUILanguages":["de-DE"]}',
  ];
  const said = settingsOfWindows(readCim(lines, windowsSettingsQueries.length));
  assert.deepEqual(appliedFrom(adapterVariables(said.adapters), said.adapters.length), [
    { match: { mac: card.mac }, dhcp: false, addresses: ["10.17.0.20/23", "fd00::5/64"], gateways: ["10.17.0.1"], dnsServers: ["10.17.0.2"], searchDomains: ["a.example"] },
    { match: { mac: other.mac }, dhcp: true, addresses: [], gateways: [], dnsServers: [], searchDomains: [] },
  ]);
  assert.deepEqual([said.computerName, said.domain, said.workgroup, said.owner, said.organization, said.language], ["BRANCH-07", "ad.example.org", "", "Ann", "", "de-DE"]);
  assert.deepEqual(settingsOfWindows([]).adapters, []);
});

test("name, time zone and language of the system on the volume, in the boot environment, too; what is switched off and what is not there sets nothing", async () => {
  const fixture = await makeRunFixture([{ type: "capture-system-settings", with: { language: false } }, { type: "run-command-line", with: { command: "echo %OSDComputerName% %OSDTimeZone% %OSDSystemLocale%" } }]);
  await mkdir(join(fixture.folder, "etc/default"), { recursive: true });
  await writeFile(join(fixture.folder, "etc/hostname"), "# of the branch\nbranch-07.example.org\n");
  await symlink("/usr/share/zoneinfo/America/Argentina/Ushuaia", join(fixture.folder, "etc/localtime"));
  await writeFile(join(fixture.folder, "etc/default/locale"), 'LANG="de_DE.UTF-8"\n');
  const context = await fixture.context({ unattended: true });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine }), { result: "succeeded" });
  await context.status.flush();
  assert.equal(fixture.kept.findLast((message) => message.kind === "step-finished")?.outputTail, "branch-07 America/Argentina/Ushuaia %OSDSystemLocale%");
});

test("what the files of a system hold that is no name, zone or locale is not taken", async () => {
  const fixture = await makeRunFixture([{ type: "capture-system-settings" }]);
  await mkdir(join(fixture.folder, "etc"), { recursive: true });
  await writeFile(join(fixture.folder, "etc/hostname"), "a; reboot\n");
  await symlink("../../../zoneinfo/../../etc/shadow", join(fixture.folder, "etc/localtime"));
  await writeFile(join(fixture.folder, "etc/locale.conf"), "LANG=$(reboot)\n");
  const context = await fixture.context({ unattended: true });
  assert.deepEqual(await runSequence(context, { bootId: "1", machine }), { result: "succeeded" });
  await context.status.flush();
  assert.equal(fixture.kept.find((message) => message.kind === "step-finished")?.outputTail, "nothing was kept");
});
