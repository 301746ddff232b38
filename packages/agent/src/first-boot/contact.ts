import type { Offer, Policy, PolicyAnswer } from "@prestage/contract";
import { checkValidity } from "@prestage/media";
import type { Manifest } from "@prestage/media";
import { checkKeyringExpiry } from "@prestage/trust";
import type { Keyring } from "@prestage/trust";
import { AgentError } from "../error.ts";
import type { SignedClock } from "../management-point/clock.ts";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import { managementPointsOf } from "../management-point/management-points.ts";
import { openPolicy } from "../management-point/open-policy.ts";
import type { Network } from "../network/network.ts";
import type { Screen } from "../screens/screen.ts";
import type { DeviceState } from "../state/device-state.ts";
import type { StatusSpool } from "../status/status-spool.ts";
import { showHighImpact } from "./high-impact.ts";
import { renewedTo } from "./renewed-to.ts";
import { askAgain, untilDone } from "./try-again.ts";

/** How long what was not reported yet is waited for before the site is asked what to run. */
const reportMs = 30_000;

export interface ContactOptions {
  manifest: Manifest;
  mediaId: string;
  /** The one the boot image came with, and those that followed; the last is trusted. */
  keyrings: readonly Keyring[];
  client: ManagementPointClient;
  clock: SignedClock;
  state: DeviceState;
  status: StatusSpool;
  screen: Screen;
  signal: AbortSignal;
  log: (line: string) => void;
}

/** A network, then the site. */
export async function connect(options: ContactOptions & { network: Network }): Promise<Keyring[]> {
  const { screen } = options;
  const { address } = options.network.settings;
  screen.message({ screen: "network", title: (texts) => texts.connecting, lines: [(texts) => (address === "" ? texts.askingAddress : texts.settingAddress(address))] });
  await untilDone(options, "network", () => options.network.bringUp());
  return meetSite(options);
}

/** Keyrings and signed time; then validity and keyring expiry are decided by that time. Resolves to the keyrings known now. */
export async function meetSite(options: ContactOptions): Promise<Keyring[]> {
  const { screen, client, manifest, clock } = options;
  client.useUrls(await managementPointsOf(options.state, manifest));
  screen.message({ screen: "time", title: (texts) => texts.connecting, lines: [(texts) => texts.contacting] });
  // Once before TLS can be verified, and once after: whoever sits between cannot hide a newer one both times.
  const before = await renewKeyrings(options, options.keyrings, false);
  await untilDone(options, "management-point", () => client.fetchTime());
  const keyrings = await renewKeyrings(options, before, true);
  if (keyrings.length > before.length) await untilDone(options, "management-point", () => client.fetchTime());
  const validTo = await renewedTo(options, newestOf(keyrings));
  checkValidity(validTo === undefined ? manifest : { ...manifest, validTo }, clock.now());
  checkKeyringExpiry(newestOf(keyrings), clock.now());
  return keyrings;
}

/** Fetches what follows the newest keyring, keeps it and uses it. */
async function renewKeyrings(options: ContactOptions, known: readonly Keyring[], verified: boolean): Promise<Keyring[]> {
  return acceptKeyrings(options, known, await untilDone(options, "management-point", () => options.client.fetchKeyrings(verified)));
}

/** Keeps and uses keyrings that were verified, one by the other: a keyring no root key of the one before signed counts for nothing. */
export async function acceptKeyrings(options: Pick<ContactOptions, "client" | "state" | "screen" | "log">, known: readonly Keyring[], fetched: readonly { envelope: Buffer; keyring: Keyring }[]): Promise<Keyring[]> {
  const { client, state, screen, log } = options;
  const newest = fetched.at(-1)?.keyring;
  if (newest === undefined) return [...known];
  await state.addKeyrings(fetched.map((one) => one.envelope));
  await client.useKeyring(newest);
  log(`keyring ${newest.version} follows keyring ${newestOf(known).version}`);
  screen.event("keyring", { version: newest.version });
  return [...known, ...fetched.map((one) => one.keyring)];
}

function newestOf(keyrings: readonly Keyring[]): Keyring {
  const newest = keyrings.at(-1);
  if (newest === undefined) throw new TypeError("a disk has a keyring");
  return newest;
}

/** Asks for offers and the policy of the one chosen; keeps it, so that from now on the run is fixed. */
export async function chooseDeployment(options: ContactOptions, mediaId: string, deviceKeyId: string): Promise<{ answer: PolicyAnswer; keyrings: Keyring[] }> {
  const { client, state, manifest, clock, screen, status, signal } = options;
  const preferredDeploymentId = manifest.variables.find((variable) => variable.name.toUpperCase() === "SMSTSPREFERREDADVERTID")?.value.replace(/^\{(.*)\}$/, "$1").toUpperCase();
  const request = { mediaId, ...(preferredDeploymentId && { preferredDeploymentId }) };
  let keyrings = [...options.keyrings];
  const ask = async (deploymentId?: string): Promise<{ answer: PolicyAnswer; policy: Policy }> => {
    // A computer may have waited for approval, or for somebody to choose, while the site changed its keys.
    keyrings = await renewKeyrings(options, keyrings, true);
    const keyring = newestOf(keyrings);
    const answer = await untilDone(options, "management-point", () => client.policy({ ...request, ...(deploymentId !== undefined && { deploymentId }) }));
    const { policy } = openPolicy(answer, { keyring, deviceKeyId, floor: new Date(manifest.floor), now: clock.now(), highestNumber: await state.highestPolicyNumber(keyring.version) });
    await state.keepPolicyNumber(keyring.version, policy.number);
    if (manifest.managementPoints.mode === "dynamic" && policy.managementPoints !== undefined) {
      await state.keepManagementPoints(policy.managementPoints);
      client.useUrls(await managementPointsOf(state, manifest));
    }
    return { answer, policy };
  };
  // Whether a deployment runs again follows what the site knows of the last run, and that may be on this disk alone.
  if (status.pending > 0) {
    screen.message({ screen: "policy", title: (texts) => texts.searching, lines: [(texts) => texts.asking] });
    await status.flush(reportMs);
    signal.throwIfAborted();
  }
  for (;;) {
    screen.message({ screen: "policy", title: (texts) => texts.searching, lines: [(texts) => texts.asking] });
    const { policy } = await ask();
    if (policy.offers.length === 0) {
      await askAgain(options, { title: (texts) => texts.nothingOffered, lines: [policy.nothingOffered ?? "The management point offers nothing."] }, "nothing-offered");
      continue;
    }
    const offer = await chooseOffer(options, policy.offers, preferredDeploymentId);
    if (offer === undefined) continue;
    await showHighImpact(screen, offer, options.signal);
    const chosen = await ask(offer.deploymentId).catch((cause: unknown) => {
      // It was withdrawn, or ended, while somebody read or chose.
      if (cause instanceof AgentError && cause.code === "PRESTAGE_AGENT_REFUSED" && cause.message.includes("PRESTAGE_SITE_NOT_OFFERED")) return undefined;
      throw cause;
    });
    if (chosen === undefined) continue;
    const { answer } = chosen;
    await state.keepRun(answer);
    screen.event("chosen", offer);
    return { answer, keyrings };
  }
}

/** Preferred (SMSTSPreferredAdvertID), or required: runs. Several or available: asks, unless the media is unattended. */
async function chooseOffer(options: ContactOptions, offers: readonly Offer[], preferred: string | undefined): Promise<Offer | undefined> {
  const { screen, manifest, signal } = options;
  const required = offers.filter((offer) => offer.purpose === "required");
  const [only] = offers;
  if (only !== undefined && only.deploymentId === preferred) return only;
  if (required.length === 1) return required[0];
  if (manifest.unattended) {
    if (offers.length === 1) return only;
    await askAgain(options, { title: (texts) => texts.tooMany, lines: [(texts) => texts.tooManyNext, ...offers.map((offer) => `${offer.deploymentId}  ${offer.name}`)] }, "ambiguous");
    return undefined;
  }
  const candidates = required.length > 1 ? required : offers;
  const index = await screen.choose({ title: (texts) => texts.chooseTitle, items: candidates.map((offer) => ({ label: offer.name, detail: offer.comment })) }, signal);
  return candidates[index];
}
