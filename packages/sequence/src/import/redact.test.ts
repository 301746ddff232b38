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

test("a text of megabytes, made to be slow, is read in the time its length asks for", () => {
  const begun = performance.now();
  for (const part of ["password", " -passpwd", "sqlcmd ", "net use a ", "/user:a ", "//a", "AAAAA-", 'password="', "tokens=", 'net user "', "ConvertTo-SecureString "]) redact(part.repeat(Math.ceil(1_000_000 / part.length)));
  assert.ok(performance.now() - begun < 8000, `${performance.now() - begun} ms`);
});
