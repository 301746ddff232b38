import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTaskSequenceYaml } from "../../parse-yaml.ts";
import { readXml } from "../../read-xml.ts";
import { hiveUse } from "./offline-hives.ts";
import { redact } from "../redact.ts";
import { readSourceSequence } from "../source-sequence.ts";
import { importSequence } from "../translate-sequence.ts";

const step = (name: string, command: string, type = "SMS_TaskSequence_RunCommandLineAction") => `<step type="${type}" name="${name}"><action>${command.replaceAll("&", "&amp;").replaceAll('"', "&quot;")}</action></step>`;

test("a part of the registry that Windows PE loads is written in the running Windows instead, after its first start", () => {
  const source = readSourceSequence(readXml(Buffer.from(`<sequence version="3.00">${[
    step("Load", 'REG LOAD HKLM\\SOF "%OSDisk%\\Windows\\System32\\config\\software"'), step("Model", 'REG ADD "HKLM\\SOF\\Microsoft\\Windows" /v Model /d "X 1" /f'),
    step("Built", `cmd /c for /F "tokens=2" %i in ('date /t') do REG ADD "HKLM\\sof\\SOE" /v Date /d "%i" /f`), step("Other", "reg add HKLM\\SOFTWARE\\X /f"), step("Unload", "reg unload HKLM\\SOF"),
    step("Restart", "smsboot.exe", "SMS_TaskSequence_RebootAction"), step("After", "cmd /c echo"),
  ].join("")}</sequence>`)));
  const imported = importSequence(source, { origin: "configmgr" });
  const { steps } = parseTaskSequenceYaml(imported.yaml);
  assert.deepEqual(steps.map((one) => [one.name, one.disabled === true, one.with?.["command"] ?? one.with?.["to"]]), [
    ["Load", true, "false"], ["Other", true, "false"], ["Unload", true, "false"], ["Restart", false, "installed"], ["Model", false, 'REG ADD "HKLM\\SOFTWARE\\Microsoft\\Windows" /v Model /d "X 1" /f'],
    ["Built", false, `cmd /c for /F "tokens=2" %i in ('date /t') do REG ADD "HKLM\\SOFTWARE\\SOE" /v Date /d "%i" /f`], ["After", false, "cmd /c echo"],
  ]);
  assert.deepEqual(imported.report.totals, { translated: 2, withNote: 4, disabled: 1, notNeeded: 2 }, JSON.stringify(imported.report.lines));
});

test("what is no part that was loaded stays what it is", () => {
  const hives = new Map([["sys", "HKLM\\SYSTEM"]]);
  assert.equal(hiveUse("reg add HKLM\\SOFTWARE\\sys", hives), undefined);
  assert.equal(hiveUse("reg unload HKLM\\other", hives), undefined);
  assert.deepEqual(hiveUse("reg delete HKEY_LOCAL_MACHINE\\SYS\\ControlSet001\\x /f", hives), { command: "reg delete HKLM\\SYSTEM\\ControlSet001\\x /f" });
  assert.deepEqual([redact('for /F "tokens=1,2*" %a in (x) do y').found, redact("set API_TOKENS=abc1").found, redact("tokens=abc").found], [false, true, true]);
});
