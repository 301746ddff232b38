import { createHash, randomBytes } from "node:crypto";
import { httpbis } from "http-message-signatures";
import { TrustError } from "./error.ts";
import { signBytes, verifyBytes } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";

/** What is covered (RFC 9421 section 2): not the authority, because one management point has many names. */
const coveredFields = ["@method", "@path", "@query", "content-digest"];
const coveredParameters = ["created", "keyid", "alg", "nonce"];

/** A signature older than this, or from further in the future, is refused. */
export const requestMaximumAgeSeconds = 300;

export interface HttpRequest {
  method: string;
  /** Absolute URL; only its path and query are covered. */
  url: string;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** The headers that sign a request with the device key (RFC 9421 with RFC 9530 Content-Digest). */
export async function signRequest(request: HttpRequest, deviceKey: SigningKey, now: Date): Promise<Record<string, string>> {
  const headers: Record<string, string> = { ...request.headers, "content-digest": contentDigest(request.body) };
  const signed = await httpbis.signMessage(
    {
      key: { id: deviceKey.keyId, alg: "ed25519", sign: async (data) => signBytes(deviceKey, data) },
      fields: coveredFields,
      params: coveredParameters,
      paramValues: { created: now, nonce: randomBytes(16).toString("hex") },
    },
    { method: request.method, url: request.url, headers },
  );
  return Object.fromEntries(Object.entries(signed.headers).map(([name, value]) => [name.toLowerCase(), Array.isArray(value) ? value.join(", ") : value]));
}

export interface VerifiedRequest {
  keyId: string;
  /** Unique per request: whoever keeps the nonces of the last five minutes sees a replay. */
  nonce: string;
}

/**
 * Checks signature, age and body of a request; `findKey` gives the enrolled key of a key id.
 * @throws TrustError PRESTAGE_TRUST_REQUEST_SIGNATURE
 */
export async function verifyRequest(request: HttpRequest, findKey: (keyId: string) => Promise<PublicKey | undefined>, now: Date): Promise<VerifiedRequest> {
  if (request.headers["content-digest"] !== contentDigest(request.body)) throw refused("the body does not match its Content-Digest");
  let found: VerifiedRequest | undefined;
  let valid: boolean | null = false;
  try {
    valid = await httpbis.verifyMessage(
      {
        requiredFields: coveredFields,
        requiredParams: coveredParameters,
        notAfter: new Date(now.getTime() + requestMaximumAgeSeconds * 1000),
        keyLookup: async (parameters) => {
          const key = await findKey(String(parameters.keyid));
          if (key === undefined) return null;
          checkAge(parameters.created, now);
          found = { keyId: key.keyId, nonce: String(parameters.nonce) };
          return { id: key.keyId, algs: ["ed25519"], verify: async (data, signature) => verifyBytes(key, data, signature) };
        },
      },
      { method: request.method, url: request.url, headers: request.headers },
    );
  } catch (cause) {
    if (cause instanceof TrustError) throw cause;
    throw refused("its signature cannot be checked", cause);
  }
  if (valid !== true || found === undefined) throw refused("it has no valid signature of an enrolled device key");
  return found;
}

/** RFC 9530: `sha-256=:BASE64:`. */
function contentDigest(body: Uint8Array): string {
  return `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;
}

/** The library compares with its own clock; the age is decided here, by the clock given. */
function checkAge(created: unknown, now: Date): void {
  const age = created instanceof Date ? (now.getTime() - created.getTime()) / 1000 : Number.NaN;
  if (!(Math.abs(age) <= requestMaximumAgeSeconds)) throw refused(`it was signed ${Math.round(age)} s ago, the limit is ${requestMaximumAgeSeconds} s`);
}

function refused(found: string, cause?: unknown): TrustError {
  return new TrustError("PRESTAGE_TRUST_REQUEST_SIGNATURE", `Expected a request signed with the device key (RFC 9421); ${found}.`, { cause });
}
