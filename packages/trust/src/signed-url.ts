import { TrustError } from "./error.ts";
import { signBytes, verifyBytes } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";

/**
 * The query that makes a content path readable until `expires` (seconds since 1970).
 * Path, expiry and device are signed, never the host: one URL is valid at each distribution point (design.md section 4).
 */
export function signUrlQuery(path: string, deviceId: string, expires: number, urlKey: SigningKey): string {
  const signature = signBytes(urlKey, urlBytes(path, deviceId, expires)).toString("base64url");
  return new URLSearchParams({ device: deviceId, expires: String(expires), signature }).toString();
}

/** @throws TrustError PRESTAGE_TRUST_URL_SIGNATURE */
export function checkUrlQuery(path: string, query: URLSearchParams, urlKeys: readonly PublicKey[], now: Date): { deviceId: string } {
  const deviceId = query.get("device") ?? "";
  const expires = Number(query.get("expires") ?? "NaN");
  const signature = Buffer.from(query.get("signature") ?? "", "base64url");
  if (!urlKeys.some((key) => verifyBytes(key, urlBytes(path, deviceId, expires), signature))) {
    throw new TrustError("PRESTAGE_TRUST_URL_SIGNATURE", `Expected a URL for ${path} signed by this site; found none or another's. Ask the management point for new URLs.`);
  }
  if (expires * 1000 < now.getTime()) throw new TrustError("PRESTAGE_TRUST_URL_SIGNATURE", `The URL for ${path} expired at ${new Date(expires * 1000).toISOString()}. Ask the management point for new URLs.`);
  return { deviceId };
}

function urlBytes(path: string, deviceId: string, expires: number): Buffer {
  return Buffer.from(`prestage-url-v1\n${path}\n${deviceId}\n${expires}\n`);
}
