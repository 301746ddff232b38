import assert from "node:assert/strict";
import { test } from "node:test";
import { fromShare, scriptOfPowerShell, scriptsIn } from "./share-paths.ts";

test("a path into the deployment share becomes one in a package of the folder it is in", () => {
  for (const [text, expected] of [
    ['cscript.exe "%SCRIPTROOT%\\own\\a.vbs" /x', { folder: "Scripts", text: 'cscript.exe ".\\own\\a.vbs" /x' }],
    ["%ToolRoot%\\ServiceUI.exe /a", { folder: "Tools/x64", text: ".\\ServiceUI.exe /a" }],
    ["%DeployRoot%\\Scripts\\a.cmd", { folder: "Scripts", text: ".\\a.cmd" }],
    ["dism /x:%deployroot%\\Applications\\Config\\W10\\a.xml", { folder: "Applications/Config", text: "dism /x:.\\W10\\a.xml" }],
    ["%DEPLOYROOT%/Tools/x86/a.exe", { folder: "Tools/x86", text: ".\\a.exe" }],
    ['xcopy "%DEPLOYROOT%\\My Files\\Set 1\\*.*" C:\\x', { folder: "My Files/Set 1", text: 'xcopy ".\\*.*" C:\\x' }],
    ["%DEPLOYROOT%\\Own\\a.cmd && %deployroot%\\own\\b.cmd", { folder: "own", text: ".\\a.cmd && .\\b.cmd" }],
    ["cmd /c dir %SCRIPTROOT%", { folder: "Scripts", text: "cmd /c dir ." }],
  ] as const) assert.deepEqual(fromShare(text), expected, text);
  assert.equal(fromShare("cmd /c dir C:\\"), undefined);
  for (const text of ["%DEPLOYROOT%\\a.cmd", "%SCRIPTROOT%\\a.vbs %DEPLOYROOT%\\Own\\b", "%DEPLOYROOT%\\Applications\\a.cmd", "cd %DEPLOYROOT%"]) {
    const made = fromShare(text);
    assert.ok(made !== undefined && "refused" in made, text);
  }
});

test("scripts are found by their paths below the share", () => {
  assert.deepEqual(scriptsIn('cscript "%SCRIPTROOT%\\own\\a b.vbs" && %scriptroot%\\c.CMD /x'), ["Scripts/own/a b.vbs", "Scripts/c.CMD"]);
  assert.deepEqual([scriptsIn(scriptOfPowerShell("a.ps1")), scriptsIn(scriptOfPowerShell("%DEPLOYROOT%\\My Scripts\\a.ps1")), scriptsIn("a.ps1")], [["Scripts/a.ps1"], ["My Scripts/a.ps1"], []]);
});
