/** Every error this package can throw, by its stable code. */
export const cliErrors = {
  PRESTAGE_CLI_NO_SITE: "No site's data directory or address was given, or its server does not run.",
  PRESTAGE_CLI_SITE_REFUSED: "The site refused a request; its own code and message follow.",
  PRESTAGE_CLI_BAD_ARGUMENT: "A command's argument has a form it cannot use.",
  PRESTAGE_CLI_JOB_FAILED: "A job at the site failed; its own code and message follow.",
  PRESTAGE_CLI_INTERRUPTED: "Ctrl-C ended a command.",
  PRESTAGE_CLI_DOWNLOAD_DAMAGED: "A file downloaded from the site does not have the SHA-256 the site names.",
  PRESTAGE_CLI_NO_SECRET: "A password or secret was not typed, or not found where it was to be read from.",
  PRESTAGE_CLI_FAILED_PARTLY: "Some of several things asked for failed; each is named.",
  PRESTAGE_CLI_FILE_UNREADABLE: "A file named on the command line is not there, is too large, or cannot be read.",
  PRESTAGE_CLI_LIBRARY_DAMAGED: "Content in the site's library is damaged.",
  PRESTAGE_CLI_DISTRIBUTION_POINT_DAMAGED: "Content at a distribution point is missing, damaged, or cannot be reached.",
  PRESTAGE_CLI_NO_FOLDER: "The folder an output file is to be written into is not there.",
  PRESTAGE_CLI_LINT: "A task sequence was to be added only without errors and warnings, and lint found some.",
  PRESTAGE_CLI_RECEIPT_UNTRUSTED: "A receipt is not signed, or not by a depot that is trusted.",
} as const;

export type CliErrorCode = keyof typeof cliErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class CliError extends Error {
  readonly code: string;
  constructor(code: CliErrorCode | (string & {}), message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.code = code;
  }
}
