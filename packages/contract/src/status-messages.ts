import type { StatusKind, StatusMessage } from "./management-point.ts";

type Field = Exclude<keyof StatusMessage, "number" | "time" | "kind" | "environment" | "deploymentId">;

/** What docs/status-messages.md says of a kind of status message. */
export interface StatusDocumentation {
  when: string;
  /** Fields it always has, beside those that every message has. */
  carries: readonly Field[];
  /** Fields it has where there is something to say. */
  mayCarry?: readonly Field[];
  /** What the console calls it. */
  console: string;
  example: StatusMessage;
}

const base = { time: "2026-09-14T09:12:31.482Z", environment: "boot", deploymentId: "ABC20001" } as const;
const before = { time: "2026-09-14T09:10:02.104Z", environment: "boot" } as const;
const installed = { time: "2026-09-14T09:31:07.950Z", environment: "installed", deploymentId: "ABC20001" } as const;
const apply = { id: "apply", name: "Apply the system", type: "apply-os-image", path: [] } as const;
const tool = { id: "tools", name: "Tools", type: "install-application", path: ["In the new system"] } as const;
const group = { id: "in-the-new-system", name: "In the new system", path: [] } as const;
const content = { objectId: "ABC00004", kind: "application", name: "Tools", contentId: "7c".repeat(32), state: "revised", files: { hit: 41, revised: 1, missing: 2 }, bytesToFetch: 1_482_112, bytesTotal: 48_211_004 } as const;

/** A row for every kind: one without does not compile. */
export const statusDocumentation: Readonly<Record<StatusKind, StatusDocumentation>> = {
  "verification-started": {
    when: "The computer begins to read every file of its media, before it contacts anybody. Not after a restart in the middle of a sequence.", carries: [], console: "Verifying media",
    example: { number: 1, ...before, kind: "verification-started" },
  },
  "verification-finished": {
    when: "Every file of the media was read; failed: some are damaged, and each has a message of its own.", carries: ["outcome", "seconds", "text"], console: "Media verified",
    example: { number: 2, ...before, kind: "verification-finished", outcome: "succeeded", seconds: 38.4, text: "1240 files, 2214592512 bytes, 0 damaged" },
  },
  "file-damaged": {
    when: "A file of the media is not as it was signed. The media says whether the computer goes on and mends it, or stops.", carries: ["text"], console: "Damaged file",
    example: { number: 2, ...before, kind: "file-damaged", text: "content/7c7c/content.wim: 1 of 418 chunks" },
  },
  enrolled: {
    when: "The site has let the computer in, by its claim, by the media's password or by approval.", carries: [], console: "Enrolled",
    example: { number: 3, ...before, kind: "enrolled" },
  },
  "sequence-started": {
    when: "A task sequence begins; `text` is its name.", carries: ["text"], console: "Task sequence started",
    example: { number: 4, ...base, kind: "sequence-started", text: "Debian for branch offices" },
  },
  "group-started": {
    when: "A group whose condition holds is entered, before its first step.", carries: ["group"], console: "Group started",
    example: { number: 14, ...installed, kind: "group-started", group: { ...group, path: [...group.path] } },
  },
  "group-finished": {
    when: "A group has ended; failed: a step in it failed without `continueOnError`, and the rest of it was left out.", carries: ["group", "outcome"], console: "Group finished",
    example: { number: 19, ...installed, kind: "group-finished", group: { ...group, path: [...group.path] }, outcome: "succeeded" },
  },
  "step-started": {
    when: "A step is about to run. `text` says that it is run again, after an interruption or as another attempt.", carries: ["step"], mayCarry: ["text"], console: "Running",
    example: { number: 15, ...installed, kind: "step-started", step: { ...tool, path: [...tool.path] }, text: "attempt 2 of 3" },
  },
  "step-finished": {
    when: "A step has ended: its exit code, the last lines of what it printed, and where it failed the error. One that was done before an interruption says so in `text`.",
    carries: ["step", "outcome"], mayCarry: ["exitCode", "seconds", "outputTail", "error", "text"], console: "Finished",
    example: {
      number: 16, ...installed, kind: "step-finished", step: { ...tool, path: [...tool.path] }, outcome: "failed", exitCode: 100, seconds: 12.7, outputTail: "E: Unable to locate package jq",
      error: { code: "PRESTAGE_AGENT_STEP_FAILED", message: "Expected the installation of Tools to end with 0; it ended with 100: E: Unable to locate package jq." },
    },
  },
  "step-skipped": {
    when: "A step or group is not run: it is disabled, or its condition does not hold; `text` says which value decided.", carries: ["step", "outcome", "text"], console: "Skipped",
    example: { number: 5, ...base, kind: "step-skipped", outcome: "skipped", step: { id: "partition", name: "Partition the disk", type: "partition-disk", path: [] }, text: '_SMSTSMediaType is "OEMMedia"' },
  },
  "content-resolved": {
    when: "A step asked for content, and the local cache has answered: hit, revised or missing, and what has to be fetched.", carries: ["content"], console: "Content found",
    example: { number: 15, ...installed, kind: "content-resolved", content: { ...content, files: { ...content.files } } },
  },
  "content-fetch-progress": {
    when: "Every few seconds while content is fetched; `text` is its name. Not kept while 10,000 messages wait to be sent, and left out of `status list` without `--all`.", carries: ["progress", "text"], console: "Fetching",
    example: { number: 16, ...installed, kind: "content-fetch-progress", progress: { done: 524_288, total: 1_482_112, unit: "bytes" }, text: "Tools" },
  },
  "content-fetch-finished": {
    when: "What was revised or missing is there; `content.bytesToFetch` is what was fetched.", carries: ["content"], console: "Fetched",
    example: { number: 17, ...installed, kind: "content-fetch-finished", content: { ...content, files: { ...content.files }, bytesToFetch: 1_481_960 } },
  },
  "distribution-point-failed": {
    when: "A distribution point did not give what was asked of it; the next one is tried. Also where all have failed, with when they are tried again.", carries: ["text"], console: "Distribution point failed",
    example: { number: 16, ...installed, kind: "distribution-point-failed", text: "https://dp1.example.org/dp: connect ECONNREFUSED 10.17.0.5:443" },
  },
  restart: {
    when: "The sequence restarts the computer; `text` says where to.", carries: ["text"], console: "Restarting",
    example: { number: 12, ...base, kind: "restart", text: "to the installed system" },
  },
  restarted: {
    when: "The computer has started again in the middle of the sequence, asked to or not; `text` says where, and that nothing had asked for it where the power went.", carries: ["text"], console: "Started again",
    example: { number: 13, ...installed, kind: "restarted", text: "in the installed system" },
  },
  "sequence-finished": {
    when: "The task sequence has ended; where it failed, with the step and its error.", carries: ["outcome"], mayCarry: ["error"], console: "Task sequence finished",
    example: { number: 20, ...installed, kind: "sequence-finished", outcome: "succeeded" },
  },
  error: {
    when: "An error that is no step's stopped the computer in the boot environment: it is on the screen, too.", carries: ["error"], console: "Error",
    example: { number: 3, ...before, kind: "error", error: { code: "PRESTAGE_AGENT_MEDIA_DAMAGED", message: "Expected every file of the media as signed; found 1 damaged, first content/7c7c/content.wim: 1 of 418 chunks. [0x80091007]" } },
  },
  debugger: {
    when: "The debugger holds the run, and what somebody at the computer does there; values of variables are never in it.", carries: ["text"], mayCarry: ["step"], console: "Debugger",
    example: { number: 6, ...base, kind: "debugger", text: "held before Apply the system", step: { ...apply, path: [...apply.path] } },
  },
  "support-shell-opened": {
    when: "Somebody at the computer opened the support shell (F8), which the media allows; `text` is the terminal.", carries: ["text"], console: "Support shell opened",
    example: { number: 7, ...base, kind: "support-shell-opened", text: "tty1" },
  },
  "support-shell-closed": {
    when: "It was left, or the agent ended it before it left the boot environment; how long it was open.", carries: ["seconds", "text"], console: "Support shell closed",
    example: { number: 8, ...base, kind: "support-shell-closed", seconds: 94.2, text: "tty1" },
  },
  "user-device-affinity": {
    when: "A sequence has succeeded and SMSTSUDAUsers names users of the computer; the site records them as the media allows.", carries: ["text"], mayCarry: ["affinity"], console: "Users",
    example: { number: 19, ...installed, kind: "user-device-affinity", text: "CORP\\ann: to be approved at the site", affinity: { mode: "approval", users: ["CORP\\ann"] } },
  },
};
