import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { importSigningKey } from "@prestage/trust";
import { CommandLineWatch } from "./command-line-watch.ts";
import { secretProof } from "./factory.ts";
import { searchMedia, searchPath } from "./secret-search.ts";
import type { Secret, SecretFinding } from "./secret-search.ts";

/** The name of the secret variable the demonstration's sequence uses. */
export const demoSecretName = "WORKSHOP_SECRET";

/** What the caller gave in the environment: a password for the media, a secret for one step. */
export class DemoSecrets {
  readonly password: string | undefined;
  readonly secret: string | undefined;
  readonly #watch: CommandLineWatch | undefined;

  constructor(environment: NodeJS.ProcessEnv) {
    this.password = given(environment["PRESTAGE_DEMO_PASSWORD"]);
    this.secret = given(environment["PRESTAGE_DEMO_SECRET"]);
    this.#watch = this.any ? CommandLineWatch.start(this.#given()) : undefined;
  }

  get any(): boolean {
    return this.password !== undefined || this.secret !== undefined;
  }

  /** The proof that the step had the secret. */
  check(): { what: string; command: string; expected: string }[] {
    if (this.secret === undefined) return [];
    return [{ what: "secret: the step had it", command: `cat ${secretProof}`, expected: createHash("sha256").update(this.secret).digest("hex") }];
  }

  /**
   * Looks for password, secret and the site's private keys in the media (both images extracted, nested images and initramfs unpacked),
   * in the raw disk, in all logs, and in the command lines of all processes while the demonstration ran.
   */
  async search(places: { media: string; disk: string; logs: readonly string[]; siteKeys: string; say: (line: string) => void }): Promise<SecretFinding[]> {
    const secrets = [...this.#given(), ...(await privateKeys(places.siteKeys))];
    const findings = this.#watch?.stop() ?? [];
    places.say(`Command lines of ${this.#watch?.processes ?? 0} processes: ${findings.length} findings`);
    for (const [name, search] of [
      ["the media", () => searchMedia(secrets, places.media)], ["the disk, raw", () => searchPath(secrets, places.disk, "disk.img")], ["the logs", async () => (await Promise.all(places.logs.map((folder) => searchPath(secrets, folder, "logs")))).flat()],
    ] as const) {
      const found = await search();
      places.say(`${secrets.length} secrets in ${name}: ${found.length} findings`);
      findings.push(...found);
    }
    return findings;
  }

  #given(): Secret[] {
    return [["the media password", this.password], ["the secret variable", this.secret]].flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [{ name, bytes: Buffer.from(value) }]));
  }
}

/** Short ones would be found by chance. */
function given(value: string | undefined): string | undefined {
  if (value === undefined || value === "") return undefined;
  if (value.length < 8) throw new Error("Expected PRESTAGE_DEMO_PASSWORD and PRESTAGE_DEMO_SECRET with at least 8 characters each: shorter ones are found everywhere by chance.");
  return value;
}

/** The 32 bytes of each private key the site has. */
async function privateKeys(folder: string): Promise<Secret[]> {
  const secrets: Secret[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const text = await readFile(join(folder, name), "utf8");
    if (!text.includes("PRIVATE KEY")) continue;
    const body = Buffer.from(text.replace(/-----[^-]+-----/g, ""), "base64");
    secrets.push({ name: `the site's ${name}`, bytes: isEd25519(text) ? body.subarray(-32) : body });
  }
  if (secrets.length === 0) throw new Error(`Expected the site's private keys in ${folder}; found none.`);
  return secrets;
}

function isEd25519(pem: string): boolean {
  try {
    importSigningKey(pem);
    return true;
  } catch {
    return false; // another kind of key: looked for whole
  }
}
