import type { Offer, Policy, PolicyAnswer } from "@prestage/contract";
import { checkValidity } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { checkKeyringExpiry } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import type { SignedClock } from "../management-point/clock.ts";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import { openPolicy } from "../management-point/open-policy.ts";
import type { Screen } from "../screens/screen.ts";
import type { DeviceState } from "../state/device-state.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import { bringUpNetwork } from "./bring-up-network.ts";
import { askAgain, untilDone } from "./try-again.ts";

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
