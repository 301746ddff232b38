/** Every error this package can throw, by its stable code, with the HTTP status its answer has. */
export const siteErrors = {
  PRESTAGE_SITE_UNAUTHORIZED: "A request to the administration API has no valid token.",
  PRESTAGE_SITE_NOT_FOUND: "No object, device, deployment or job has the id asked for.",
  PRESTAGE_SITE_REQUEST_INVALID: "A request's body, path or query is not of the form the API asks for.",
  PRESTAGE_SITE_CONFLICT: "A request contradicts what the site holds: a name or record that is there already, an object still in use.",
  PRESTAGE_SITE_SEQUENCE_BROKEN: "A task sequence to be deployed names what is not there, or has a step that fails in every run.",
  PRESTAGE_SITE_NOT_OFFERED: "A device chose a deployment that is not offered to it, or not any more; or a simulation named one that does not reach its device.",
  PRESTAGE_SITE_DEBUG_DEPLOYMENT: "A debug deployment was to go to more than 10 computers, or beside a normal one of the same task sequence to the same computer.",
  PRESTAGE_SITE_REVISION_OLD: "A task sequence was to be updated with a text made from an older revision than its newest.",
  PRESTAGE_SITE_SEQUENCE_LARGE: "A task sequence with its children is larger than a computer takes in its policy.",
  PRESTAGE_SITE_HIGH_RISK_TARGET: "A required deployment of an operating system was to go to All Systems, or to a collection larger than the site's maximum size.",
  PRESTAGE_SITE_COLLECTION_LARGE: "A required deployment of an operating system was to go to a collection larger than the site's default size, without the word that says so.",
  PRESTAGE_SITE_SYSTEM_TARGETED: "A required deployment of an operating system reaches a computer the site itself runs on.",
  PRESTAGE_SITE_SECRET_ON_MEDIA: "A variable that looks like a secret was to be put on a media.",
  PRESTAGE_SITE_REFERENCE_MISSING: "A task sequence, application or media request names an object the site does not have.",
  PRESTAGE_SITE_DEVICE_UNKNOWN: "A request is signed by a key that is not enrolled, or was refused.",
  PRESTAGE_SITE_DEPOT_REVOKED: "A receipt or registration is of a depot whose key was revoked.",
  PRESTAGE_SITE_REQUEST_REPLAYED: "A signed request was received a second time.",
  PRESTAGE_SITE_KEY_MISSING: "A private key the site's keyring names is not among its key files.",
  PRESTAGE_SITE_BOOT_IMAGE_OLD: "A boot image carries an older keyring than the media it was to go on, or an agent that cannot read its manifest.",
  PRESTAGE_SITE_BOOT_IMAGE_NO_WINDOWS: "A media was to deploy a Windows that goes on with the sequence, and its boot image has no agent for Windows.",
  PRESTAGE_SITE_REVOKED: "A request comes from a device whose enrolment ended: the device, its media, its claim or its depot was revoked.",
  PRESTAGE_SITE_SECRET_REFUSED: "A device asks for a secret it is not entitled to.",
  PRESTAGE_SITE_SECRET_UNREADABLE: "A secret variable does not open with the site's secrets key.",
  PRESTAGE_SITE_BUSY: "Too many computers wait for approval, or ask to be enrolled at once.",
  PRESTAGE_SITE_JOB_INTERRUPTED: "The server ended while a job was running; it is not begun again by itself.",
  PRESTAGE_SITE_DATABASE: "PostgreSQL is missing, does not start, or does not answer.",
  PRESTAGE_SITE_IN_USE: "Another server runs on the same data directory.",
  PRESTAGE_SITE_CONFIGURATION: "The server's configuration is not valid.",
  PRESTAGE_SITE_S3_CREDENTIALS: "The keys of an S3 store are missing, or their file can be read by others.",
  PRESTAGE_SITE_S3_FAILED: "An S3 store did not do what was asked of it.",
  PRESTAGE_SITE_S3_LISTED: "A bucket to publish to lists its objects to everyone.",
  PRESTAGE_SITE_S3_NOT_READABLE: "What was published to a bucket cannot be read without a key, as devices do.",
  PRESTAGE_SITE_INTERNAL: "An unexpected failure inside the server; its log has the cause.",
} as const;

export type SiteErrorCode = keyof typeof siteErrors;

const statusOf: Partial<Record<SiteErrorCode, number>> = {
  PRESTAGE_SITE_UNAUTHORIZED: 401, PRESTAGE_SITE_NOT_FOUND: 404, PRESTAGE_SITE_REQUEST_INVALID: 400, PRESTAGE_SITE_CONFLICT: 409, PRESTAGE_SITE_SEQUENCE_BROKEN: 422, PRESTAGE_SITE_NOT_OFFERED: 404, PRESTAGE_SITE_DEBUG_DEPLOYMENT: 409, PRESTAGE_SITE_REVISION_OLD: 409, PRESTAGE_SITE_SEQUENCE_LARGE: 413, PRESTAGE_SITE_HIGH_RISK_TARGET: 409, PRESTAGE_SITE_COLLECTION_LARGE: 409, PRESTAGE_SITE_SYSTEM_TARGETED: 409, PRESTAGE_SITE_SECRET_ON_MEDIA: 400,
  PRESTAGE_SITE_REFERENCE_MISSING: 422, PRESTAGE_SITE_DEVICE_UNKNOWN: 403, PRESTAGE_SITE_KEY_MISSING: 409, PRESTAGE_SITE_BOOT_IMAGE_OLD: 409, PRESTAGE_SITE_BOOT_IMAGE_NO_WINDOWS: 409, PRESTAGE_SITE_REVOKED: 403, PRESTAGE_SITE_SECRET_REFUSED: 403, PRESTAGE_SITE_DEPOT_REVOKED: 403, PRESTAGE_SITE_REQUEST_REPLAYED: 409, PRESTAGE_SITE_BUSY: 503, PRESTAGE_SITE_DATABASE: 503,
};

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class SiteError extends Error {
  readonly code: SiteErrorCode;
  constructor(code: SiteErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SiteError";
    this.code = code;
  }
  /** The HTTP status of an answer that reports this error. */
  get statusCode(): number {
    return statusOf[this.code] ?? 500;
  }
}

export function notFound(what: string, id: string): SiteError {
  return new SiteError("PRESTAGE_SITE_NOT_FOUND", `Expected ${what} ${id}; the site has none. List what there is with \`prestage ${what.replaceAll(" ", "-")} list\`.`);
}
