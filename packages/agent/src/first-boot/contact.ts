import { setTimeout as delay } from "node:timers/promises";
import type { Offer, Policy, PolicyAnswer } from "@prestage/contract";
import { checkValidity } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { checkKeyringExpiry } from "@prestage/trust";
import type { ChallengeRequest, Keyring } from "@prestage/trust";
import { AgentError } from "../error.ts";
import type { SignedClock } from "../management-point/clock.ts";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import { openPolicy } from "../management-point/open-policy.ts";
import type { Screen } from "../screens/screen.ts";
import type { DeviceState, EnrolledAs } from "../state/device-state.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import { bringUpNetwork } from "./bring-up-network.ts";

export interface ContactOptions {
  manifest: Manifest;
  keyring: Keyring;
  client: ManagementPointClient;
  clock: SignedClock;
  state: DeviceState;
  status: StatusSpool;
  screen: Screen;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** Seconds between attempts where something outside must change first. */
const retrySeconds = 5;
const unattendedRetrySeconds = 30;

/** Network and signed time; then validity and keyring expiry are decided by that time. */
export async function connect(options: ContactOptions): Promise<void> {
  const { screen, client, manifest, keyring, clock } = options;
  screen.message({ screen: "network", title: "Connecting", lines: ["Asking for a network address..."] });
  await untilDone(options, "network", () => bringUpNetwork(options.log));
  screen.message({ screen: "time", title: "Connecting", lines: ["Contacting the management point..."] });
  await untilDone(options, "management-point", () => client.fetchTime());
  checkValidity(manifest, clock.now());
  checkKeyringExpiry(keyring, clock.now());
}

/** Enrols this device: waits for an administrator's approval with the code on the screen. */
export async function enrolDevice(options: ContactOptions, first: ChallengeRequest): Promise<EnrolledAs> {
  const { screen, client, state, manifest, signal } = options;
  let challenge: string | undefined;
  let shown = "";
  for (;;) {
    const result = await untilDone(options, "management-point", () => client.enrol(first, challenge).catch((cause: unknown) => {
      // A challenge lives five minutes; a computer may wait for days.
      if (cause instanceof AgentError && cause.message.includes("PRESTAGE_TRUST_CHALLENGE_INVALID")) return undefined;
      throw cause;
    }));
    challenge = result?.challenge;
    if (result === undefined) continue;
    const { answer } = result;
    switch (answer.state) {
      case "approved": {
        const device = { deviceId: answer.deviceId, deviceName: answer.deviceName };
        await state.keepDevice(device);
        screen.event("enrolled", device);
        return device;
      }
      case "waiting":
        if (answer.code !== shown) screen.approval({ code: answer.code, siteName: manifest.site.code });
        shown = answer.code;
        await delay(answer.retryAfterSeconds * 1000, undefined, { signal });
        break;
      case "refused":
        shown = "";
        await askAgain(options, { title: "The site refused this computer", lines: [answer.reason] }, "refused");
    }
  }
}

/** Asks for offers and the policy of the one chosen; keeps it, so that from now on the run is fixed. */
export async function chooseDeployment(options: ContactOptions, mediaId: string, deviceKeyId: string): Promise<PolicyAnswer> {
  const { client, state, keyring, manifest, clock, screen } = options;
  const preferredDeploymentId = manifest.variables.find((variable) => variable.name.toUpperCase() === "SMSTSPREFERREDADVERTID")?.value.replace(/^\{(.*)\}$/, "$1").toUpperCase();
  const request = { mediaId, ...(preferredDeploymentId && { preferredDeploymentId }) };
  const open = async (answer: PolicyAnswer): Promise<Policy> => {
    const { policy } = openPolicy(answer, { keyring, deviceKeyId, floor: new Date(manifest.floor), now: clock.now(), highestNumber: await state.highestPolicyNumber(keyring.version) });
    await state.keepPolicyNumber(keyring.version, policy.number);
    return policy;
  };
  for (;;) {
    screen.message({ screen: "policy", title: "Looking for task sequences", lines: ["Asking the management point..."] });
    const offered = await open(await untilDone(options, "management-point", () => client.policy(request)));
    if (offered.offers.length === 0) {
      await askAgain(options, { title: "No task sequence for this computer", lines: [offered.nothingOffered ?? "The management point offers nothing."] }, "nothing-offered");
      continue;
    }
    const offer = await chooseOffer(options, offered.offers);
    if (offer === undefined) continue;
    const answer = await untilDone(options, "management-point", () => client.policy({ ...request, deploymentId: offer.deploymentId }));
    await open(answer);
    await state.keepRun(answer);
    screen.event("chosen", offer);
    return answer;
  }
}

/** Required: runs. Several or available: asks, unless the media is unattended. */
async function chooseOffer(options: ContactOptions, offers: readonly Offer[]): Promise<Offer | undefined> {
  const { screen, manifest, signal } = options;
  const required = offers.filter((offer) => offer.purpose === "required");
  const [only] = offers;
  if (required.length === 1) return required[0];
  if (manifest.unattended) {
    if (offers.length === 1) return only;
    await askAgain(options, { title: "More than one task sequence", lines: ["This media is unattended and must not ask. Deploy one as required, or set SMSTSPreferredAdvertID.", ...offers.map((offer) => `${offer.deploymentId}  ${offer.name}`)] }, "ambiguous");
    return undefined;
  }
  const candidates = required.length > 1 ? required : offers;
  const index = await screen.choose({ title: "Choose a task sequence", items: candidates.map((offer) => ({ label: offer.name, detail: offer.comment })) }, signal);
  return candidates[index];
}

/** Shows why nothing goes on; tries again on a key, or by itself on unattended media. */
async function askAgain(options: ContactOptions, text: { title: string; lines: string[] }, name: string): Promise<void> {
  const { screen, manifest, signal } = options;
  screen.event(name, text);
  if (manifest.unattended) {
    screen.message({ screen: name, title: text.title, lines: [...text.lines, "", `It is tried again every ${unattendedRetrySeconds} seconds.`] });
    await delay(unattendedRetrySeconds * 1000, undefined, { signal });
  } else await screen.waitForKey({ title: text.title, lines: [...text.lines, "", "Press a key to search again."] }, signal);
}

/** Repeats what depends on the network until it works; a refusal or a bad signature is final. */
async function untilDone<T>(options: ContactOptions, what: string, attempt: () => Promise<T>): Promise<T> {
  const { screen, log, signal } = options;
  for (let failures = 0; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (cause) {
      if (!(cause instanceof AgentError) || (cause.code !== "PRESTAGE_AGENT_NO_NETWORK" && cause.code !== "PRESTAGE_AGENT_NO_MANAGEMENT_POINT")) throw cause;
      log(`${what}: ${cause.message}`);
      screen.event("waiting", { for: what, code: cause.code, failures: failures + 1 });
      screen.message({ screen: "waiting", title: "Waiting", lines: [cause.message, "", cause.next] });
      await delay(retrySeconds * 1000, undefined, { signal });
    }
  }
}
