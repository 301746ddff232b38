/** Every error this package can throw, by its stable code. */
export const trustErrors = {
  PRESTAGE_TRUST_DOCUMENT_MALFORMED: "A signed document is not a DSSE envelope of the expected form.",
  PRESTAGE_TRUST_DOCUMENT_KIND: "A signed document is of another kind than the one asked for.",
  PRESTAGE_TRUST_SIGNATURE_INVALID: "No signature on a document was made by a key of the role that must sign it.",
  PRESTAGE_TRUST_KEY_MALFORMED: "A key is not an Ed25519 key in the expected encoding.",
  PRESTAGE_TRUST_KEYRING_SUCCESSION: "A keyring is not the successor of the trusted one, or no root key of the trusted one signed it.",
  PRESTAGE_TRUST_KEYRING_EXPIRED: "The keyring's expiry lies before the signed time.",
  PRESTAGE_TRUST_TIME_NONCE: "A signed time answers another nonce than the one sent.",
  PRESTAGE_TRUST_TIME_BEFORE_FLOOR: "A signed time lies before the floor of the manifest.",
  PRESTAGE_TRUST_CHALLENGE_INVALID: "An enrolment challenge was not made by this site, is too old, or belongs to another device key.",
  PRESTAGE_TRUST_CLAIM_PROOF: "A proof of a claim was not made by the claim's key for this challenge and device key.",
  PRESTAGE_TRUST_RENEWAL_REFUSED: "A renewal is of another media, or older than one that is known.",
  PRESTAGE_TRUST_REQUEST_SIGNATURE: "A request is not signed by the device key, is too old, or its body was altered.",
  PRESTAGE_TRUST_SECRET_SEALED: "A sealed secret does not open: it is for another device, deployment, name or site, or was altered.",
  PRESTAGE_TRUST_URL_SIGNATURE: "A content URL's signature is missing, wrong or expired.",
  PRESTAGE_TRUST_NOT_CANONICAL: "A value cannot be written as canonical JSON (RFC 8785).",
} as const;

export type TrustErrorCode = keyof typeof trustErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class TrustError extends Error {
  readonly code: TrustErrorCode;
  constructor(code: TrustErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TrustError";
    this.code = code;
  }
}
