import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

export interface WiredAdapter { name: string; mac: string }

/** The computer's own Ethernet adapters in the kernel's order: no bridges, tunnels or radios. */
export async function wiredAdapters(folder = "/sys/class/net"): Promise<WiredAdapter[]> {
  const found: (WiredAdapter & { index: number })[] = [];
  for (const name of await readdir(folder)) {
    const text = async (file: string) => (await readFile(join(folder, name, file), "utf8").catch(() => "")).trim();
    const has = (file: string) => stat(join(folder, name, file)).then(() => true, () => false);
    // 1: ARPHRD_ETHER.
    if ((await text("type")) !== "1" || !(await has("device")) || (await has("wireless")) || (await has("phy80211"))) continue;
    found.push({ name, mac: (await text("address")).toLowerCase(), index: Number(await text("ifindex")) });
  }
  return found.toSorted((a, b) => a.index - b.index).map(({ name, mac }) => ({ name, mac }));
}
