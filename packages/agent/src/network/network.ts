import { writeFile } from "node:fs/promises";
import { AgentError } from "../error.ts";
import { runCommand } from "../run-command.ts";
import type { CommandResult } from "../run-command.ts";
import { byDhcp, checkNetworkSettings, nameServers } from "./network-settings.ts";
import type { NetworkSettings } from "./network-settings.ts";
import { textIn, en } from "../screens/texts/en.ts";
import { wiredInterfaces } from "./wired-interfaces.ts";

/** What of the system the network is set by. */
export interface NetworkSystem {
  interfaces(): Promise<string[]>;
  run(program: string, args: readonly string[]): Promise<CommandResult>;
  /** The file's whole text, /etc/resolv.conf. */
  writeResolver(text: string): Promise<void>;
}
const linux: NetworkSystem = { interfaces: wiredInterfaces, run: runCommand, writeResolver: (text) => writeFile("/etc/resolv.conf", text) };

const dhcpArguments = ["-q", "-n", "-t", "8", "-T", "1", "-A", "1", "-s", "/usr/share/udhcpc/default.script"];
const vlanName = (vlan: string) => `vlan${Number(vlan)}`;

/** This computer's network: brought up by its settings, which a person may change on the network screen at any time. */
export class Network {
  #settings: NetworkSettings;
  /** The VLAN's interface made last. */
  #vlan: string | undefined;
  #working: Promise<void> = Promise.resolve();
  readonly #log: (line: string) => void;
  readonly #system: NetworkSystem;

  constructor(settings: NetworkSettings, log: (line: string) => void, system: NetworkSystem = linux) {
    this.#settings = settings;
    this.#log = log;
    this.#system = system;
  }

  get settings(): NetworkSettings {
    return this.#settings;
  }
  interfaces(): Promise<string[]> {
    return this.#system.interfaces();
  }

  /** From now on these settings; brings the network up by them. */
  use(settings: NetworkSettings = byDhcp): Promise<void> {
    this.#settings = settings;
    return this.bringUp();
  }

  /**
   * Sets the static address, or asks for one on every wired interface, all at once; one is enough. One call after the other.
   * @throws AgentError PRESTAGE_AGENT_NO_NETWORK
   */
  bringUp(): Promise<void> {
    const done = this.#working.then(() => this.#bringUp());
    this.#working = done.catch(() => undefined);
    return done;
  }

  async #bringUp(): Promise<void> {
    const settings = this.#settings;
    const interfaces = await this.#system.interfaces();
    const wrong = checkNetworkSettings(settings, interfaces);
    if (wrong !== undefined) throw noNetwork(`settings of the network that can be applied`, `${wrong.field} ${JSON.stringify(settings[wrong.field])}: ${textIn(en, wrong.text)}`, "Correct them with F6, or in the media's variables.");
    if (this.#vlan !== undefined) await this.#ip("link", "del", this.#vlan);
    this.#vlan = undefined;
    const chosen = settings.interface !== "" ? [settings.interface] : settings.address === "" && settings.vlan === "" ? interfaces : interfaces.slice(0, 1);
    if (chosen.length === 0) throw noNetwork("a wired interface", "none", "Connect a wired network adapter this boot image has a driver for. It is tried again by itself.");
    for (const name of interfaces) await this.#ip("addr", "flush", "dev", name);
    for (const name of chosen) await this.#ip("link", "set", name, "up");
    const devices = settings.vlan === "" ? chosen : [await this.#makeVlan(chosen[0] ?? "", settings.vlan)];
    if (settings.address === "") await this.#askForAddress(devices);
    else await this.#setAddress(devices[0] ?? "", settings);
    const servers = nameServers(settings);
    if (servers.length > 0) await this.#system.writeResolver(servers.map((server) => `nameserver ${server}\n`).join(""));
  }

  async #makeVlan(link: string, vlan: string): Promise<string> {
    const name = vlanName(vlan);
    await this.#must("link", "add", "link", link, "name", name, "type", "vlan", "id", vlan);
    this.#vlan = name;
    await this.#must("link", "set", name, "up");
    return name;
  }

  async #setAddress(device: string, { address, gateway }: NetworkSettings): Promise<void> {
    await this.#must("addr", "add", address, "dev", device);
    if (gateway !== "") await this.#must("route", "add", "default", "via", gateway, "dev", device);
    this.#log(`network: ${address} on ${device}${gateway === "" ? "" : `, gateway ${gateway}`}`);
  }

  async #askForAddress(devices: readonly string[]): Promise<void> {
    const results = await Promise.all(
      devices.map(async (name) => {
        const { code, output } = await this.#system.run("udhcpc", [...dhcpArguments, "-i", name]);
        this.#log(`udhcpc on ${name} ended with ${code}: ${output.split("\n").at(-1) ?? ""}`);
        return code === 0;
      }),
    );
    if (!results.includes(true)) throw noNetwork("an address by DHCP on a wired interface", `none on ${devices.join(", ")}`, "Connect the network cable. It is tried again by itself.");
  }

  #ip(...args: string[]): Promise<CommandResult> {
    return this.#system.run("ip", args);
  }
  async #must(...args: string[]): Promise<void> {
    const { code, output } = await this.#ip(...args);
    if (code !== 0) throw noNetwork(`"ip ${args.join(" ")}" to work`, output || `exit code ${code}`, "Correct the network's settings with F6, or in the media's variables.");
  }
}

function noNetwork(expected: string, found: string, next: string): AgentError {
  return new AgentError("PRESTAGE_AGENT_NO_NETWORK", `Expected ${expected}; found ${found}.`, next);
}
