import { readdir, readFile } from "node:fs/promises";

/** The kernel's name for Ethernet in /sys/class/net/X/type (ARPHRD_ETHER). */
const etherType = "1";

/** Names of the wired interfaces there are; a VLAN on one of them is none. */
export async function wiredInterfaces(): Promise<string[]> {
  const names = await readdir("/sys/class/net");
  const wired: string[] = [];
  for (const name of names) {
    const type = await readFile(`/sys/class/net/${name}/type`, "utf8").catch(() => "");
    const wireless = await readdir(`/sys/class/net/${name}/wireless`).then(() => true, () => false);
    const vlan = /^DEVTYPE=vlan$/m.test(await readFile(`/sys/class/net/${name}/uevent`, "utf8").catch(() => ""));
    if (name !== "lo" && type.trim() === etherType && !wireless && !vlan) wired.push(name);
  }
  return wired.sort();
}
