import { variableValue } from "@prestage/sequence";
import type { RunEnvironment, Step, Variables } from "@prestage/sequence";
import { languageOfFolder } from "../screens/texts/index.ts";
import type { Language } from "../screens/texts/index.ts";

/** What variables of the reference say about the run itself (features.md F209 to F214); a sequence may change them at any step. */
export interface RunSettings {
  /** What the steps screen counts; the steps where nothing is said. */
  progress: "steps" | "steps-and-percent" | "percent";
  /** No step is shown, only that something runs. */
  hideProgress: boolean;
  language: Language | undefined;
  /** false: after a message could not be sent no other is tried before the next start of the agent. */
  retryStatus: boolean;
  /** How long an error stands where somebody may read it; 0: until a key is pressed. */
  errorSeconds: number;
  /** What command lines are made of is not logged. */
  quietCommands: boolean;
  /** How long the site may take to say where content lies. */
  contentUrlsTimeoutMs: number | undefined;
  /** How long after a restart that updates asked for a second one is waited for. */
  secondRestartSeconds: number;
}

const progressLevels = ["steps", "steps-and-percent", "percent"] as const;
/** The reference's default for its error dialog. */
const defaultErrorSeconds = 900;
const day = 86_400;
/** A timer of more than 2^31 ms, 24.8 days, is over at once. */
const longestErrorSeconds = 24 * day;

export function runSettings(variables: Variables): RunSettings {
  const isTrue = (name: string) => variableValue(variables, name)?.trim().toLowerCase() === "true";
  const number = (name: string, most: number) => {
    const text = variableValue(variables, name)?.trim() ?? "";
    return /^\d{1,9}$/.test(text) ? Math.min(Number(text), most) : undefined;
  };
  const folder = variableValue(variables, "SMSTSLanguageFolder");
  const requestMs = number("SMSTSMPListRequestTimeout", 600_000);
  return {
    progress: progressLevels[(number("TSProgressInfoLevel", 9) ?? 1) - 1] ?? "steps",
    hideProgress: isTrue("TSDisableProgressUI"),
    language: folder === undefined ? undefined : languageOfFolder(folder),
    retryStatus: !isTrue("SMSTSDisableStatusRetry"),
    errorSeconds: number("SMSTSErrorDialogTimeout", longestErrorSeconds) ?? defaultErrorSeconds,
    quietCommands: isTrue("OSDDoNotLogCommand"),
    // Less than a second is no time for an answer.
    contentUrlsTimeoutMs: requestMs === undefined ? undefined : Math.max(1000, requestMs),
    secondRestartSeconds: number("SMSTSWaitForSecondReboot", 7200) ?? 0,
  };
}

/** What people are told before a restart, and for how long. */
export interface RestartNotice { message: string | undefined; seconds: number }

const defaultNoticeSeconds = 60;

/**
 * The notice before a restart (F211, F219); undefined: none. A restart step's own message comes first; else SMSTSRebootDelay and SMSTSRebootMessage, from the
 * second restart on SMSTSRebootDelayNext. Where nothing of it is set nobody waits.
 */
export function restartNotice(variables: Variables, restartsBefore: number, own?: { message: string | undefined; seconds: number }): RestartNotice | undefined {
  if (own?.message !== undefined) return own.seconds === 0 ? undefined : { message: own.message, seconds: own.seconds };
  const seconds = (name: string) => {
    const text = variableValue(variables, name)?.trim() ?? "";
    return /^\d{1,9}$/.test(text) ? Math.min(Number(text), day) : undefined;
  };
  const message = variableValue(variables, "SMSTSRebootMessage");
  const delay = (restartsBefore > 0 ? seconds("SMSTSRebootDelayNext") : undefined) ?? seconds("SMSTSRebootDelay") ?? (message === undefined ? 0 : defaultNoticeSeconds);
  return delay === 0 ? undefined : { message, seconds: delay };
}

/** Whether what a step's command line is made of may be logged. */
export function logsCommand(step: Step, settings: RunSettings): boolean {
  return !settings.quietCommands || !["run-command-line", "run-script", "install-package"].includes(step.type);
}

/** Where the deployed system lies for what runs now: its folder in the boot environment, its own root or drive once it runs. */
export function targetSystemDrive(environment: RunEnvironment, dataRoot: string, systemDrive = process.env["SystemDrive"]): string {
  if (environment === "environment") return dataRoot;
  return process.platform === "win32" ? (systemDrive ?? "C:") : "/";
}
