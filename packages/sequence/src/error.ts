/** Every error this package can throw, by its stable code. */
export const sequenceErrors = {
  PRESTAGE_SEQUENCE_LARGE: "A task sequence's text is longer than 4 MiB.",
  PRESTAGE_SEQUENCE_MALFORMED: "A task sequence is not of the expected form.",
  PRESTAGE_SEQUENCE_VARIABLE_REFUSED: "A variable's name is not valid or read-only, or its value is too long.",
  PRESTAGE_SEQUENCE_EVENT_UNEXPECTED: "An event of a run's journal does not fit what came before it.",
  PRESTAGE_SEQUENCE_CHILD: "A task sequence runs another one that is not there, that runs itself, or that lies too deep.",
  PRESTAGE_SEQUENCE_IMPORT_XML: "XML to be imported is malformed, has a document type or entities of its own, or is too large or too deep.",
  PRESTAGE_SEQUENCE_IMPORT_UNKNOWN: "What is to be imported holds no task sequence that can be read: another kind of file, or one that is encrypted.",
  PRESTAGE_SEQUENCE_ANSWER_FILE: "An answer file for Windows Setup is not well-formed, or none.",
} as const;

export type SequenceErrorCode = keyof typeof sequenceErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. */
export class SequenceError extends Error {
  readonly code: SequenceErrorCode;
  constructor(code: SequenceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "SequenceError";
    this.code = code;
  }
}
