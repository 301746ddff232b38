import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { adapterSettings, dhcpEverywhere, type NetworkAdapter, type NetworkSystem } from "./network-settings.ts";
import { runProgram } from "./run-program.ts";
import { readNetworkSystem, writeSettings } from "./write-settings.ts";

const adapter: NetworkAdapter = { match: { mac: "52:54:00:12:34:56" }, dhcp: false, addresses: ["10.17.0.20/24", "2001:db8::20/64"], gateways: ["10.17.0.1"], dnsServers: ["10.17.0.2"], searchDomains: ["example.org"] };
const networkd: NetworkSystem = { manager: "systemd-networkd", resolved: false };

async function inRoot(check: (root: string) => Promise<void>): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), "prestage-network-"));
  try {
    await mkdir(join(root, "etc"), { recursive: true });
    await writeFile(join(root, "etc/os-release"), "ID=debian\n");
    await check(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

/** A network of its own with the adapter in it; ends when networkd has set its default route. */
const namespace = `set -e
# What other tests have mounted is not held here.
for place in $(awk '$1 ~ "^/dev/loop" { print $2 }' /proc/mounts); do umount --lazy "$place"; done
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/netif
mount --bind "$1/etc/systemd/network" /etc/systemd/network
mount -o remount,bind,ro /sys 2>/dev/null || mount -t sysfs -o ro sysfs /sys
ip link set lo up
ip link add enp1s0 address 52:54:00:12:34:56 type veth peer name other
ip link set other up
for program in /usr/lib/systemd/systemd-networkd /lib/systemd/systemd-networkd; do test -x $program && break; done
mkfifo "$1/routes"
ip monitor route > "$1/routes" & monitor=$!
$program 2> "$1/log" & networkd=$!
timeout 20 grep -q -m1 default "$1/routes" || cat "$1/log" >&2
ip -o address show dev enp1s0
ip route
kill $networkd $monitor`;

test("systemd-networkd itself gives the adapter what was written, before the DHCP of all others", async () => {
  await inRoot(async (root) => {
    const other = { ...adapter, match: { name: "enp9s0" }, dhcp: true, addresses: [], gateways: [] };
    await writeSettings(root, adapterSettings([other, other, adapter], networkd));
    await writeSettings(root, dhcpEverywhere(networkd));
    await writeSettings(root, adapterSettings([adapter], networkd));
    assert.deepEqual((await readdir(join(root, "etc/systemd/network"))).toSorted(), ["05-prestage-0.network", "10-dhcp.network"]);
    // As systemd-networkd reads them: it is another user there.
    for (const path of ["", "etc", "etc/systemd", "etc/systemd/network"]) await chmod(join(root, path), 0o755);
    const { output } = await runProgram("unshare", ["--net", "--mount", "sh", "-c", namespace, "sh", root]);
    assert.match(output, /inet 10\.17\.0\.20\/24 /);
    assert.match(output, /^default via 10\.17\.0\.1 dev enp1s0 proto static/m);
    assert.equal(await readFile(join(root, "etc/resolv.conf"), "utf8"), "search example.org\nnameserver 10.17.0.2\n");
  });
});

test("an image with NetworkManager gets its keyfiles, readable by root alone, and nothing of networkd", async () => {
  await inRoot(async (root) => {
    const wants = join(root, "etc/systemd/system/multi-user.target.wants");
    await mkdir(wants, { recursive: true });
    await symlink("/lib/systemd/system/NetworkManager.service", join(wants, "NetworkManager.service"));
    const system = await readNetworkSystem(root);
    assert.deepEqual(system, { manager: "network-manager", resolved: false });
    assert.deepEqual(dhcpEverywhere(system), []);
    await writeSettings(root, adapterSettings([adapter], system));
    const text = await readFile(join(root, "etc/NetworkManager/system-connections/prestage-0.nmconnection"), "utf8");
    assert.ok(text.includes("[ethernet]\nmac-address=52:54:00:12:34:56\n") && text.includes("[ipv4]\nmethod=manual\naddress1=10.17.0.20/24\ngateway=10.17.0.1\ndns=10.17.0.2;\ndns-search=example.org;\n") && text.includes("[ipv6]\nmethod=manual\naddress1=2001:db8::20/64\n"));
    assert.deepEqual(await readdir(join(root, "etc")), ["NetworkManager", "os-release", "systemd"]);
  });
});

test("names are looked up by systemd-resolved where the image has it; a volume without a system is refused", async () => {
  await inRoot(async (root) => {
    await mkdir(join(root, "usr/lib/systemd/system"), { recursive: true });
    await writeFile(join(root, "usr/lib/systemd/system/systemd-resolved.service"), "");
    await symlink("usr/lib", join(root, "lib"));
    const system = await readNetworkSystem(root);
    assert.deepEqual(system, { manager: "systemd-networkd", resolved: true });
    await writeSettings(root, adapterSettings([adapter], system));
    assert.equal(await readlink(join(root, "etc/resolv.conf")), "/run/systemd/resolve/stub-resolv.conf");
    await rm(join(root, "etc/os-release"));
    await assert.rejects(readNetworkSystem(root), { code: "PRESTAGE_DISK_FILE_MISSING" });
  });
});

test("what would start a new line or leave the computer unreachable is refused", () => {
  for (const bad of [
    { match: { mac: "52:54:00:12:34" } }, { match: { name: "en p" } }, { match: { name: "a\n[Network]" } }, { addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.1/33"] }, { addresses: ["10.0.0.1/24/1"] }, { gateways: ["10.18.0.1"] }, { gateways: ["gateway"] },
    { dnsServers: ["10.17.0.2\nDNS=1.1.1.1"] }, { searchDomains: ["a b"] }, { addresses: [], gateways: [] },
  ]) assert.throws(() => adapterSettings([{ ...adapter, ...bad }], networkd), { code: "PRESTAGE_DISK_BAD_SETTING" }, JSON.stringify(bad));
  assert.throws(() => adapterSettings(Array.from({ length: 17 }, () => adapter), networkd), { code: "PRESTAGE_DISK_BAD_SETTING" });
});
