import { keysOfRole, openRenewal } from "@prestage/trust";
import type { Keyring, Renewal } from "@prestage/trust";
import type { ManagementPointClient } from "../management-point/management-point-client.ts";
import type { DeviceState } from "../state/device-state.ts";
import { untilDone } from "./try-again.ts";
import type { Patience } from "./try-again.ts";

export interface RenewalOptions extends Omit<Patience, "manifest"> {
  manifest: { floor: string };
  mediaId: string;
  client: Pick<ManagementPointClient, "fetchRenewal">;
  state: Pick<DeviceState, "renewal" | "keepRenewal">;
}

/** Where the site renewed this media, the end that counts instead of the manifest's: of the renewal kept and the one the site has now, the one issued last. */
export async function renewedTo(options: RenewalOptions, keyring: Keyring): Promise<string | undefined> {
  const { client, state, manifest, mediaId, screen, log } = options;
  let newest: Renewal | undefined;
  const open = (envelope: Buffer, where: string): boolean => {
    try {
      newest = openRenewal(envelope, keysOfRole(keyring, "media"), { mediaId, notBefore: new Date(newest?.issued ?? manifest.floor) });
      return true;
    } catch (cause) {
      log(`the renewal ${where} counts for nothing: ${cause instanceof Error ? cause.message : String(cause)}`);
      return false;
    }
  };
  const kept = await state.renewal();
  if (kept !== undefined) open(kept, "on this disk");
  const fetched = await untilDone(options, "management-point", () => client.fetchRenewal(mediaId));
  if (fetched !== undefined && kept?.equals(fetched) !== true && open(fetched, "from the management point")) {
    await state.keepRenewal(fetched);
    log(`the media is renewed to ${newest?.validTo ?? ""}`);
    screen.event("renewal", { validTo: newest?.validTo });
  }
  return newest?.validTo;
}
