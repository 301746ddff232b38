import { setTimeout as delay } from "node:timers/promises";
import { openSecret } from "@prestage/trust";
import type { SealingKey } from "@prestage/trust";
import { AgentError } from "../error.ts";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import type { Screen } from "../screens/screen.ts";

/** The values of secret variables, for the step that names them. They are in this process's memory and in that step's environment, and nowhere else. */
export interface SecretAccess {
  /** @throws AgentError PRESTAGE_AGENT_SECRET_UNAVAILABLE */
  open(names: readonly string[]): Promise<Readonly<Record<string, string>>>;
}

export interface SiteSecretsOptions {
  client: Pick<ManagementPointClient, "secrets">;
  sealingKey: SealingKey;
  deviceKeyId: string;
  deploymentId: string;
  siteCode: string;
  screen: Screen;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Seconds between attempts while no management point answers. */
const retrySeconds = 5;

/** Asks the site each time: after a restart nothing is left to find. A step that needs a secret waits for the network however long an outage is. */
export class SiteSecrets implements SecretAccess {
  readonly #options: SiteSecretsOptions;

  constructor(options: SiteSecretsOptions) {
    this.#options = options;
  }

  async open(names: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const { sealingKey, deviceKeyId, deploymentId, siteCode } = this.#options;
    const { secrets, missing } = await this.#ask(names);
    const [absent] = missing;
    if (absent !== undefined) throw unavailable(`a value for the secret ${absent} at the site`, "none", `Set it with \`prestage secret set --deployment ${deploymentId} ${absent}\`, or on the device or collection.`);
    const values: Record<string, string> = {};
    for (const name of names) {
      const found = secrets.find((one) => one.name === name);
      if (found === undefined) throw unavailable(`the secret ${name} in the site's answer`, "others", "Ask the administrator of the site.");
      values[name] = await openSecret(sealingKey, found.sealed, { deviceKeyId, deploymentId, name, siteCode });
    }
    return values;
  }

  async #ask(names: readonly string[]) {
    const { client, deploymentId, screen, signal, log } = this.#options;
    for (;;) {
      signal.throwIfAborted();
      try {
        const answer = await client.secrets({ deploymentId, names: [...names] });
        screen.event("waiting-over", { for: "secrets" });
        return answer;
      } catch (cause) {
        if (cause instanceof AgentError && cause.code === "PRESTAGE_AGENT_REFUSED") throw unavailable(`the secrets ${names.join(", ")} from the site`, cause.message, "Ask the administrator of the site.", cause);
        if (!(cause instanceof AgentError && cause.code === "PRESTAGE_AGENT_NO_MANAGEMENT_POINT")) throw cause;
        log(`secrets: ${cause.message}`);
        screen.event("waiting", { for: "secrets", code: cause.code });
        await delay(retrySeconds * 1000, undefined, { signal });
      }
    }
  }
}

function unavailable(expected: string, found: string, next: string, cause?: unknown): AgentError {
  return new AgentError("PRESTAGE_AGENT_SECRET_UNAVAILABLE", `Expected ${expected}; found ${found}.`, next, { cause });
}
