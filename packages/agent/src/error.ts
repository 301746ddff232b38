/** Every error this package can throw, by its stable code. */
export const agentErrors = {
  PRESTAGE_AGENT_NO_START_PARTITION: "The EFI system partition this computer was started from cannot be found.",
  PRESTAGE_AGENT_NO_VOLUME: "The disk this computer was started from has no partition with a media on it.",
  PRESTAGE_AGENT_TWO_VOLUMES: "The disk this computer was started from has more than one partition with a media on it.",
  PRESTAGE_AGENT_START_FILES_DAMAGED: "A file the computer starts from, or of the agent, is not as the manifest says.",
  PRESTAGE_AGENT_MEDIA_DAMAGED: "A file of the media is damaged, and the media says to stop then.",
  PRESTAGE_AGENT_KEYRING_MISMATCH: "The keyring on the disk is not the one the boot environment trusts.",
  PRESTAGE_AGENT_PRESTART_FAILED: "The media's prestart command ended with another code than 0, or its package is not whole.",
  PRESTAGE_AGENT_NO_NETWORK: "No wired network interface got an address.",
  PRESTAGE_AGENT_NO_MANAGEMENT_POINT: "No management point of the list answered.",
  PRESTAGE_AGENT_REFUSED: "The management point refused a request.",
  PRESTAGE_AGENT_REVOKED: "The site ended this computer's enrolment: the device, its media, its claim or its depot was revoked.",
  PRESTAGE_AGENT_SECRET_UNAVAILABLE: "A step names a secret the site does not give this computer.",
  PRESTAGE_AGENT_POLICY_REFUSED: "A policy is for another device, older than one seen before, or expired.",
  PRESTAGE_AGENT_STATE_DAMAGED: "The deployment's own record on the disk cannot be read.",
  PRESTAGE_AGENT_CONTENT_UNKNOWN: "A step names content the policy does not.",
  PRESTAGE_AGENT_STEP_FAILED: "A step of the task sequence failed.",
  PRESTAGE_AGENT_NOT_WINDOWS: "A step for Windows found none on the data volume.",
  PRESTAGE_AGENT_NO_WINDOWS_RUNTIME: "A Windows is to go on with the sequence, and the media has no agent for Windows.",
  PRESTAGE_AGENT_STEP_INVALID: "A step's settings are not valid, or the step is of an unknown type.",
  PRESTAGE_AGENT_STEP_ENVIRONMENT: "A step cannot run in this environment.",
  PRESTAGE_AGENT_NOT_READY: "The computer lacks what a check-readiness step asks for.",
  PRESTAGE_AGENT_STEP_TIME_LIMIT: "A step did not end within its time limit and was ended.",
  PRESTAGE_AGENT_STEP_INTERRUPTED: "A step was interrupted again and again and never ended.",
  PRESTAGE_AGENT_NO_SYSTEM: "A sequence restarts into a system, and there is none on the disk that could start.",
  PRESTAGE_AGENT_CANCELLED: "A person ended the task sequence in the debugger.",
  PRESTAGE_AGENT_DISK_PROTECTED: "A step would destroy the disk the deployment runs from.",
  PRESTAGE_AGENT_ACCOUNT_UNKNOWN: "The account a step is to run as is not one of the installed system.",
  PRESTAGE_AGENT_DIRECTORY_JOIN: "A directory did not take the computer: it cannot be reached, or refuses the account, its password or the place.",
  PRESTAGE_AGENT_FOLDER_UNREACHABLE: "A folder of a file server cannot be mounted.",
  PRESTAGE_AGENT_NO_STATE_STORE: "There is no place for users' files: none was requested, or the site has none.",
  PRESTAGE_AGENT_STATE_STORE_DAMAGED: "Captured users' files are missing, or not as they were captured.",
  PRESTAGE_AGENT_NOT_READY_FOR_CAPTURE: "The system cannot be prepared to become an image: something in it is half done, or belongs to this computer alone.",
  PRESTAGE_AGENT_CAPTURE_NO_ROOM: "There is no room for a captured image where it is to go.",
  PRESTAGE_AGENT_CAPTURE_REFUSED: "There is no system to capture, or the image cannot lie where the step says.",
  PRESTAGE_AGENT_TOO_OLD: "The media needs a newer agent than the one in its boot image.",
  PRESTAGE_AGENT_UNEXPECTED: "The agent met a failure nobody foresaw; its log has the cause.",
  PRESTAGE_AGENT_JOURNAL_DAMAGED: "The journal of the deployment is damaged in its middle.",
} as const;

export type AgentErrorCode = keyof typeof agentErrors;

/** Thrown by everything in this package; `code` is stable and listed in docs/errors.md. `next` says what a person at the machine can do. */
export class AgentError extends Error {
  readonly code: AgentErrorCode;
  readonly next: string;
  constructor(code: AgentErrorCode, message: string, next: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AgentError";
    this.code = code;
    this.next = next;
  }
}
