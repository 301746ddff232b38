import { cmdlet, powerShellScript, powerShellText } from "./powershell.ts";
import { restartRequired } from "./windows-plan.ts";
import type { WindowsCommand } from "./windows-plan.ts";

/** Classifications of updates, by their ids (Windows Update Agent: CategoryIDs; WSUS classification GUIDs). */
const securityUpdates = "0fa1201d-4330-4fa8-8ae9-b877473b6441";
const criticalUpdates = "e6cf1350-c01b-414d-a61f-263d14d133b4";
const wanted = "IsInstalled = 0 and IsHidden = 0 and Type = 'Software'";

/** OperationResultCode (Windows Update Agent API): orcSucceeded, orcSucceededWithErrors. */
const [succeeded, succeededWithErrors] = [2, 3];

/**
 * Searches, downloads and installs by the Windows Update Agent (IUpdateSearcher, IUpdateDownloader, IUpdateInstaller); those that would ask somebody a question
 * are left out. Ends with 3010 where a restart is needed, with 1 where an update could not be installed and no restart may mend it.
 */
export function windowsUpdateScript({ updates, articles }: { updates: "all" | "security"; articles?: readonly string[] | undefined }): string {
  // "or" stands at the top level of the criteria alone (IUpdateSearcher::Search).
  const criteria = updates === "all" ? wanted : [securityUpdates, criticalUpdates].map((id) => `(${wanted} and CategoryIDs contains '${id}')`).join(" or ");
  const take = "$update.AcceptEula(); $chosen.Add($update) | Out-Null; $update.Title";
  const chosen = articles === undefined ? take : `foreach ($article in $update.KBArticleIDs) { if (${articles.map((id) => `$article -eq ${powerShellText(id)}`).join(" -or ")}) { ${take} } }`;
  return powerShellScript([
    `$session = ${cmdlet("New-Object", { ComObject: "Microsoft.Update.Session" })}`,
    "$searcher = $session.CreateUpdateSearcher()",
    `$found = $searcher.Search(${powerShellText(criteria)})`,
    `$chosen = ${cmdlet("New-Object", { ComObject: "Microsoft.Update.UpdateColl" })}`,
    `foreach ($update in $found.Updates) { if (-not $update.InstallationBehavior.CanRequestUserInput) { ${chosen} } }`,
    "if ($chosen.Count -eq 0) { exit 0 }",
    "$downloader = $session.CreateUpdateDownloader()",
    "$downloader.Updates = $chosen",
    "$downloader.Download() | Out-Null",
    "$installer = $session.CreateUpdateInstaller()",
    "$installer.Updates = $chosen",
    "$result = $installer.Install()",
    `if ($result.RebootRequired) { exit ${restartRequired} }`,
    `if ($result.ResultCode -eq ${succeeded}) { exit 0 }`,
    `if ($result.ResultCode -eq ${succeededWithErrors}) { ${cmdlet("Write-Output", { InputObject: "Some of these updates could not be installed." })} }`,
    "exit 1",
  ]);
}

/** Has Windows ask a server of the site's own (Windows Update for Business: policies WUServer, WUStatusServer, UseWUServer). */
export function useUpdateServer(server: string): WindowsCommand[] {
  const key = String.raw`HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate`;
  const set = (at: string, name: string, type: string, data: string): WindowsCommand => ({ what: "naming the update server", program: "reg.exe", arguments: ["add", at, "/v", name, "/t", type, "/d", data, "/f"] });
  return [set(key, "WUServer", "REG_SZ", server), set(key, "WUStatusServer", "REG_SZ", server), set(`${key}\\AU`, "UseWUServer", "REG_DWORD", "1")];
}
