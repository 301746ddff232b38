import { z } from "zod";
import { cmdlet, credential, powerShellFile, powerShellScript, powerShellText } from "../windows/powershell.ts";
import { restartRequired } from "../windows/windows-plan.ts";
import { secretSetting } from "./settings.ts";
import { defineStepType } from "./step-definition.ts";

const domainSchema = z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)+$/, "a domain's full name, such as ad.example.org");
const nameSchema = z.string().min(1).max(1024).regex(/^[^\p{Cc}]+$/u, "one line");

const passwordName = "PRESTAGE_PASSWORD";

/** Join Domain or Workgroup (features.md F235, F225). */
export const joinDirectoryStep = defineStepType({
  type: "join-directory",
  title: "Join domain or directory",
  reference: ["Join Domain or Workgroup", "MDT Recover from Domain"],
  summary:
    "Joins the installed system to a directory. Windows: an Active Directory, by Add-Computer, and a restart. Linux has sssd ask it who may sign in. `active-directory`: a computer account made by adcli, its keytab, krb5.conf and sssd.conf. `ldap`: the server is asked with the account's name and password, then sssd.conf is written, readable by root alone. adcli and sssd-ad, or ldap-utils and sssd-ldap, are installed before.",
  environments: ["installed"],
  platforms: ["linux", "windows"],
  settings: z
    .strictObject({
      mode: z.enum(["active-directory", "ldap"]).default("active-directory"),
      domain: domainSchema.describe("The domain; for LDAP what sssd calls it"),
      organizationalUnit: nameSchema.transform((text) => text.replace(/^LDAP:\/\//i, "")).pipe(z.string().regex(/^(OU|CN)=[^,]+(,\s*(OU|CN|DC)=[^,]+)+$/i, "an LDAP name, such as OU=Branches,DC=ad,DC=example,DC=org")).optional().describe("Where the computer account is made"),
      account: nameSchema.describe("Who may join computers; for LDAP the name to ask the server with, such as cn=reader,dc=example,dc=org"),
      password: secretSetting.describe("Its password"),
      server: z.string().regex(/^ldaps?:\/\/[A-Za-z0-9.-]{1,253}(:\d{1,5})?$/, "a server, such as ldaps://ldap.example.org").optional().describe("For LDAP; over ldap:// STARTTLS is required"),
      searchBase: nameSchema.optional().describe("For LDAP, such as dc=example,dc=org"),
      caCertificate: z.string().max(100_000).regex(/^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s-]+$/, "certificates in PEM").optional().describe("For LDAP, where the server's is not signed by one the system trusts"),
    })
    .refine((value) => (value.mode === "ldap") === (value.server !== undefined && value.searchBase !== undefined), "ldap has server and searchBase, active-directory neither"),
  variables: { domain: "OSDJoinDomainName", organizationalUnit: "OSDJoinDomainOUName", account: "OSDJoinAccount" },
  again: "A computer whose keytab the domain accepts is joined and stays so; a half-made account is made whole with a new password. The files are written again.",
  errors: ["PRESTAGE_AGENT_DIRECTORY_JOIN", "PRESTAGE_AGENT_SECRET_UNAVAILABLE", "PRESTAGE_DISK_PROGRAM_FAILED"],
  windows: ({ mode, domain, organizationalUnit, account, password }, { work }) => {
    if (mode === "ldap") return "Windows joins an Active Directory, and no other directory";
    const lines = [
      `$computer = ${cmdlet("Get-CimInstance", { ClassName: "Win32_ComputerSystem" })}`,
      `if ($computer.PartOfDomain -and $computer.Domain -eq ${powerShellText(domain)}) { exit 0 }`,
      ...credential(/[\\@]/.test(account) ? account : `${domain}\\${account}`, passwordName),
      cmdlet("Add-Computer", { DomainName: domain, Credential: { raw: "$account" }, OUPath: organizationalUnit, Force: true }),
      `exit ${restartRequired}`,
    ];
    return { files: [{ name: "join.ps1", content: powerShellScript(lines) }], commands: [{ ...powerShellFile(`${work}\\join.ps1`, [], "joining the domain"), secrets: { [passwordName]: password }, restartCodes: [restartRequired] }] };
  },
  example: `- name: Join
  type: join-directory
  with:
    domain: ad.example.org
    organizationalUnit: OU=Branches,DC=ad,DC=example,DC=org
    account: joiner
    password: { secret: JOIN_PASSWORD }`,
});
