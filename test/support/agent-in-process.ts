import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import type { Manifest } from "@prestage/media";
import { exportPrivateKey, openTrustedKeyring } from "@prestage/trust";
import type { Keyring, SigningKey } from "@prestage/trust";
import { chooseDeployment, meetSite } from "../../packages/agent/src/first-boot/contact.ts";
import type { ContactOptions } from "../../packages/agent/src/first-boot/contact.ts";
import { enrolDevice } from "../../packages/agent/src/first-boot/enrol-device.ts";
import { SignedClock } from "../../packages/agent/src/management-point/clock.ts";
import { ManagementPointClient } from "../../packages/agent/src/management-point/management-point-client.ts";
import { TerminalScreen } from "../../packages/agent/src/screens/terminals.ts";
import { DeviceState, readClaimKey } from "../../packages/agent/src/state/device-state.ts";
import { StatusSpool } from "../../packages/agent/src/status/status-spool.ts";
import { writeDurably } from "../../packages/content/src/index.ts";
import type { TestSite } from "../../packages/site/src/fixtures/test-site.ts";

/** The parts of the real agent between the network and the run, on a folder instead of a disk, against a real site. */
export class AgentInProcess {
  readonly folder: string;
  readonly events: string[] = [];
  readonly logged: string[] = [];
  readonly screen = new TerminalScreen();
  /** What the system's clock would have been set to. */
  readonly clockSetTo: Date[] = [];
  readonly stop = new AbortController();
  revoked: Error | undefined;
  readonly state: DeviceState;
  readonly contact: ContactOptions;
  readonly deviceKey: SigningKey;
  readonly #mediaId: string;
  readonly #waiting: { pattern: RegExp; resolve: (event: string) => void }[] = [];

  private constructor(folder: string, mediaId: string, parts: { state: DeviceState; deviceKey: SigningKey; known: Keyring[]; manifest: Manifest; status: StatusSpool; clock: SignedClock }) {
    this.folder = folder;
    this.#mediaId = mediaId;
    this.state = parts.state;
    this.deviceKey = parts.deviceKey;
    this.screen.addTerminal({ style: "serial", size: { width: 79, height: 23 }, draw: () => undefined, forget: () => undefined, print: () => undefined, event: (text) => this.#happened(text) });
    const log = (line: string) => void this.logged.push(line);
    const { manifest, known, clock } = parts;
    const client = new ManagementPointClient({ urls: manifest.managementPoints.urls, keyring: known.at(-1) as Keyring, deviceKey: parts.deviceKey, clock, floor: new Date(manifest.floor), log, onRevoked: (cause) => (this.revoked = cause) });
    this.contact = { manifest, mediaId, keyrings: known, client, clock, state: parts.state, status: parts.status, screen: this.screen, signal: this.stop.signal, log };
    after(async () => {
      this.stop.abort(new Error("the test has ended"));
      await client.close();
    });
  }

  /** A computer whose disk was staged when the site had this keyring; `folder`: the disk of an earlier start. */
  static async start(site: TestSite, mediaId: string, options: { claim?: SigningKey; keyring?: Uint8Array; folder?: string } = {}): Promise<AgentInProcess> {
    const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "prestage-agent-")));
    after(() => rm(folder, { recursive: true, force: true }));
    const state = new DeviceState(folder);
    const deviceKey = await state.deviceKey();
    if (options.claim !== undefined) await writeDurably(join(folder, "prestage/claim-key.pem"), Buffer.from(exportPrivateKey(options.claim)), 0o600);
    const known = await state.keyrings(openTrustedKeyring(options.keyring ?? site.context.keys.keyringEnvelope));
    const { manifest } = await site.context.db.selectFrom("media").select("manifest").where("media_id", "=", mediaId).executeTakeFirstOrThrow();
    const set: Date[] = [];
    const clock = new SignedClock({ setSystemClock: async (now) => void set.push(now) });
    const status = await StatusSpool.open(join(folder, "prestage/state/status"), "boot", () => clock.now());
    const agent = new AgentInProcess(folder, mediaId, { state, deviceKey, known, manifest, status, clock });
    Object.defineProperty(agent, "clockSetTo", { value: set });
    return agent;
  }

  /** The same disk after a restart of the computer. */
  restart(site: TestSite, options: { keyring?: Uint8Array } = {}): Promise<AgentInProcess> {
    return AgentInProcess.start(site, this.#mediaId, { ...options, folder: this.folder });
  }

  /** Keyrings, time, enrolment. */
  async enrol(serialNumber = "AGENT"): Promise<{ keyrings: Keyring[]; deviceId: string; deviceName: string }> {
    const keyrings = await meetSite(this.contact);
    const claimKey = await readClaimKey(this.folder, this.contact.log);
    const sealingKey = await this.state.sealingKey();
    const first = { mediaId: this.#mediaId, deviceKey: this.deviceKey.public, sealingKey: sealingKey.publicKey, ...(claimKey && { claimId: claimKey.keyId }), attributes: { serialNumber, macAddresses: [] } };
    return { keyrings, ...(await enrolDevice({ ...this.contact, keyrings } as ContactOptions, first, claimKey)) };
  }

  choose(keyrings: Keyring[], change: Partial<ContactOptions> = {}) {
    return chooseDeployment({ ...this.contact, keyrings, ...change }, this.#mediaId, this.deviceKey.keyId);
  }

  /** The first event, from now on or before, that matches. */
  async event(pattern: RegExp): Promise<string> {
    const found = this.events.find((text) => pattern.test(text));
    if (found !== undefined) return found;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.push({ pattern, resolve });
    return promise;
  }

  #happened(text: string): void {
    this.events.push(text);
    for (const one of this.#waiting) if (one.pattern.test(text)) one.resolve(text);
  }
}
