import { readdir, readFile } from "node:fs/promises";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";

/** The kernel's name for Ethernet in /sys/class/net/X/type (ARPHRD_ETHER). */
const etherType = "1";

export async function wiredInterfaces(): Promise<string[]> {
  const names = await readdir("/sys/class/net");
  const wired: string[] = [];
  for (const name of names) {
    const type = await readFile(`/sys/class/net/${name}/type`, "utf8").catch(() => "");
    const wireless = await readdir(`/sys/class/net/${name}/wireless`).then(() => true, () => false);
    if (name !== "lo" && type.trim() === etherType && !wireless) wired.push(name);
  }
  return wired.sort();
}

/**
 * Asks for an address on every wired interface, all at once; one is enough.
 * @throws AgentError PRESTAGE_AGENT_NO_NETWORK
 */
export async function bringUpNetwork(log: (line: string) => void): Promise<void> {
  const interfaces = await wiredInterfaces();
  const results = await Promise.all(
    interfaces.map(async (name) => {
      await runCommand("ip", ["link", "set", name, "up"]);
      const { code, output } = await runCommand("udhcpc", ["-q", "-n", "-t", "8", "-T", "1", "-A", "1", "-i", name, "-s", "/usr/share/udhcpc/default.script"]);
      log(`udhcpc on ${name} ended with ${code}: ${output.split("\n").at(-1) ?? ""}`);
      return code === 0;
    }),
  );
  if (!results.includes(true)) {
    throw new AgentError("PRESTAGE_AGENT_NO_NETWORK", `Expected an address by DHCP on a wired interface; found ${interfaces.length === 0 ? "no wired interface" : `none on ${interfaces.join(", ")}`}.`, "Connect the network cable. It is tried again by itself.");
  }
}
