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

const slow = ["password", " -passpwd", "sqlcmd ", "net use a ", "/user:a ", "//a", "AAAAA-", 'password="', "tokens=", 'net user "', "ConvertTo-SecureString "];
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
