import { restartRequired } from "./windows-plan.ts";
import type { AnswerComponent } from "./answer-file.ts";
import type { WindowsCommand } from "./windows-plan.ts";

/** ERROR_NO_MORE_ITEMS: every driver is there already, in this version or a newer one. */
const nothingToDo = 259;

/** Adds all drivers below a folder to the driver store and installs those that fit a device (PnPUtil command syntax; Windows 10 1607 and newer). */
export function addDrivers(folder: string): WindowsCommand {
  return { what: "adding the drivers", program: "pnputil.exe", arguments: ["/add-driver", `${folder}\\*.inf`, "/subdirs", "/install"], successCodes: [nothingToDo], restartCodes: [restartRequired] };
}

/** Where drivers lie that a new Windows is to have from its first start, below its root. */
export const stagedDrivers = "Windows/Prestage/Drivers";

/** Has Windows Setup add them in the pass specialize, before any device but the disk is needed. */
export const stagedDriversAnswers: AnswerComponent = {
  pass: "specialize", component: "Microsoft-Windows-Deployment",
  settings: { RunSynchronous: [{ RunSynchronousCommand: { Order: "1", Description: "Add the drivers of the deployment", Path: `cmd.exe /c pnputil.exe /add-driver %SystemRoot%\\Prestage\\Drivers\\*.inf /subdirs /install` } }] },
};

/** Adds one update, .msu or .cab (DISM Operating System Package Servicing; Add-WindowsPackage names both kinds of files). */
export function addWindowsUpdate(path: string, codes: Pick<WindowsCommand, "restartCodes" | "successCodes">): WindowsCommand {
  const { successCodes = [], ...restart } = codes;
  return { what: `adding ${path.split("\\").at(-1) ?? path}`, program: "dism.exe", arguments: ["/Online", "/Add-Package", `/PackagePath:${path}`, "/Quiet", "/NoRestart"], successCodes: [...successCodes, notApplicable], ...restart };
}

/** CBS_E_NOT_APPLICABLE: this Windows does not need it, or has a newer one. */
const notApplicable = 0x800f081e;

/** Where updates lie that a new Windows is to have from its first start, below its root. */
export const stagedUpdates = "Windows/Prestage/Updates";

/** What Windows Setup runs for one of them; `path` is below that folder, with `/` between names. */
export function stagedUpdateCommand(path: string): string {
  return `cmd.exe /c dism.exe /Online /Add-Package "/PackagePath:%SystemRoot%\\Prestage\\Updates\\${path.replaceAll("/", "\\")}" /Quiet /NoRestart`;
}

/** Has Windows Setup add them in the pass specialize, one after the other. */
export function stagedUpdatesAnswers(paths: readonly string[]): AnswerComponent {
  return { pass: "specialize", component: "Microsoft-Windows-Deployment", settings: { RunSynchronous: paths.map((path, i) => ({ RunSynchronousCommand: { Order: String(i + 1), Description: `Add the update ${path}`, Path: stagedUpdateCommand(path) } })) } };
}

/** Restarts at once, as planned for a deployment (shutdown: reason 2:4, operating system reconfiguration). */
export const restartWindows: WindowsCommand = restartWindowsAfter(0, undefined);

/** The same in so many seconds; Windows itself tells whoever is logged on, in at most 512 characters. */
export function restartWindowsAfter(seconds: number, text: string | undefined): WindowsCommand {
  const told = text === undefined || seconds === 0 ? [] : ["/c", text.replace(/[\p{Cc}"]+/gu, " ").slice(0, 512)];
  return { what: "the restart", program: "shutdown.exe", arguments: ["/r", "/t", String(seconds), "/f", "/d", "p:2:4", ...told] };
}
