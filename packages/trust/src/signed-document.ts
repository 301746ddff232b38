import { z } from "zod";
import { TrustError } from "./error.ts";
import { signBytes, verifyBytes } from "./keys.ts";
import type { PublicKey, SigningKey } from "./keys.ts";

/** The kinds of signed document (design.md section 7). */
export type DocumentKind = "manifest" | "keyring" | "policy" | "task-sequence" | "receipt" | "renewal" | "content-export" | "time";

/** A DSSE envelope (https://github.com/secure-systems-lab/dsse/blob/master/envelope.md). */
const envelopeSchema = z.strictObject({
  payloadType: z.string().max(100),
  payload: z.string(),
  signatures: z.array(z.strictObject({ keyid: z.string().max(64), sig: z.string().max(100) })).min(1).max(8),
});

/** No signed document is larger: a manifest of 100,000 files is 20 MB. */
export const maximumDocumentBytes = 64 * 1024 * 1024;

export function payloadTypeOf(kind: DocumentKind): string {
  return `application/vnd.prestage.${kind}.v1+json`;
}

/** Signs payload bytes as they are; several keys give several signatures. Returns the envelope's UTF-8 JSON bytes. */
export function signDocument(kind: DocumentKind, payload: Uint8Array, keys: readonly SigningKey[]): Buffer {
  const payloadType = payloadTypeOf(kind);
  const toSign = preAuthenticationEncoding(payloadType, payload);
  return Buffer.from(
    JSON.stringify({
      payloadType,
      payload: Buffer.from(payload).toString("base64"),
      signatures: keys.map((key) => ({ keyid: key.keyId, sig: signBytes(key, toSign).toString("base64") })),
    }) + "\n",
  );
}

/**
 * Verifies an envelope and returns the payload bytes that were signed: verify first, parse after.
 * One signature by one of `keys` is enough; signatures by unknown keys are passed over (DSSE, "Protocol").
 * @throws TrustError PRESTAGE_TRUST_DOCUMENT_MALFORMED, _KIND, _SIGNATURE_INVALID
 */
export function verifyDocument(kind: DocumentKind, envelope: Uint8Array, keys: readonly PublicKey[]): Buffer {
  const parsed = parseEnvelope(envelope, kind);
  const toVerify = preAuthenticationEncoding(parsed.payloadType, parsed.payload);
  for (const signature of parsed.signatures) {
    const key = keys.find((candidate) => candidate.keyId === signature.keyid);
    if (key !== undefined && verifyBytes(key, toVerify, Buffer.from(signature.sig, "base64"))) return parsed.payload;
  }
  throw new TrustError(
    "PRESTAGE_TRUST_SIGNATURE_INVALID",
    `Expected the ${kind} to be signed by one of ${keys.length} trusted key(s); found signature(s) of ${parsed.signatures.map((s) => s.keyid.slice(0, 12)).join(", ")} that do not verify. The document was altered, or another site signed it.`,
  );
}

function parseEnvelope(envelope: Uint8Array, kind: DocumentKind) {
  if (envelope.byteLength > maximumDocumentBytes * 1.5) throw malformed(kind, `${envelope.byteLength} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(envelope).toString("utf8"));
  } catch (cause) {
    throw malformed(kind, "bytes that are not JSON", cause);
  }
  const parsed = envelopeSchema.safeParse(json);
  if (!parsed.success) throw malformed(kind, z.prettifyError(parsed.error), parsed.error);
  if (parsed.data.payloadType !== payloadTypeOf(kind)) {
    throw new TrustError("PRESTAGE_TRUST_DOCUMENT_KIND", `Expected payload type ${payloadTypeOf(kind)}; found ${parsed.data.payloadType}. Was the wrong file given?`);
  }
  return { ...parsed.data, payload: Buffer.from(parsed.data.payload, "base64") };
}

/** DSSE "Signature Definition": PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body. */
function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head, "utf8"), payload]);
}

function malformed(kind: DocumentKind, found: string, cause?: unknown): TrustError {
  return new TrustError("PRESTAGE_TRUST_DOCUMENT_MALFORMED", `Expected the ${kind} as a DSSE envelope; found ${found}.`, { cause });
}
