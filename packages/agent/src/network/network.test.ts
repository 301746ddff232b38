import assert from "node:assert/strict";
import { test } from "node:test";
import { TerminalScreen } from "../screens/terminals.ts";
import { plainText } from "../screens/line.ts";
import type { Line } from "../screens/line.ts";
import { Network } from "./network.ts";
import { networkTool } from "./network-form.ts";
import { byDhcp, checkNetworkSettings, settingsOfVariables } from "./network-settings.ts";
import type { NetworkSettings } from "./network-settings.ts";

const fixed: NetworkSettings = { ...byDhcp, address: "192.168.1.50/24", gateway: "192.168.1.1", dns: "192.168.1.1, 9.9.9.9" };
const wrongField = (change: Partial<NetworkSettings>) => checkNetworkSettings({ ...fixed, ...change }, ["eth0", "eth1"])?.field;

function computer(interfaces = ["eth0", "eth1"], fails = /^$/) {
  const ran: string[] = [];
  let resolver = "";
  const system = {
    interfaces: async () => interfaces,
    run: async (program: string, args: readonly string[]) => {
      const text = [program, ...args].join(" ");
      ran.push(text);
      return fails.test(text) ? { code: 1, output: "no" } : { code: 0, output: "" };
    },
    writeResolver: async (text: string) => void (resolver = text),
  };
  return { ran, system, resolver: () => resolver };
}

test("settings that cannot work are refused, each at its field", () => {
  assert.equal(wrongField({}), undefined);
  assert.equal(checkNetworkSettings(byDhcp, []), undefined);
  for (const address of ["192.168.1.50", "192.168.1.50/33", "192.168.1/24", "a/24", "192.168.1.50/24/1"]) assert.equal(wrongField({ address }), "address", address);
  for (const gateway of ["192.168.2.1", "x"]) assert.equal(wrongField({ gateway }), "gateway", gateway);
  assert.equal(wrongField({ address: "" }), "gateway", "a gateway without an address");
  for (const dns of ["x", "1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4"]) assert.equal(wrongField({ dns }), "dns", dns);
  for (const proxy of ["proxy", "ftp://x:1", "http://user:secret@x:1"]) assert.equal(wrongField({ proxy }), "proxy", proxy);
  for (const vlan of ["0", "4095", "x", "-1"]) assert.equal(wrongField({ vlan }), "vlan", vlan);
  assert.equal(wrongField({ interface: "eth7" }), "interface");
});

test("a media's variables give the settings, under our names or the reference's", () => {
  assert.deepEqual(settingsOfVariables([{ name: "prestagenetworkaddress", value: "10.0.0.5/8" }, { name: "PrestageNetworkVlan", value: "7" }]), { ...byDhcp, address: "10.0.0.5/8", vlan: "7" });
  const reference = [["OSDAdapter0IPAddressList", "10.1.2.3"], ["OSDAdapter0SubnetMask", "255.255.252.0"], ["OSDAdapter0Gateways", "10.1.0.1"], ["OSDAdapter0DNSServerList", "10.1.0.2,10.1.0.3"]] as const;
  assert.deepEqual(settingsOfVariables(reference.map(([name, value]) => ({ name, value }))), { ...byDhcp, address: "10.1.2.3/22", gateway: "10.1.0.1", dns: "10.1.0.2,10.1.0.3" });
  assert.equal(checkNetworkSettings(settingsOfVariables([{ name: "OSDAdapter0IPAddressList", value: "10.1.2.3" }]), [])?.field, "address", "an address without a mask is not guessed at");
  assert.deepEqual(settingsOfVariables([]), byDhcp);
});

test("a static address in a VLAN is set by ip, with its gateway and name servers; DHCP afterwards takes the VLAN away", async () => {
  const { ran, system, resolver } = computer();
  const network = new Network({ ...fixed, interface: "eth1", vlan: "12" }, () => undefined, system);
  await network.bringUp();
  assert.deepEqual(ran, [
    "ip addr flush dev eth0", "ip addr flush dev eth1", "ip link set eth1 up", "ip link add link eth1 name vlan12 type vlan id 12", "ip link set vlan12 up",
    "ip addr add 192.168.1.50/24 dev vlan12", "ip route add default via 192.168.1.1 dev vlan12",
  ]);
  assert.equal(resolver(), "nameserver 192.168.1.1\nnameserver 9.9.9.9\n");
  ran.length = 0;
  await network.use(byDhcp);
  assert.equal(ran[0], "ip link del vlan12");
  assert.deepEqual(ran.filter((text) => text.startsWith("udhcpc")).map((text) => text.split(" ").at(-1)), ["eth0", "eth1"]);
});

test("one interface with an address is enough; none, or a command that fails, says so", async () => {
  await new Network(byDhcp, () => undefined, computer(["eth0", "eth1"], /udhcpc.*eth0/).system).bringUp();
  for (const { system, settings } of [{ system: computer(["eth0"], /udhcpc/).system, settings: byDhcp }, { system: computer([]).system, settings: byDhcp }, { system: computer(["eth0"], /addr add/).system, settings: fixed }, { system: computer().system, settings: { ...fixed, vlan: "9999" } }]) {
    await assert.rejects(new Network(settings, () => undefined, system).bringUp(), { code: "PRESTAGE_AGENT_NO_NETWORK" });
  }
});

test("F6 opens the settings; what is wrong is said at its field, what is right is applied", async () => {
  const screen = new TerminalScreen();
  let last: Line[] = [];
  screen.addTerminal({ style: "screen", size: { width: 79, height: 23 }, draw: (lines) => void (last = lines), forget: () => undefined, event: () => undefined, print: () => undefined });
  const applied: NetworkSettings[] = [];
  screen.addTool(networkTool({ settings: () => byDhcp, interfaces: async () => ["eth0"], apply: async (settings) => void applied.push(settings) }));
  screen.message({ screen: "network", title: "Connecting", lines: [] });
  screen.typed("\u001b[17~");
  await new Promise(setImmediate);
  screen.typed("\t10.0.0.5\r");
  assert.match(plainText(last), /Expected an address and its prefix/);
  assert.equal(applied.length, 0);
  screen.typed("/24\t10.0.0.1\r");
  await new Promise(setImmediate);
  assert.deepEqual(applied, [{ ...byDhcp, address: "10.0.0.5/24", gateway: "10.0.0.1" }]);
  assert.match(plainText(last), /Applied/);
  screen.typed("\u001b");
  assert.match(plainText(last), /Connecting/);
});
