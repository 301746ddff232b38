import type { Manifest } from "@prestage/media";
import type { DeviceState } from "../state/device-state.ts";

/** The management points to try, in order. Dynamic media: those of the last signed policy, then the media's own; site-based media: the media's own alone. */
export async function managementPointsOf(state: Pick<DeviceState, "managementPoints">, manifest: Pick<Manifest, "managementPoints">): Promise<string[]> {
  const { mode, urls } = manifest.managementPoints;
  if (mode === "site-based") return urls;
  return [...new Set([...(await state.managementPoints()), ...urls].map((url) => url.replace(/\/+$/, "")))];
}
