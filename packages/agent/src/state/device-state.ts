import { mkdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readBounded, syncPath, writeDurably } from "@prestage/content";
import { policyAnswerSchema } from "@prestage/contract";
import type { PolicyAnswer } from "@prestage/contract";
import { exportPrivateKey, exportSealingKey, generateSealingKey, generateSigningKey, importSealingKey, importSigningKey, openKeyringChain } from "@prestage/trust";
import type { Keyring, SealingKey, SigningKey } from "@prestage/trust";
import { z } from "zod";
import { AgentError } from "../error.ts";
import { networkSettingsSchema } from "../network/network-settings.ts";
import type { NetworkSettings } from "../network/network-settings.ts";

const highestSchema = z.strictObject({ keyringVersion: z.int(), number: z.int() });
const deviceSchema = z.strictObject({ deviceId: z.string(), deviceName: z.string() });
const prestartSchema = z.array(z.strictObject({ name: z.string(), value: z.string() }));
const managementPointsSchema = z.array(z.url()).max(64);
const keyringsSchema = z.array(z.base64());
export type EnrolledAs = z.infer<typeof deviceSchema>;

/** What the device remembers under /prestage/state, each file whole or not there: its keys, who it is, the highest policy number, the run chosen. */
export class DeviceState {
  readonly folder: string;

  constructor(dataRoot: string) {
    this.folder = join(dataRoot, "prestage/state");
  }

  /** The device's key: made on this disk, 0600, never sent. */
  async deviceKey(): Promise<SigningKey> {
    const path = join(this.folder, "device-key.pem");
    if (!(await exists(path))) {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeDurably(path, Buffer.from(exportPrivateKey(generateSigningKey())), 0o600);
    }
    return importSigningKey(await readFile(path, "utf8"));
  }

  /** The device's key to open secrets with: made on this disk, 0600, never sent. */
  async sealingKey(): Promise<SealingKey> {
    const path = join(this.folder, "sealing-key.pem");
    if (!(await exists(path))) await writeDurably(path, Buffer.from(exportSealingKey(generateSealingKey())), 0o600);
    return importSealingKey(await readFile(path, "utf8"));
  }

  readDevice(): Promise<EnrolledAs | undefined> {
    return this.#read("device.json", deviceSchema);
  }
  keepDevice(device: EnrolledAs): Promise<void> {
    return this.#write("device.json", device);
  }

  /** The keyrings that followed the one this disk came with, as received: each is verified again when it is read. */
  async keyrings(builtIn: Keyring): Promise<Keyring[]> {
    const kept = await this.#read("keyrings.json", keyringsSchema);
    return openKeyringChain(builtIn, (kept ?? []).map((text) => Buffer.from(text, "base64")));
  }
  async addKeyrings(envelopes: readonly Buffer[]): Promise<void> {
    const kept = (await this.#read("keyrings.json", keyringsSchema)) ?? [];
    await this.#write("keyrings.json", [...kept, ...envelopes.map((envelope) => envelope.toString("base64"))]);
  }

  /** The renewal of this media as it was received: verified again when it is read. */
  async renewal(): Promise<Buffer | undefined> {
    const kept = await this.#read("renewal.json", z.base64());
    return kept === undefined ? undefined : Buffer.from(kept, "base64");
  }
  keepRenewal(envelope: Buffer): Promise<void> {
    return this.#write("renewal.json", envelope.toString("base64"));
  }

  /** The management points the last signed policy named; heeded on dynamic media alone. */
  async managementPoints(): Promise<string[]> {
    return (await this.#read("management-points.json", managementPointsSchema)) ?? [];
  }
  keepManagementPoints(urls: readonly string[]): Promise<void> {
    return this.#write("management-points.json", urls);
  }

  /** The network's settings as somebody typed them at this computer. */
  networkSettings(): Promise<NetworkSettings | undefined> {
    return this.#read("network.json", networkSettingsSchema);
  }
  keepNetworkSettings(settings: NetworkSettings): Promise<void> {
    return this.#write("network.json", settings);
  }

  /** What the prestart command set, for the run and what follows a restart in it. */
  async prestartVariables(): Promise<{ name: string; value: string }[]> {
    return (await this.#read("prestart.json", prestartSchema)) ?? [];
  }
  keepPrestartVariables(variables: readonly { name: string; value: string }[]): Promise<void> {
    return this.#write("prestart.json", variables);
  }

  /** The highest policy number seen under this keyring; a new keyring starts the count again. */
  async highestPolicyNumber(keyringVersion: number): Promise<number> {
    const kept = await this.#read("policy-number.json", highestSchema);
    return kept?.keyringVersion === keyringVersion ? kept.number : 0;
  }
  keepPolicyNumber(keyringVersion: number, number: number): Promise<void> {
    return this.#write("policy-number.json", { keyringVersion, number });
  }

  /** The run that was chosen: the signed answer as received. */
  get runFolder(): string {
    return join(this.folder, "run");
  }
  get journalPath(): string {
    return join(this.runFolder, "journal");
  }
  readRun(): Promise<PolicyAnswer | undefined> {
    return this.#read("run/answer.json", policyAnswerSchema);
  }
  async keepRun(answer: PolicyAnswer): Promise<void> {
    await mkdir(this.runFolder, { recursive: true, mode: 0o700 });
    await this.#write("run/answer.json", answer);
  }
  /** Puts an ended run aside, so that the next start begins anew. */
  async endRun(): Promise<void> {
    const last = join(this.folder, "last-run");
    await rm(last, { recursive: true, force: true });
    await rename(this.runFolder, last);
    await syncPath(this.folder);
  }

  async #read<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const path = join(this.folder, name);
    if (!(await exists(path))) return undefined;
    try {
      return schema.parse(JSON.parse(await readFile(path, "utf8")));
    } catch (cause) {
      throw new AgentError("PRESTAGE_AGENT_STATE_DAMAGED", `Expected ${path} to be the deployment's own record; found something else.`, "Stage the disk again.", { cause });
    }
  }

  #write(name: string, value: unknown): Promise<void> {
    return writeDurably(join(this.folder, name), Buffer.from(`${JSON.stringify(value)}\n`), 0o600);
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}

/** The claim staging left on this disk; none on a disk laid by hand or duplicated without one. One that cannot be read is as none: approval is always possible. */
export async function readClaimKey(dataRoot: string, log: (line: string) => void): Promise<SigningKey | undefined> {
  const path = join(dataRoot, "prestage/claim-key.pem");
  if (!(await exists(path))) return undefined;
  try {
    return importSigningKey((await readBounded(path, 4096)).toString("utf8"));
  } catch (cause) {
    log(`the claim on this disk cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);
    return undefined;
  }
}
