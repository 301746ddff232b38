import { z } from "zod";
import { cmdlet, powerShellFile, powerShellScript } from "../windows/powershell.ts";
import { flagSchema, integerSchema, secretSetting } from "./settings.ts";
import { nameIn } from "./named-variables.ts";
import { defineStepType } from "./step-definition.ts";

const host = "[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?";
const smb = new RegExp(`^//${host}(/[^/\\\\,\\p{Cc}]{1,255}){1,32}/?$`, "u");
const nfs = new RegExp(`^${host}:/[^\\\\,\\p{Cc}]{0,1000}$`, "u");
/** \\server\share and //server/share are one. */
const pathSchema = z.string().max(1200).transform((text) => (text.startsWith("\\\\") ? text.replaceAll("\\", "/") : text).replace(/(?<=[^:])\/$/, "")).refine((text) => (smb.test(text) || nfs.test(text)) && !/(^|\/)\.\.(\/|$)/.test(text), "\\\\server\\share, //server/share or server:/export");

const passwordName = "PRESTAGE_PASSWORD";

/** Connect to Network Folder (features.md F235). */
export const connectNetworkFolderStep = defineStepType({
  type: "connect-network-folder",
  title: "Connect to network folder",
  reference: ["Connect to Network Folder", "MDT Connect to UNC path"],
  summary:
    "Mounts a folder of a file server, by SMB 3 or NFS 4, and puts its place into a variable. It is there until the sequence ends; after a start of the computer it is mounted again before the next step. The boot environment mounts SMB; in an installed Linux cifs-utils or nfs-common is installed before.",
  environments: ["environment", "installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      path: pathSchema.describe("The folder: \\\\server\\share, //server/share/folder, or server:/export for NFS"),
      account: z.string().min(1).max(256).regex(/^[^\p{Cc}]+$/u, "one line").optional().describe("DOMAIN\\user, user@domain or user; none: a guest. NFS knows none"),
      password: secretSetting.optional().describe("Its password"),
      readOnly: flagSchema.default(true).describe("Nothing can be written there"),
      port: integerSchema.optional().describe("Of the server, where it is another than usual"),
      variable: z.string().max(256).describe("Gets the path of the mounted folder"),
    })
    .refine((value) => (value.account === undefined) === (value.password === undefined), "account and password go together")
    .refine((value) => value.path.startsWith("//") || value.account === undefined, "NFS has no account"),
  variables: { path: "SMSTSConnectNetworkFolderPath", account: "SMSTSConnectNetworkFolderAccount" },
  setsNamed: (settings) => nameIn(settings, "variable"),
  again: "A folder that is mounted already stays so; its variable is set again.",
  errors: ["PRESTAGE_AGENT_FOLDER_UNREACHABLE", "PRESTAGE_AGENT_SECRET_UNAVAILABLE", "PRESTAGE_SEQUENCE_VARIABLE_REFUSED"],
  windows: ({ path, account, password, variable }, { work }) => {
    if (!path.startsWith("//")) return "an NFS export is no folder that Windows connects to";
    const share = path.replaceAll("/", "\\");
    const known = cmdlet("Get-SmbMapping", { RemotePath: share, ErrorAction: "SilentlyContinue" });
    const connect = cmdlet("New-SmbMapping", { RemotePath: share, UserName: account, Password: password === undefined ? undefined : { raw: `$env:${passwordName}` } });
    return {
      files: [{ name: "connect.ps1", content: powerShellScript([`if (-not (${known})) { ${connect} | ${cmdlet("Out-Null")} }`]) }],
      commands: [{ ...powerShellFile(`${work}\\connect.ps1`, [], "connecting to the folder"), ...(password && { secrets: { [passwordName]: password } }) }],
      variables: [{ name: variable, value: share }],
    };
  },
  example: `- name: Drawings
  type: connect-network-folder
  with: { path: '\\\\files.example.org\\drawings', account: 'EXAMPLE\\reader', password: { secret: READER }, variable: Drawings }`,
});
