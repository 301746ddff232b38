import { hostname } from "node:os";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DiskError, runProgram, writeSettings } from "@prestage/disk";
import type { SettingChange } from "@prestage/disk";
import { joinDirectoryStep } from "@prestage/sequence";
import type { z } from "zod";
import { AgentError } from "../error.ts";
import { defineStep } from "./step-executor.ts";
import type { StepRun } from "./step-executor.ts";

type Settings = z.infer<typeof joinDirectoryStep.settings>;
/** A server that never answers must not hold a deployment. */
const patienceMs = 180_000;
const caFile = "etc/sssd/prestage-directory-ca.pem";

/** Joins the installed system to a directory; the password reaches programs by their standard input alone. */
export const step = defineStep(joinDirectoryStep, async (run, settings) => {
  const { dataRoot, signal } = run.context;
  await mkdir(join(dataRoot, "etc"), { recursive: true });
  await (settings.mode === "ldap" ? askLdap(run, settings) : joinActiveDirectory(run, settings));
  const certificate: SettingChange[] = settings.caCertificate === undefined ? [] : [{ kind: "file", path: caFile, mode: 0o644, content: `${settings.caCertificate.trim()}\n` }];
  const kerberos: SettingChange[] = settings.mode === "ldap" ? [] : [{ kind: "file", path: "etc/krb5.conf", mode: 0o644, content: kerberosFile(settings.domain) }];
  await writeSettings(dataRoot, [...certificate, ...kerberos, { kind: "file", path: "etc/sssd/sssd.conf", mode: 0o600, content: sssdFile(settings, settings.mode === "ldap" ? run.secrets.value(settings.password) : "") }]);
  if (dataRoot === "/") {
    await runProgram("systemctl", ["enable", "sssd.service"], { signal });
    await runProgram("systemctl", ["restart", "sssd.service"], { signal });
  }
  return { outputTail: `this computer belongs to ${settings.domain}` };
});

async function joinActiveDirectory(run: StepRun, { domain, organizationalUnit, account, password }: Settings): Promise<void> {
  const keytab = join(run.context.dataRoot, "etc/krb5.keytab");
  if (await isJoined(run, domain, keytab)) return run.output(`joined to ${domain} already`);
  const name = hostname().split(".")[0] ?? "";
  // NetBIOS names end there, and with them an account's ([MS-ADTS] 3.1.1.3.1.1.5).
  if (name.length > 15) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", `Expected a computer name of at most 15 characters for an Active Directory; found ${name}.`, "Give the computer a shorter name.");
  const place = organizationalUnit === undefined ? [] : [`--domain-ou=${organizationalUnit}`];
  await askServer(run, "adcli", ["join", `--domain=${domain}`, `--login-user=${account}`, "--stdin-password", `--computer-name=${name.toUpperCase()}`, `--host-fqdn=${name.toLowerCase()}.${domain.toLowerCase()}`, `--host-keytab=${keytab}`, "--os-name=Linux", ...place], password);
  if (!(await isJoined(run, domain, keytab))) throw refused(`Expected ${domain} to accept the computer account that was made; it does not.`);
  run.output(`${name} joined ${domain}`);
}

async function isJoined(run: StepRun, domain: string, keytab: string): Promise<boolean> {
  const { exitCode } = await runProgram("adcli", ["testjoin", `--domain=${domain}`, `--host-keytab=${keytab}`], { accept: Array.from({ length: 256 }, (_, i) => i), signal: AbortSignal.any([run.context.signal, AbortSignal.timeout(patienceMs)]) });
  return exitCode === 0;
}

/** Asks with the account what sssd will ask with it: a wrong name, password or base is found here. */
async function askLdap(run: StepRun, { server, searchBase, account, password, caCertificate }: Settings): Promise<void> {
  const { dataRoot } = run.context;
  if (caCertificate !== undefined) await writeSettings(dataRoot, [{ kind: "file", path: caFile, mode: 0o644, content: `${caCertificate.trim()}\n` }]);
  const env = { LDAPTLS_REQCERT: "demand", ...(caCertificate !== undefined && { LDAPTLS_CACERT: join(dataRoot, caFile) }) };
  const secure = server?.startsWith("ldap://") === true ? ["-ZZ"] : [];
  // What node:child_process hands on is a socket, which has no name to open; cat makes a pipe of it.
  await askServer(run, "sh", ["-c", 'command -v ldapsearch > /dev/null || { echo "The program ldapsearch is not installed (ldap-utils)." >&2; exit 127; }; cat | ldapsearch "$@"', "sh", "-x", "-LLL", ...secure, "-o", "nettimeout=20", "-H", server ?? "", "-D", account, "-y", "/dev/stdin", "-s", "base", "-b", searchBase ?? "", "1.1"], password, env);
  run.output(`${server ?? ""} answers to ${account}`);
}

async function askServer(run: StepRun, program: string, args: readonly string[], password: Settings["password"], env: Readonly<Record<string, string>> = {}): Promise<void> {
  try {
    await runProgram(program, args, { input: run.secrets.value(password), env, signal: AbortSignal.any([run.context.signal, AbortSignal.timeout(patienceMs)]), onLine: run.output });
  } catch (cause) {
    run.context.signal.throwIfAborted();
    if (cause instanceof DiskError && /^The program \S+ is not installed|ended with 127/.test(cause.message)) throw cause;
    throw refused(`Expected the directory to take this computer; it said: ${cause instanceof Error ? run.secrets.redact(cause.message.replace(/^[\s\S]* It said: /, "")) : String(cause)}`, cause);
  }
}

function refused(message: string, cause?: unknown): AgentError {
  return new AgentError("PRESTAGE_AGENT_DIRECTORY_JOIN", message, "Check the account, its password and its right to join computers there, the names and the network.", { cause });
}

function kerberosFile(domain: string): string {
  return `# Written by the deployment.
[libdefaults]
default_realm = ${domain.toUpperCase()}
dns_lookup_realm = false
dns_lookup_kdc = true
rdns = false
`;
}

/** sssd.conf(5), sssd-ad(5), sssd-ldap(5). */
function sssdFile(settings: Settings, password: string): string {
  const { mode, domain, server = "", searchBase = "", account, caCertificate } = settings;
  const provider =
    mode === "active-directory"
      ? ["id_provider = ad", "access_provider = ad", `ad_domain = ${domain}`, `krb5_realm = ${domain.toUpperCase()}`, "krb5_store_password_if_offline = true", "ldap_id_mapping = true"]
      : ["id_provider = ldap", "auth_provider = ldap", `ldap_uri = ${server}`, `ldap_search_base = ${searchBase}`, `ldap_default_bind_dn = ${account}`, "ldap_default_authtok_type = password", `ldap_default_authtok = ${oneLine(password)}`, "ldap_tls_reqcert = demand", ...(server.startsWith("ldap://") ? ["ldap_id_use_start_tls = true"] : []), ...(caCertificate === undefined ? [] : [`ldap_tls_cacert = /${caFile}`])];
  return `# Written by the deployment.
[sssd]
config_file_version = 2
services = nss, pam
domains = ${domain}

[domain/${domain}]
${[...provider, "cache_credentials = true", "use_fully_qualified_names = false", "default_shell = /bin/bash", "fallback_homedir = /home/%u"].join("\n")}
`;
}

/** A password of two lines would be a setting of its own. */
function oneLine(password: string): string {
  if (/[\r\n\0]/.test(password) || password !== password.trim()) throw new AgentError("PRESTAGE_AGENT_STEP_INVALID", "Expected a password of one line without blanks at its ends: sssd.conf has no way to write another.", "Give the account another password.");
  return password;
}
