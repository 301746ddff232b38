import type { SecretReference } from "../schema.ts";
import type { AnswerComponent } from "./answer-file.ts";

/** A program of Windows, as it is started: no shell is between, so nothing in an argument is taken for an operator. */
export interface WindowsCommand {
  /** In words, as a log and a failure call it. */
  what: string;
  program: string;
  arguments: readonly string[];
  /** The arguments stand in the command line as they are: cmd.exe reads its own command by rules of its own. */
  verbatim?: boolean;
  /** Names in the program's environment and the secrets they hold: never an argument, which every process may read. */
  secrets?: Readonly<Record<string, SecretReference>>;
  /** Besides 0. */
  successCodes?: readonly number[];
  restartCodes?: readonly number[];
}

/** What a step does on Windows: files in a folder of its own, commands in their order, parts of the answer file that Windows Setup reads at its first start. */
export interface WindowsPlan {
  /** Name in the step's own folder, with `/` where it lies in a folder there, and text. */
  files?: readonly { name: string; content: string }[];
  commands?: readonly WindowsCommand[];
  answers?: readonly AnswerComponent[];
  /** Run in the end, also where a command failed, ran out of time or was stopped. */
  always?: readonly WindowsCommand[];
  /** The program runs in a session of its own, which the step's environment does not reach: a step with `secrets` is refused. */
  ownSession?: true;
  /** Set when all of it has succeeded. */
  variables?: readonly { name: string; value: string }[];
  /** Set when all of it has succeeded, to what a command has written into a file of the step's own folder; one that is not there or is empty sets nothing. */
  tells?: readonly { name: string; file: string }[];
  /** After a restart that a command has asked for the step is run again. */
  againAfterRestart?: true;
}

/** What a plan is made of besides the step's settings. */
export interface WindowsSurroundings {
  /** The step's own folder; there before the commands run and removed after them. */
  work: string;
  /** The agent's Node.js. */
  node: string;
  /** The folder of a content's verified copy, by object id. */
  folderOf: (objectId: string) => string;
  /** Files of a content's verified copy, with their paths, in the order of their names. */
  filesIn: (objectId: string) => readonly string[];
  /** Where Windows lies. */
  systemRoot: string;
  /** Whether a driver package is for this computer's model. */
  fits: (objectId: string) => boolean;
}

/** The surroundings of nowhere: what a plan would be, to show and to check. */
export const shownSurroundings: WindowsSurroundings = { work: String.raw`C:\prestage\work\step`, node: String.raw`C:\prestage\agent\node.exe`, folderOf: (id) => String.raw`C:\prestage\work\content-${id}`, filesIn: (id) => ["first.msu", "second.cab"].map((name) => `C:\\prestage\\work\\content-${id}\\${name}`), systemRoot: String.raw`C:\Windows`, fits: () => true };

/** Exit code of a program that asks for a restart (ERROR_SUCCESS_REBOOT_REQUIRED). */
export const restartRequired = 3010;
