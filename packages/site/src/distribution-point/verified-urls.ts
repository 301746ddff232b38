import { checkUrlQuery } from "@prestage/trust";
import type { PublicKey } from "@prestage/trust";

interface Verified { deviceId: string; expires: number }

const mostKept = 4096;
/** Ours are half as long; what is longer has more in it than was signed. */
const longestKept = 600;

/** Checks the signature of content URLs; one that was good a moment ago is not reckoned again, as a computer asks for many ranges under one. */
export class VerifiedUrls {
  readonly #known = new Map<string, Verified>();
  #keys: readonly PublicKey[] = [];

  /** The device a URL was signed for. `url`: path and query. @throws TrustError PRESTAGE_TRUST_URL_SIGNATURE */
  check(url: string, keys: readonly PublicKey[], now: Date): string {
    // What an earlier keyring vouched for is asked anew.
    if (keys !== this.#keys) this.#known.clear();
    this.#keys = keys;
    const known = this.#known.get(url);
    if (known !== undefined && known.expires * 1000 >= now.getTime()) return known.deviceId;
    const { pathname, searchParams } = new URL(url, "https://distribution.point");
    const { deviceId } = checkUrlQuery(pathname, searchParams, keys, now);
    if (url.length > longestKept) return deviceId;
    this.#known.set(url, { deviceId, expires: Number(searchParams.get("expires")) });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= mostKept) break;
      this.#known.delete(oldest);
    }
    return deviceId;
  }
}
