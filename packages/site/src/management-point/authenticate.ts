import { TrustError, verifyRequest } from "@prestage/trust";
import type { FastifyRequest } from "fastify";
import { SiteError } from "../error.ts";
import type { SiteContext } from "../site-context.ts";
import { standingOf } from "../store/standing.ts";
import type { Standing } from "../store/standing.ts";

export interface EnrolledDevice { id: string; name: string; keyId: string; known: boolean; proof: Standing["proof"]; sealingKey: string | null }

/** Nonces of the last ten minutes: a request counts once. */
export class NonceMemory {
  #seen = new Map<string, number>();

  /** Remembers a nonce; false where it was there already. */
  add(nonce: string, now: number): boolean {
    for (const [old, time] of this.#seen) {
      if (now - time < 600_000) break; // insertion order is time order
      this.#seen.delete(old);
    }
    if (this.#seen.has(nonce)) return false;
    this.#seen.set(nonce, now);
    return true;
  }
}

/**
 * The enrolled device that signed a request (RFC 9421), heard of now.
 * @throws TrustError PRESTAGE_TRUST_REQUEST_SIGNATURE, SiteError PRESTAGE_SITE_DEVICE_UNKNOWN, PRESTAGE_SITE_REVOKED, PRESTAGE_SITE_REQUEST_REPLAYED
 */
export async function authenticate(context: SiteContext, nonces: NonceMemory, request: FastifyRequest): Promise<EnrolledDevice> {
  let standing: Standing | undefined;
  const headers = Object.fromEntries(Object.entries(request.headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])));
  const verified = await verifyRequest(
    { method: request.method, url: `https://management.point${request.url}`, headers, body: request.rawBody ?? Buffer.alloc(0) },
    async (keyId) => {
      const found = await standingOf(context.db, keyId);
      if (found?.publicKey == null || (found.state !== "enrolled" && found.state !== "revoked")) return undefined;
      standing = found;
      return { keyId, publicKey: found.publicKey };
    },
    context.now(),
  ).catch((cause: unknown) => {
    if (standing === undefined && cause instanceof TrustError) throw new SiteError("PRESTAGE_SITE_DEVICE_UNKNOWN", "Expected a request signed by an enrolled device; found none or an unknown key. The device enrols again by itself.", { cause });
    throw cause;
  });
  if (standing === undefined) throw new SiteError("PRESTAGE_SITE_DEVICE_UNKNOWN", "Expected a request signed by an enrolled device; found an unknown key.");
  if (standing.ended !== undefined) throw new SiteError("PRESTAGE_SITE_REVOKED", `Expected a device whose enrolment stands; the ${standing.ended} it was enrolled with was revoked. Ask the site.`);
  if (!nonces.add(`${verified.keyId}:${verified.nonce}`, context.now().getTime())) throw new SiteError("PRESTAGE_SITE_REQUEST_REPLAYED", "Expected a request that was not received before; this one was.");
  const { id, name, known, proof, sealingKey } = standing;
  return { id, name, known, proof, sealingKey, keyId: verified.keyId };
}
