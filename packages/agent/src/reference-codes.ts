/** Codes of the reference for what our own codes say (features.md F317 to F324): who knows them finds them in the log, in the messages at the site and on the screen. */
const byCode: Readonly<Record<string, string>> = {
  // The hash value is not correct.
  PRESTAGE_AGENT_START_FILES_DAMAGED: "0x80091007", PRESTAGE_AGENT_MEDIA_DAMAGED: "0x80091007", PRESTAGE_AGENT_STATE_STORE_DAMAGED: "0x80091007",
  PRESTAGE_MEDIA_FILE_DAMAGED: "0x80091007", PRESTAGE_CONTENT_DAMAGED: "0x80091007", PRESTAGE_CONTENT_IMAGE_DAMAGED: "0x80091007",
  // The required management point was not found.
  PRESTAGE_AGENT_NO_MANAGEMENT_POINT: "0x87d00269",
  // Content could not be downloaded.
  PRESTAGE_CONTENT_FETCH_FAILED: "0x87d00267",
  // Policy could not be retrieved: unspecified error.
  PRESTAGE_AGENT_REFUSED: "0x80004005", PRESTAGE_AGENT_REVOKED: "0x80004005", PRESTAGE_AGENT_POLICY_REFUSED: "0x80004005",
  // Unspecified: there is nothing to start.
  PRESTAGE_AGENT_NO_SYSTEM: "0x80004005",
  // The operation was aborted.
  PRESTAGE_AGENT_CANCELLED: "0x80004004",
  PRESTAGE_AGENT_NOT_READY: "4316",
};

/** What TLS says of a certificate, a date or an authority (Node.js TLS and OpenSSL X509_V_ERR codes). */
const tlsTrouble = /\b(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET_ISSUER_CERT|GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)|CERT_(SIGNATURE_FAILURE|UNTRUSTED|REVOKED|REJECTED|CHAIN_TOO_LONG)|ERR_TLS_CERT_ALTNAME_INVALID|ERR_SSL_[A-Z_]+|EPROTO)\b/;

/** Exit codes of installers that mean the same everywhere (Windows Installer: cancelled, failed, busy, restart begun, restart wanted). */
const installerCodes = new Set([1602, 1603, 1618, 1641, 3010, 4316]);

/** The reference's code of a failure; undefined where it has none of its own. */
export function referenceCode({ code, message, exitCode }: { code: string; message: string; exitCode?: number | undefined }): string | undefined {
  if (code === "PRESTAGE_AGENT_NO_MANAGEMENT_POINT" && tlsTrouble.test(message)) return "0x80072f8f";
  const known = byCode[code];
  if (known !== undefined) return known;
  if (code !== "PRESTAGE_AGENT_STEP_FAILED") return undefined;
  if (exitCode === undefined) return "0x80004005";
  return installerCodes.has(exitCode) ? String(exitCode) : undefined;
}

/** A group or a sequence that failed because a step in it did. */
export const failedWithin = "0x80004004";

/** Both codes, for a line of the log or a message. */
export function codesText(failure: { code: string; message: string; exitCode?: number | undefined }): string {
  const reference = referenceCode(failure);
  return reference === undefined ? failure.code : `${failure.code} [${reference}]`;
}

/** A message with the reference's code behind it, as the site keeps it. */
export function withReference(failure: { code: string; message: string; exitCode?: number | undefined }): string {
  const reference = referenceCode(failure);
  return reference === undefined ? failure.message : `${failure.message} [${reference}]`;
}
