import assert from "node:assert/strict";
import { test } from "node:test";
import { redact } from "./redact.ts";

test("passwords are found in the ways that commands have of saying them; variables are none", () => {
  for (const text of ["setup -Password x", "/pwd:x", "--token=x", "psexec -u a -p x cmd", "net use Z: \\\\s\\d x /user:y", "net user ann x", "https://a:x@host/", "msiexec PASSWORD=x", "set DB_PASSWORD = x", "MyVeryOwnAndQuiteLongPrefixOfAVariableOfSomebody_password=x", "ConvertTo-SecureString x -AsPlainText"]) {
    const { found, text: shown } = redact(text);
    assert.ok(found && shown.includes("***"), text);
  }
  for (const text of ["setup -Password %PW%", "net user ann /add", 'for /F "tokens=2" %i in (a) do b', "https://host:8080/a", "copy a b"]) assert.equal(redact(text).found, false, text);
});

test("short spellings of a password are found, whole; what looks like one and is none stays", () => {
  const recovery = Array.from({ length: 8 }, (_, i) => `11111${i}`).join("-");
  for (const text of [
    "setup.exe /pw:Sw0rdfish", "setup --pw=Sw0rdfish", "plink ann@host -pw Sw0rdfish ls", 'manage-bde -on C: -pw "Sw0rdfish"', "setup --pass=Sw0rdfish", "setup /adminpassword Sw0rdfish", "setup /AdminPassword:Sw0rdfish",
    "net.exe user ann Sw0rdfish /add", '"C:\\Windows\\System32\\net.exe" user ann Sw0rdfish', "net1 use \\\\s\\d Sw0rdfish /user:y", "net use \\\\s\\d /user:y Sw0rdfish", 'net use Z: "\\\\s\\d e" Sw0rdfish /user:y', "psexec64.exe \\\\s -u a -p Sw0rdfish cmd",
    "7z.exe x a.7z -pSw0rdfish", "rar x -hpSw0rdfish a.rar", "schtasks /create /u a /p Sw0rdfish /ru b /rp Sw0rdfish", "netdom join c /pd:Sw0rdfish /ud:a /po:Sw0rdfish", "certutil -f -p Sw0rdfish -importpfx a.pfx", "winrs -r:s -u:a -p:Sw0rdfish cmd",
    "curl -u ann:Sw0rdfish https://host/", "msiexec /i a.msi SVCPASS=Sw0rdfish /qn", "msiexec /i a.msi SA_PW=Sw0rdfish", 'msiexec /i a.msi PASSPHRASE="Sw0rdfish"', "$pass = 'Sw0rdfish'",
  ]) assert.ok(!redact(text).text.includes("Sw0rdfish"), redact(text).text);
  assert.ok(!redact(`manage-bde -unlock C: -rp ${recovery}`).text.includes("111111"));
  assert.ok(!redact(recovery).text.includes("111111"));
  for (const text of [
    "msiexec /i a.msi /passive REBOOT=ReallySuppress", "wusa a.msu /passive /norestart", "Start-Process a -PassThru -Wait", "powershell -ExecutionPolicy Bypass -File a.ps1", "setup /bypasscheck 1", "a.msi BYPASS=1", "manage-bde -on C: -pw -rp",
    '<settings pass="specialize">', "net use Z: \\\\s\\d", 'net use Z: "\\\\s\\d e" /persistent:no', "net.exe user ann /add", "setup -p x", "setup /p:x", "mkdir -p /a/b", "ssh -p 22 host", "copy -pwr a", "7z x a.7z -oC:\\a", "xcopy a b /p /y", "schtasks /run /tn a", "netdom join c /pd:* /ud:a", "setup.exe /pw:%PW%", "{11111111-2222-3333-4444-555555555555}", "curl -u ann https://host/a",
  ]) assert.deepEqual(redact(text), { text, found: false });
});

const slow = ["net.exe\" user ", "schtasks -p", "7z a ", "curl -u a ", " -pw", "pass", "_pw  ", "111111-", "password", " -passpwd", "sqlcmd ", "net use a ", "/user:a ", "//a", "AAAAA-", 'password="', "tokens=", 'net user "', "ConvertTo-SecureString "];
/** Processor time, in microseconds: what else runs on the machine does not count. */
function costOf(length: number): number {
  const before = process.cpuUsage();
  for (const part of slow) redact(part.repeat(Math.ceil(length / part.length)));
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

test("texts made to be slow: eight times the length costs some eight times the time, not sixty-four", () => {
  costOf(50_000);
  // The best of some tries: a collection of garbage may fall into one.
  const ratios = Array.from({ length: 3 }, () => costOf(400_000) / costOf(50_000));
  assert.ok(Math.min(...ratios) < 24, ratios.join(" "));
});
