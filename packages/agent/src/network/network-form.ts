import type { Overlay, OverlayHost, Tool } from "../screens/overlay.ts";
import { keyOf } from "../screens/keys.ts";
import { editText } from "../screens/password-entry.ts";
import type { Text } from "../screens/texts/en.ts";
import { checkNetworkSettings, networkFields } from "./network-settings.ts";
import type { NetworkField, NetworkSettings } from "./network-settings.ts";

export interface NetworkFormOptions {
  settings: () => NetworkSettings;
  interfaces: () => Promise<readonly string[]>;
  /** Applies and keeps what was typed; throws where that fails. */
  apply: (settings: NetworkSettings) => Promise<void>;
}

const labels: Record<NetworkField, { label: Text; hint?: Text }> = {
  interface: { label: (texts) => texts.networkInterface },
  address: { label: (texts) => texts.networkAddress, hint: (texts) => texts.networkAddressHint },
  gateway: { label: (texts) => texts.networkGateway },
  dns: { label: (texts) => texts.networkDns, hint: (texts) => texts.networkDnsHint },
  proxy: { label: (texts) => texts.networkProxy, hint: (texts) => texts.networkProxyHint },
  vlan: { label: (texts) => texts.networkVlan, hint: (texts) => texts.networkVlanHint },
};
const longest = 256;

/** The network screen on F6. */
export function networkTool(options: NetworkFormOptions): Tool {
  return { number: 6, label: (texts) => texts.keyNetwork, press: (host) => void options.interfaces().then((interfaces) => host.open(new NetworkForm(options, interfaces, host))) };
}

class NetworkForm implements Overlay {
  readonly name = "network-settings";
  readonly #options: NetworkFormOptions;
  readonly #interfaces: readonly string[];
  readonly #host: OverlayHost;
  #settings: NetworkSettings;
  #selected = 0;
  #notes: Text[] = [];
  #bad = false;
  #busy = false;

  constructor(options: NetworkFormOptions, interfaces: readonly string[], host: OverlayHost) {
    this.#options = options;
    this.#interfaces = interfaces;
    this.#host = host;
    this.#settings = options.settings();
  }

  view() {
    const fields = networkFields.map((field) => ({ ...labels[field], ...(field === "interface" && { hint: this.#interfaces.join(", ") }), value: this.#settings[field] }));
    return { kind: "form" as const, title: (texts: Parameters<Exclude<Text, string>>[0]) => texts.networkTitle, fields, selected: this.#selected, notes: this.#notes, bad: this.#bad };
  }

  typed(token: string): void {
    const { kind } = keyOf(token);
    if (kind === "escape") return this.#host.open(undefined);
    if (this.#busy) return;
    // Letters are letters here, `j` and `k` too.
    if (token === "\t" || (kind === "down" && token.length > 1)) this.#selected = (this.#selected + 1) % networkFields.length;
    else if (kind === "up" && token.length > 1) this.#selected = (this.#selected + networkFields.length - 1) % networkFields.length;
    else if (kind === "enter") void this.#apply();
    else {
      const field = networkFields[this.#selected] ?? "interface";
      this.#settings = { ...this.#settings, [field]: editText(this.#settings[field], token, longest) };
    }
    this.#host.redraw();
  }

  async #apply(): Promise<void> {
    const settings = Object.fromEntries(Object.entries(this.#settings).map(([name, value]) => [name, value.trim()])) as unknown as NetworkSettings;
    const wrong = checkNetworkSettings(settings, this.#interfaces);
    if (wrong !== undefined) {
      this.#selected = networkFields.indexOf(wrong.field);
      return this.#say(wrong.text, true);
    }
    this.#busy = true;
    this.#say((texts) => texts.networkApplying, false);
    try {
      await this.#options.apply(settings);
      this.#say((texts) => texts.networkApplied, false);
    } catch (cause) {
      this.#say(cause instanceof Error ? cause.message : String(cause), true);
    } finally {
      this.#busy = false;
    }
  }

  #say(note: Text, bad: boolean): void {
    this.#notes = [note];
    this.#bad = bad;
    this.#host.redraw();
  }
}
